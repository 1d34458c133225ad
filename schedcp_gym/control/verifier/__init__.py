"""The execution verifier: nothing bad gets past."""
