"""The source stage of the verifier: a jail for compiler and parser, and rules for schedulers on the parsed code."""

from schedcp_gym.control.verifier.source.stage import check_source

__all__ = ["check_source"]
