#!/bin/sh
# The start of each job on a machine with a topology: loads the modules that model it, then runs the job itself.
# What lies beside this file was put there by schedcp_gym/machine/models.py.
for module in even_turns cache_model; do
	[ -f /job/$module.ko ] || continue
	if ! insmod /job/$module.ko $(cat /job/$module.parameters); then
		echo "the module $module can't be loaded: $(dmesg | tail -n 3)" >&2
		exit 125
	fi
done
/job/run-itself
status=$?
[ -f /job/cache_model.ko ] && cat /sys/kernel/debug/cache_model/costs >/result/costs.tsv
# What killed the job kills this script too, so that the host sees the same end.
[ $status -gt 128 ] && kill -$((status - 128)) $$
exit $status
