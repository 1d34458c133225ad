// SPDX-License-Identifier: Apache-2.0
/*
 * Starvation: every task that can run does, whatever its name. Beside tasks that never sleep, a crowd of others has a
 * little to do now and then, each under a name of its own: common ones, those of the kernel and of the workloads, and
 * whatever text was found in the policy itself. It comes last: what only goes wrong after seconds has done so by now.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "battery.h"

#define WINDOW_MS	2200
#define NAMES		"/job/names"
#define MAX_NAMES	160
#define FLOOR_NS	(20 * NSEC_PER_MSEC)

static int spawn_named(void)
{
	FILE *file = fopen(NAMES, "re");
	char line[64];
	int count = 0;

	while (file && count < MAX_NAMES && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			spawn_sleeper(line, 400, 90000 + 500 * (count % 16), 2000 + 700 * count);
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

static void nice_hog(struct task *t)
{
	setpriority(PRIO_PROCESS, 0, t->arg[0]);
	hog(t);
}

static void nice_sleeper(struct task *t)
{
	setpriority(PRIO_PROCESS, 0, 10);
	sleeper(t);
}

/* Tasks that never sleep, of more weight and of the usual one, one of them bound; and some of little weight. */
static void spawn_others(void)
{
	int i;

	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), nice_hog)->arg[0] = i % 2 ? 0 : -5;
	bind_to(spawn(plain_name(i), hog), 1ULL << (nr_cpus - 1));
	for (i = 0; i < 4; i++)
		spawn_sleeper(plain_name(i), 400, 80000, 9000 * i)->work = nice_sleeper;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The longest wait of the named tasks, and what is usual among them. */
static void compare(int named)
{
	uint64_t waits[MAX_NAMES], worst = 0, usual;
	int i, at = 0;

	for (i = 0; i < named; i++) {
		waits[i] = shared->tasks[i].longest_wait_ns;
		if (waits[i] > worst) {
			worst = waits[i];
			at = i;
		}
	}
	if (!named)
		return;
	fprintf(stderr, "longest wait by name: %s, %.3f ms\n", shared->tasks[at].name, ms(worst));
	qsort(waits, named, sizeof(waits[0]), by_value);
	usual = waits[named / 2] > FLOOR_NS ? waits[named / 2] : FLOOR_NS;
	figure("worst_name_to_usual", (double)worst / usual);
}

int main(void)
{
	uint64_t busy, length;
	int lost, named;

	case_begin();
	named = spawn_named();
	if (!named)
		fprintf(stderr, "no names in " NAMES "\n");
	spawn_others();
	window_begin();
	sleep_ms(WINDOW_MS);
	length = window_end();
	busy = busy_ns();
	figure("longest_wait_ms", ms(longest_wait_ns()));
	compare(named);
	figure("busy_share", (double)busy / (length * nr_cpus));
	lost = end_tasks(1500);
	figure("lost_tasks", lost);
	return 0;
}
