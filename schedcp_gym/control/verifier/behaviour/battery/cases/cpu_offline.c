// SPDX-License-Identifier: Apache-2.0
/*
 * A CPU goes offline under load and comes back. The policy goes on, or it leaves as the kernel's rules have it for one
 * that does not follow such changes: asking to be loaded again, which must then work with a CPU missing too.
 */
#include "battery.h"

#define STEP_MS		450
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"

static int stuck_in_step(void)
{
	uint64_t before[MAX_TASKS];
	uint32_t i;
	int stuck = 0;

	for (i = 0; i < shared->nr_tasks; i++)
		before[i] = shared->tasks[i].rounds;
	sleep_ms(STEP_MS);
	for (i = 0; i < shared->nr_tasks; i++)
		stuck += shared->tasks[i].rounds == before[i];
	return stuck;
}

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
	window_begin();
	failed += !load_start(&load, "cpu_offline");
	stuck += stuck_in_step();
	write_text(ONLINE, "0");
	stuck += stuck_in_step();
	failed += !goes_on(&load, &restarts);
	stuck += stuck_in_step();
	write_text(ONLINE, "1");
	stuck += stuck_in_step();
	failed += !goes_on(&load, &restarts);
	stuck += stuck_in_step();
	failed += !load_stop(&load);
	window_end();
	figure("failures", failed);
	figure("restarts", restarts);
	figure("stuck_tasks", stuck);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
