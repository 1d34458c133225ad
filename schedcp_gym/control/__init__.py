"""The control plane (SchedCP): the execution verifier."""
