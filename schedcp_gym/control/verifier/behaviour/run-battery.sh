#!/bin/sh
# The guest's side of the behaviour stage: cases under one load of the policy, then those that load it themselves.
# What lies beside this file was put there by schedcp_gym/control/verifier/behaviour/battery_job.py.
set -u
BATTERY=/usr/lib/schedcp/battery/battery
mkdir /result/battery
policy=
[ -f /job/policy.bpf.o ] && policy="--object /job/policy.bpf.o --tunables /job/tunables"
# Names without spaces: they are split into words on purpose.
if [ -s /job/cases ]; then
	scx_run --report /result/report.json --verifier-log /result/verifier.log $policy -- \
		"$BATTERY" /result/battery $(cat /job/cases) || exit 0
fi
if [ -s /job/loading-cases ]; then
	SCX_RUN="scx_run $policy" "$BATTERY" /result/battery $(cat /job/loading-cases)
fi
exit 0
