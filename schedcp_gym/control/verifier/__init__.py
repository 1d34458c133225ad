"""The execution verifier, :class:`.verifier.Verifier`: it checks a policy before it may be deployed."""
