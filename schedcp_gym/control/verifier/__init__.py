"""The execution verifier: nothing bad gets past. It is :class:`.verifier.Verifier`."""
