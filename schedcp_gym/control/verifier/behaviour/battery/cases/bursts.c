// SPDX-License-Identifier: Apache-2.0
/* Many tasks become runnable at one moment, again and again, and have a little to do. */
#include "battery.h"

#define TASKS		80
#define BURST_US	1000
#define BURSTS		4
#define PERIOD_MS	180

static void bursty(struct task *t)
{
	uint64_t when = shared->slots[0];
	int i;

	for (i = 0; i < BURSTS; i++, when += PERIOD_MS * NSEC_PER_MSEC) {
		nap_until(t, when);
		compute(t, BURST_US);
		sample(now_ns() - when);
		t->marks++;
		__atomic_store_n(&shared->slots[1 + i], now_ns(), __ATOMIC_RELAXED);
	}
	t->due_ns = 0;
}

int main(void)
{
	uint64_t slowest = 0, marks = 0;
	int i, lost;

	case_begin();
	shared->slots[0] = now_ns() + 120 * NSEC_PER_MSEC;
	for (i = 0; i < TASKS; i++)
		spawn(plain_name(i), bursty);
	window_begin();
	sleep_until(shared->slots[0] + BURSTS * PERIOD_MS * NSEC_PER_MSEC);
	window_end();
	for (i = 0; i < TASKS; i++)
		marks += shared->tasks[i].marks;
	for (i = 0; i < BURSTS; i++) {
		uint64_t began = shared->slots[0] + i * PERIOD_MS * NSEC_PER_MSEC, ended = shared->slots[1 + i];

		if (ended > began && ended - began > slowest)
			slowest = ended - began;
	}
	/* 1: as fast as all CPUs together can do the work */
	figure("slowest_burst_stretch", (double)slowest * nr_cpus / (TASKS * BURST_US * NSEC_PER_USEC));
	figure("missing_bursts", TASKS * BURSTS - marks);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
