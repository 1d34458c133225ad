#!/bin/sh
# The guest's side of a trial: set-up, then the workload under the loader, which loads the policy, watches it, and
# writes the report. What lies beside this file was put there by schedcp_gym/lab/trial_job.py.
set -u
. /job/environment
PATH="/opt/workloads/$WORKLOAD:$PATH"
# Python: what is beside the workload can be imported, sets have one order, nothing is written.
PYTHONPATH=/job/shared PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PATH SEED CPUS PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
cd /job/workload || exit 1
if ! sh -e /job/setup >/result/setup.log 2>&1; then
	echo "the workload's set-up failed" >&2
	exit 3
fi
set --
[ -f /job/policy.bpf.o ] && set -- --object /job/policy.bpf.o --tunables /job/tunables
scx_run --report /result/report.json --verifier-log /result/verifier.log "$@" -- sh /job/command \
	>/result/workload.out 2>/result/workload.err
exit 0
