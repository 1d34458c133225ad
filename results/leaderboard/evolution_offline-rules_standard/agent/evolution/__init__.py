"""Evolutionary search over source, with a language model as the mutator."""
