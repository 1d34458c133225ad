// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks bound to the CPUs of one LLC, or one node, and one whose mask moves from LLC to LLC: they run where they may,
 * on all of its CPUs, and they do run beside free ones.
 */
#include "topology.h"

#define ALONE_MS	300
#define WINDOW_MS	900
#define CHANGE_MS	90

/* Two tasks for each CPU of one LLC that may use no other: its CPUs are all at work. */
static double alone(uint64_t cpus, uint64_t *strayed, int *lost)
{
	uint64_t length, busy;
	uint32_t i;

	for (i = 0; i < 2U * weight(cpus); i++)
		bind_to(spawn(plain_name(i), hog), cpus);
	window_begin();
	sleep_ms(ALONE_MS);
	length = window_end();
	busy = busy_ns();
	for (i = 0; i < shared->nr_tasks; i++)
		*strayed += shared->tasks[i].strayed;
	*lost += end_tasks(1000);
	return (double)busy / (length * weight(cpus));
}

CASE(llc_affinity)
{
	uint64_t strayed = 0, end, length;
	uint32_t bound = 0, i;
	struct task *moving;
	int lost = 0, g, n, stuck;
	double fair, busy;

	case_begin_here();
	busy = alone(llcs.cpus[0], &strayed, &lost);
	if (llcs.count > 1) {
		double last = alone(llcs.cpus[llcs.count - 1], &strayed, &lost);

		busy = last < busy ? last : busy;
	}
	figure("bound_crowd_busy_share", busy);

	for (g = 0; g < llcs.count; g++)
		for (n = 0; n < weight(llcs.cpus[g]); n++)
			bind_to(spawn(plain_name(bound++), hog), llcs.cpus[g]);
	for (g = 0; g < nodes.count; g++)
		bind_to(spawn(plain_name(bound++), hog), nodes.cpus[g]);
	for (n = 0; n < nr_cpus; n++)
		spawn(plain_name(n), hog);
	for (g = 0; g < llcs.count; g++)
		bind_to(spawn_sleeper(plain_name(g), 300, 9000 + 700 * g, 2000), llcs.cpus[g]);
	moving = spawn(plain_name(1), hog);
	bind_to(moving, llcs.cpus[0]);
	window_begin();
	end = now_ns() + WINDOW_MS * NSEC_PER_MSEC;
	for (g = 0; now_ns() < end; g = (g + 1) % llcs.count) {
		bind_to(moving, llcs.cpus[g]);
		sleep_ms(CHANGE_MS);
	}
	length = window_end();
	for (i = 0; i < shared->nr_tasks; i++)
		strayed += shared->tasks[i].strayed;
	fair = (double)length * nr_cpus / (bound + nr_cpus + 1);
	figure("strayed", strayed);
	figure("bound_share", least_share(0, bound, fair));
	figure("moving_share", moving->cpu_ns / fair);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	stuck = stuck_tasks(100);
	figure("stuck_tasks", stuck);
	lost += end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
