"""The rules behind the offline stand-in for a language model. The underscore keeps discovery from taking it for a provider."""
