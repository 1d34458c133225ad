"""The rules behind ``offline``. The underscore keeps them from being listed as a provider."""
