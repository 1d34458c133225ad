#!/bin/sh
# The guest's side of the kernel stage: the policy is loaded and enabled around a command that does nothing.
exec scx_run --report /result/report.json --verifier-log /result/verifier.log \
	--object /job/policy.bpf.o --tunables /job/tunables -- true
