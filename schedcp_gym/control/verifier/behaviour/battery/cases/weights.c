// SPDX-License-Identifier: Apache-2.0
/* Tasks of different nice values, then groups of different cpu.weight: nobody is the better served for asking less. */
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

/* CPU time of the first so many tasks, and of the last. */
static double first_to_last(uint32_t each)
{
	uint64_t first = 0, last = 0;
	uint32_t i;

	window_begin();
	sleep_ms(WINDOW_MS);
	window_end();
	for (i = 0; i < each; i++) {
		first += shared->tasks[i].cpu_ns;
		last += shared->tasks[shared->nr_tasks - 1 - i].cpu_ns;
	}
	return (double)first / (last ?: 1);
}

static int nice_values(void)
{
	static const int values[] = { -5, 0, 5 };
	int i, n;

	for (i = 0; i < 3; i++)
		for (n = 0; n < nr_cpus; n++)
			spawn(plain_name(i * nr_cpus + n), nice_hog)->arg[0] = values[i];
	figure("nice_heavy_to_light", first_to_last(nr_cpus));
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
	int n, lost;

	write_text(CGROUP "cgroup.subtree_control", "+cpu");
	if (mkdir(CGROUP "heavy", 0755) || mkdir(CGROUP "light", 0755) ||
	    !write_text(CGROUP "heavy/cpu.weight", "300") || !write_text(CGROUP "light/cpu.weight", "100"))
		fprintf(stderr, "no groups: %s\n", strerror(errno));
	for (n = 0; n < 2 * nr_cpus; n++)
		spawn(plain_name(n), join)->arg[0] = n < nr_cpus;
	figure("group_heavy_to_light", first_to_last(nr_cpus));
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
