"""One model with all the tools in one conversation: the reference for dividing the work among roles."""
