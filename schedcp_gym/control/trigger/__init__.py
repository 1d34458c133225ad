"""The trigger: sees a workload appear in a container, and starts an optimisation for it."""
