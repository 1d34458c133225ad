"""Stage 3: the policy's behaviour, in the micro-VM, against a battery of cases with known right answers."""

from schedcp_gym.control.verifier.behaviour.check import check_behaviour

__all__ = ["check_behaviour"]
