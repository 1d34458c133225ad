// SPDX-License-Identifier: Apache-2.0
/* Storms of new tasks: processes that fork and exec beside busy ones, then thousands of tasks that end at once. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "battery.h"

#define EXECS		40
#define BIRTHS		1500
#define STACK_BYTES	16384
#define LIMIT_MS	6000

static char *self;

static void execs(struct task *t)
{
	int i;

	for (i = 0; i < EXECS; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl(self, self, "nothing", NULL);
			_exit(127);
		}
		t->due_ns = 0;
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return;
		t->due_ns = now_ns();
		stamp(t);
		t->marks++;
	}
}

static int born(void *unused)
{
	(void)unused;
	return 0;
}

/* Tasks as light as can be: the parent's memory, nothing to do. */
static void births(struct task *t)
{
	char *stack = malloc(STACK_BYTES);
	int i;

	for (i = 0; i < BIRTHS; i++) {
		pid_t pid = clone(born, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

		t->due_ns = 0;
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return;
		t->marks++;
	}
}

/* Waits until all of them have counted to the end; returns the ms it took. */
static double all_done(uint64_t marks, int from)
{
	uint64_t began = now_ns(), until = began + LIMIT_MS * NSEC_PER_MSEC;
	int i;

	while (now_ns() < until) {
		for (i = from; i < from + 2 * nr_cpus; i++)
			if (shared->tasks[i].marks < marks)
				break;
		if (i == from + 2 * nr_cpus)
			break;
		sleep_ms(5);
	}
	return ms(now_ns() - began);
}

static uint64_t done(void)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++)
		total += shared->tasks[i].marks;
	return total;
}

int main(int argc, char **argv)
{
	uint64_t missing;
	int i, lost;

	if (argc > 1)
		return 0;
	self = argv[0];
	case_begin();
	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), execs);
	for (i = 0; i < nr_cpus; i++)
		spawn(plain_name(i), hog);
	window_begin();
	figure("execs_ms", all_done(EXECS, 0));
	missing = 2 * nr_cpus * EXECS - done();
	window_end();
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);

	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), births);
	window_begin();
	figure("births_ms", all_done(BIRTHS, 0));
	missing += 2 * nr_cpus * BIRTHS - done();
	figure("missing_births", missing);
	lost += end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
