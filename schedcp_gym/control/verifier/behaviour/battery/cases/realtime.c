// SPDX-License-Identifier: Apache-2.0
/* A real-time task takes one CPU whole: the others go on, on what is left. */
#include "battery.h"

#define TASKS_PER_CPU	3
#define WINDOW_MS	900

static void realtime_hog(struct task *t)
{
	struct sched_param priority = { .sched_priority = 10 };

	sched_setscheduler(0, SCHED_FIFO, &priority);
	hog(t);
}

int main(void)
{
	uint64_t left_ns = 0, length;
	int i, lost, stuck = 0, count;
	struct task *taker;

	case_begin();
	count = TASKS_PER_CPU * nr_cpus;
	for (i = 0; i < count; i++)
		spawn(plain_name(i), hog);
	window_begin();
	sleep_ms(100);
	taker = spawn("taker", realtime_hog);
	bind_to(taker, 1);
	window_begin();
	sleep_ms(WINDOW_MS);
	length = window_end();
	for (i = 0; i < count; i++) {
		left_ns += shared->tasks[i].cpu_ns;
		stuck += shared->tasks[i].cpu_ns < length / 100;
	}
	figure("rest_busy_share", nr_cpus > 1 ? (double)left_ns / (length * (nr_cpus - 1)) : 1);
	figure("stuck_tasks", nr_cpus > 1 ? stuck : 0);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
