"""The rules behind ``offline``. The underscore keeps discovery from taking this for a provider."""
