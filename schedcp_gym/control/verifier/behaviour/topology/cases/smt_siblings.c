// SPDX-License-Identifier: Apache-2.0
/*
 * Both threads of a core. With a task for each core a policy may place them as it likes, and each has a CPU. With more,
 * every thread works. A task bound to one thread of a busy core gets its share like any other.
 */
#include "topology.h"

#define SETTLE_MS	60
#define WINDOW_MS	300
#define BOUND_MS	700

static void free_hogs(int count, work_fn work)
{
	int i;

	for (i = 0; i < count; i++)
		spawn(plain_name(i), work);
}

static double one_for_each_core(int *lost)
{
	double least;

	free_hogs(cores.count, hog);
	window_begin();
	sleep_ms(SETTLE_MS);
	window_begin();
	sleep_ms(WINDOW_MS);
	least = least_share(0, cores.count, window_end());
	*lost += end_tasks(1000);
	return least;
}

/* What the least used CPU did, as a part of what they did on average. */
static double two_for_each_cpu(int *lost)
{
	uint64_t before[MAX_CPUS], least = UINT64_MAX, all = 0, did;
	int cpu, worst = 0;

	free_hogs(2 * nr_cpus, counting_hog);
	window_begin();
	sleep_ms(SETTLE_MS);
	for (cpu = 0; cpu < nr_cpus; cpu++)
		before[cpu] = shared->slots[cpu];
	sleep_ms(WINDOW_MS);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		did = shared->slots[cpu] - before[cpu];
		all += did;
		if (did < least) {
			least = did;
			worst = cpu;
		}
	}
	window_end();
	fprintf(stderr, "least used: CPU %d\n", worst);
	*lost += end_tasks(1000);
	return (double)least * nr_cpus / (all ?: 1);
}

/* A task bound to each thread of two cores, and one that moves from thread to thread, beside free ones. */
static void bound_to_threads(int *lost)
{
	uint64_t pair = cores.cpus[0], far = cores.cpus[cores.count - 1], all = pair | far, strayed = 0, length;
	int n, turn, bound = weight(all), stuck;
	struct task *moving;
	uint32_t i;

	for (n = 0; n < bound; n++)
		bind_to(spawn(plain_name(n), hog), 1ULL << nth_cpu(all, n));
	free_hogs(nr_cpus, hog);
	for (n = 0; n < weight(far); n++)
		bind_to(spawn_sleeper(plain_name(n), 300, 7000 + 900 * n, 2000), 1ULL << nth_cpu(far, n));
	moving = spawn(plain_name(n), hog);
	bind_to(moving, pair);
	window_begin();
	for (turn = 0; turn < BOUND_MS / 70; turn++) {
		bind_to(moving, 1ULL << nth_cpu(pair, turn % weight(pair)));
		sleep_ms(70);
	}
	length = window_end();
	for (i = 0; i < shared->nr_tasks; i++)
		strayed += shared->tasks[i].strayed;
	figure("strayed", strayed);
	figure("bound_cpu_share", least_share(0, bound, length));
	figure("moving_cpu_share", (double)moving->cpu_ns / length);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	stuck = stuck_tasks(100);
	figure("stuck_tasks", stuck);
	*lost += end_tasks(1000);
}

CASE(smt_siblings)
{
	int lost = 0;

	case_begin_here();
	figure("one_a_core_least_share", one_for_each_core(&lost));
	figure("least_used_cpu", two_for_each_cpu(&lost));
	bound_to_threads(&lost);
	figure("lost_tasks", lost);
	return 0;
}
