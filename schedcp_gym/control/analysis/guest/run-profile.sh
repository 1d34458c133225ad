#!/bin/sh
# The guest's side of a profile: set-up, then the workload, watched. What lies beside this file was put there by
# schedcp_gym/control/analysis/guest_job.py; the steps are those of a trial (schedcp_gym/lab/run-trial.sh).
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
exec python3 /job/watch/watch.py 2>/result/watch.err
