// SPDX-License-Identifier: Apache-2.0
/*
 * As the battery's case weights, for more than two CPUs: there each task joins its group by itself, one after the
 * other, and on many CPUs a policy of long slices spends the whole window on that. Here the case puts them there.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topology.h"

#define WINDOW_MS	900
#define CGROUP		"/sys/fs/cgroup/"

static void nice_hog(struct task *t)
{
	setpriority(PRIO_PROCESS, 0, t->arg[0]);
	hog(t);
}

/* CPU time of so many tasks, from the given one on. */
static double used_ns(uint32_t from, uint32_t count)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = from; i < from + count; i++)
		total += shared->tasks[i].cpu_ns;
	return total;
}

static int nice_values(void)
{
	static const int values[] = { -5, 0, 5 };
	int i, n;

	for (i = 0; i < 3; i++)
		for (n = 0; n < nr_cpus; n++)
			spawn(plain_name(i * nr_cpus + n), nice_hog)->arg[0] = values[i];
	window_begin();
	sleep_ms(WINDOW_MS);
	window_end();
	figure("nice_heavy_to_light", used_ns(0, nr_cpus) / (used_ns(2 * nr_cpus, nr_cpus) + 1));
	return end_tasks(1000);
}

static int groups(void)
{
	uint64_t length;
	int n, lost;

	write_text(CGROUP "cgroup.subtree_control", "+cpu");
	if (mkdir(CGROUP "heavy", 0755) || mkdir(CGROUP "light", 0755) ||
	    !write_text(CGROUP "heavy/cpu.weight", "300") || !write_text(CGROUP "light/cpu.weight", "100"))
		fprintf(stderr, "no groups: %s\n", strerror(errno));
	for (n = 0; n < 3 * nr_cpus; n++)
		spawn(plain_name(n), hog);
	window_begin();
	for (n = 0; n < 2 * nr_cpus; n++)
		put_into(&shared->tasks[n], n < nr_cpus ? CGROUP "heavy" : CGROUP "light");
	window_begin();
	sleep_ms(WINDOW_MS);
	length = window_end();
	figure("group_heavy_to_light", used_ns(0, nr_cpus) / (used_ns(nr_cpus, nr_cpus) + 1));
	figure("light_group_share", used_ns(nr_cpus, nr_cpus) / (length * nr_cpus / 3.0));
	lost = end_tasks(1000);
	rmdir(CGROUP "heavy");
	rmdir(CGROUP "light");
	return lost;
}

CASE(crowd_weights)
{
	int lost;

	case_begin_here();
	lost = nice_values();
	lost += groups();
	figure("lost_tasks", lost);
	return 0;
}
