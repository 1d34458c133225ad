"""Whether KVM works here, found out by booting."""
