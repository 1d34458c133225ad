#!/bin/sh
# The guest's side of a deployment: set-up, then the workload under scx_canary, which brings the policy to it step by
# step. What lies beside this file was put there by schedcp_gym/control/verifier/canary.py.
set -u
. /job/environment
PATH="/opt/workloads/$WORKLOAD:$PATH"
# As in a trial: batches import what is beside them.
PYTHONPATH=/job/shared PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PATH SEED CPUS PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
cd /job/workload || exit 1
if ! sh -e /job/setup >/result/setup.log 2>&1; then
	echo "the workload's set-up failed" >&2
	exit 3
fi
set --
[ -f /job/fallback.bpf.o ] && set -- --fallback /job/fallback.bpf.o --fallback-tunables /job/fallback-tunables
[ -f /job/beats ] && set -- "$@" --beats "$(cat /job/beats)"
scx_canary --report /result/report.json --object /job/policy.bpf.o --tunables /job/tunables --config /job/config \
	--verifier-log /result/verifier.log "$@" -- sh /job/command >/result/workload.out 2>/result/workload.err
exit 0
