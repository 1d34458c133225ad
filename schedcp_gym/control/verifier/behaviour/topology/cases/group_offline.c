// SPDX-License-Identifier: Apache-2.0
/*
 * All CPUs of an LLC go offline under load and come back, and then those of a node where that is more. The policy goes
 * on, or it leaves as the kernel's rules have it, asking to be loaded again, which must then work without the group.
 */
#include "topology.h"

#define STEP_MS		200

/* Whether the policy is still there, or asked to be loaded again and then was. */
static bool goes_on(struct load *load, int *restarts)
{
	if (load_runs(load))
		return true;
	load_stop(load);
	if (!wants_restart(load))
		return false;
	++*restarts;
	return load_start(load, "group_offline");
}

static void switch_cpus(uint64_t cpus, const char *online)
{
	char path[64];
	int n;

	for (n = 0; n < weight(cpus); n++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", nth_cpu(cpus, n));
		write_text(path, online);
	}
}

/* Takes a group out and back in; returns how often the policy did not go on. */
static int out_and_in(uint64_t cpus, struct load *load, int *stuck, int *restarts)
{
	int failed = 0, step;

	for (step = 0; step < 2; step++) {
		switch_cpus(cpus, step ? "1" : "0");
		*stuck += stuck_tasks(STEP_MS);
		failed += !goes_on(load, restarts);
		*stuck += stuck_tasks(STEP_MS);
	}
	return failed;
}

CASE(group_offline)
{
	int lost, stuck = 0, restarts = 0, most_restarts, failed = 0, i, n;
	uint64_t llc, node;
	struct load load;

	case_begin_here();
	llc = llcs.cpus[llcs.count - 1];
	node = nodes.cpus[nodes.count - 1];
	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), hog);
	for (n = 0; n < 8; n++)
		spawn_sleeper(plain_name(i++), 300, 11000 + 700 * n, 1000);
	/* The kernel sends these elsewhere when their last CPU goes. */
	for (n = 0; n < weight(llc); n++)
		bind_to(spawn(plain_name(i++), hog), n % 2 ? llc : 1ULL << nth_cpu(llc, n));
	bind_to(spawn_sleeper(plain_name(i++), 300, 9000, 1000), llc);
	/* And these stay where they are. */
	bind_to(spawn(plain_name(i++), hog), llcs.cpus[0]);
	bind_to(spawn_sleeper(plain_name(i), 300, 9700, 1000), llcs.cpus[0]);
	window_begin();
	failed += !load_start(&load, "group_offline");
	stuck += stuck_tasks(STEP_MS);
	failed += out_and_in(llc, &load, &stuck, &restarts);
	most_restarts = restarts;
	if (nodes.count > 1 && node != llc) {
		restarts = 0;
		failed += out_and_in(node, &load, &stuck, &restarts);
		most_restarts = restarts > most_restarts ? restarts : most_restarts;
	}
	failed += !load_stop(&load);
	window_end();
	figure("failures", failed);
	figure("restarts", most_restarts);
	figure("stuck_tasks", stuck);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
