// SPDX-License-Identifier: Apache-2.0
/* What the ordinary tasks of a case do. */
#define _GNU_SOURCE
#include <time.h>

#include "battery.h"

#define ROUND_STEPS	700

/* Some 2,000 instructions: short beside a scheduler's slice, long beside a look at the clock. */
static void round_of_computation(void)
{
	volatile uint32_t sink;
	uint32_t value = 1;
	int i;

	for (i = 0; i < ROUND_STEPS; i++)
		value = value * 1664525 + 1013904223;
	sink = value;
	(void)sink;
}

/* The task runs at this moment: how long it had to wait for that, and where it is. */
void stamp(struct task *t)
{
	uint64_t now = now_ns(), since = t->due_ns, allowed = __atomic_load_n(&t->allowed, __ATOMIC_ACQUIRE);
	int cpu = sched_getcpu();

	if (since && now > since && now - since > t->longest_wait_ns)
		t->longest_wait_ns = now - since;
	t->due_ns = now;
	t->cpu = cpu;
	/* Only if the mask did not change meanwhile. */
	if (allowed && cpu >= 0 && cpu < 64 && !(allowed >> cpu & 1) &&
	    allowed == __atomic_load_n(&t->allowed, __ATOMIC_ACQUIRE))
		t->strayed++;
}

/* A fixed amount of work: what takes so many us on a CPU of one's own. */
void compute(struct task *t, uint64_t us)
{
	uint64_t rounds = us * shared->rounds_per_ms / 1000;

	do {
		round_of_computation();
		t->rounds++;
		stamp(t);
	} while (rounds-- > 1 && now_ns() < shared->end_ns);
}

/* Sleeps; when it is time the task counts as waiting until it runs. */
void nap_until(struct task *t, uint64_t when_ns)
{
	t->due_ns = when_ns;
	sleep_until(when_ns);
	sample(now_ns() - when_ns);
	stamp(t);
}

void sample(uint64_t late_ns)
{
	uint32_t at = __atomic_fetch_add(&shared->samples.count, 1, __ATOMIC_RELAXED);

	if (at < MAX_SAMPLES)
		shared->samples.us[at] = late_ns / NSEC_PER_USEC;
}

void hog(struct task *t)
{
	while (now_ns() < shared->end_ns)
		compute(t, 100);
}

void sleeper(struct task *t)
{
	uint64_t next = now_ns() + t->arg[2] * NSEC_PER_USEC;

	for (; next < shared->end_ns; next += t->arg[1] * NSEC_PER_USEC) {
		if (next > now_ns())
			nap_until(t, next);
		compute(t, t->arg[0]);
		t->marks++;
	}
}
