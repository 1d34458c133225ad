"""Independent samples of one model, measured: the reference for anything that learns from feedback."""
