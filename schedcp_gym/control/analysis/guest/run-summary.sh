#!/bin/sh
# The guest's side of a summary: as a trial's, with the tracer around it. Only what the loader starts is traced: the
# workload's command, not its set-up, and not the loading of a policy. What lies beside this file was put there by
# schedcp_gym/control/analysis/traced_run.py.
set -u
. /job/environment
PATH="/opt/workloads/$WORKLOAD:$PATH"
PYTHONPATH=/job/shared PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PATH SEED CPUS PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
cd /job/workload || exit 1
if ! sh -e /job/setup >/result/setup.log 2>&1; then
	echo "the workload's set-up failed" >&2
	exit 3
fi
set --
[ -f /job/policy.bpf.o ] && set -- --object /job/policy.bpf.o --tunables /job/tunables
scx_trace --object /job/trace.bpf.o --output /result/trace.json --window-shift "$WINDOW_SHIFT" -- \
	scx_run --report /result/report.json --verifier-log /result/verifier.log "$@" -- sh /job/command \
	>/result/workload.out 2>/result/workload.err
exit 0
