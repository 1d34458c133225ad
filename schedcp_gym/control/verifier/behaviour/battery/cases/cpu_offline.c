// SPDX-License-Identifier: Apache-2.0
/*
 * A CPU goes offline under load and comes back. The policy goes on, or it leaves as the kernel's rules have it for one
 * that does not follow such changes: asking to be loaded again, which must then work with a CPU missing too.
 */
#include "battery.h"

#define STEP_MS		300
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"

/* Whether the policy is still there, or asked to be loaded again and then was. */
static bool goes_on(struct load *load, int *restarts)
{
	if (load_runs(load))
		return true;
	load_stop(load);
	if (!wants_restart(load))
		return false;
	++*restarts;
	return load_start(load, "cpu_offline");
}

int main(void)
{
	int i, lost, stuck = 0, restarts = 0, failed = 0;
	struct load load;

	case_begin();
	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), hog);
	for (i = 0; i < 8; i++)
		spawn_sleeper(plain_name(i), 300, 11000 + 700 * i, 1000);
	/* The kernel sends these elsewhere when their CPU goes. */
	if (nr_cpus > 1) {
		bind_to(spawn(plain_name(i), hog), 2);
		bind_to(spawn_sleeper(plain_name(i + 1), 300, 9000, 1000), 2);
	}
	window_begin();
	failed += !load_start(&load, "cpu_offline");
	stuck += stuck_tasks(STEP_MS);
	write_text(ONLINE, "0");
	stuck += stuck_tasks(STEP_MS);
	failed += !goes_on(&load, &restarts);
	stuck += stuck_tasks(STEP_MS);
	write_text(ONLINE, "1");
	stuck += stuck_tasks(STEP_MS);
	failed += !goes_on(&load, &restarts);
	stuck += stuck_tasks(STEP_MS);
	failed += !load_stop(&load);
	window_end();
	figure("failures", failed);
	figure("restarts", restarts);
	figure("stuck_tasks", stuck);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
