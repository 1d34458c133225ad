// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks of different nice values, then groups of different cpu.weight beside tasks in none: nobody is the better served
 * for asking less, and nobody gets nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "battery.h"

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

static void join(struct task *t)
{
	const char *path = t->arg[0] ? CGROUP "heavy/cgroup.procs" : CGROUP "light/cgroup.procs";

	if (!write_text(path, "0"))
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	hog(t);
}

static int groups(void)
{
	double fair;
	int n, lost;

	write_text(CGROUP "cgroup.subtree_control", "+cpu");
	if (mkdir(CGROUP "heavy", 0755) || mkdir(CGROUP "light", 0755) ||
	    !write_text(CGROUP "heavy/cpu.weight", "300") || !write_text(CGROUP "light/cpu.weight", "100"))
		fprintf(stderr, "no groups: %s\n", strerror(errno));
	for (n = 0; n < 2 * nr_cpus; n++)
		spawn(plain_name(n), join)->arg[0] = n < nr_cpus;
	for (n = 0; n < nr_cpus; n++)
		spawn(plain_name(n), hog);
	window_begin();
	sleep_ms(WINDOW_MS);
	fair = window_end() * nr_cpus / 3.0;
	figure("group_heavy_to_light", used_ns(0, nr_cpus) / (used_ns(nr_cpus, nr_cpus) + 1));
	figure("light_group_share", used_ns(nr_cpus, nr_cpus) / fair);
	lost = end_tasks(1000);
	rmdir(CGROUP "heavy");
	rmdir(CGROUP "light");
	return lost;
}

int main(void)
{
	int lost;

	case_begin();
	lost = nice_values();
	lost += groups();
	figure("lost_tasks", lost);
	return 0;
}
