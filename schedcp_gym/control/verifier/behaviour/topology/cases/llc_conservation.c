// SPDX-License-Identifier: Apache-2.0
/*
 * Work conservation across LLCs: no task waits in one group while another group idles. All busy shares are of all
 * CPUs, and there are as many tasks that could use them: what is missing from 1 is the share of time in which a CPU
 * idled while a task waited.
 */
#include <unistd.h>

#include "topology.h"

#define SETTLE_MS	100
#define WINDOW_MS	300
#define TURNS		20
#define TURN_MS		25
#define BURST_US	6000

static int pipes[MAX_CPUS][2];

static double busy_share(int *lost)
{
	uint64_t length;
	double share;

	window_begin();
	sleep_ms(WINDOW_MS);
	length = window_end();
	share = (double)busy_ns() / (length * nr_cpus);
	*lost += end_tasks(1000);
	return share;
}

/* A task for each CPU, all of them crowded in one LLC until they may use the others, too. */
static double spill(uint64_t from, int *lost)
{
	uint32_t i;

	for (i = 0; i < (uint32_t)nr_cpus; i++)
		bind_to(spawn(plain_name(i), hog), from);
	window_begin();
	sleep_ms(SETTLE_MS / 2);
	for (i = 0; i < shared->nr_tasks; i++)
		bind_to(&shared->tasks[i], nr_cpus < MAX_CPUS ? (1ULL << nr_cpus) - 1 : UINT64_MAX);
	sleep_ms(SETTLE_MS);
	return busy_share(lost);
}

/* One LLC has bound tasks enough, twice over; the free ones leave it alone, as there are CPUs for them elsewhere. */
static double beside_bound(uint64_t cpus, int *lost)
{
	int i, bound = 2 * weight(cpus);

	for (i = 0; i < bound + nr_cpus - weight(cpus); i++) {
		struct task *t = spawn(plain_name(i), hog);

		if (i < bound)
			bind_to(t, cpus);
	}
	window_begin();
	sleep_ms(SETTLE_MS);
	return busy_share(lost);
}

/* arg[0]: the pipe to wait at. The time from the waker's note to the end of the burst goes into the samples. */
static void woken(struct task *t)
{
	uint64_t *note = &shared->slots[t->arg[0]];
	char byte;

	t->due_ns = 0;
	while (read(pipes[t->arg[0]][0], &byte, 1) == 1) {
		t->due_ns = *note;
		compute(t, BURST_US);
		sample(now_ns() - *note);
		t->due_ns = 0;
	}
}

/* Wakes one task for each CPU but its own, turn after turn, all from where it is. */
static void waker(struct task *t)
{
	uint64_t turn = now_ns();
	char byte = 0;
	int i, n;

	for (i = 0; i < TURNS; i++) {
		turn += TURN_MS * NSEC_PER_MSEC;
		t->due_ns = turn;
		sleep_until(turn);
		stamp(t);
		for (n = 0; n < nr_cpus - 1; n++) {
			shared->slots[n] = now_ns();
			if (write(pipes[n][1], &byte, 1) != 1)
				return;
		}
		t->marks++;
	}
	t->due_ns = 0;
}

static int wake_all(void)
{
	uint64_t until;
	struct task *t;
	int n;

	for (n = 0; n < nr_cpus - 1; n++) {
		if (pipe(pipes[n]))
			return 1;
		t = spawn(plain_name(n), woken);
		t->arg[0] = n;
	}
	t = spawn("dispatcher", waker);
	bind_to(t, llcs.cpus[0]);
	window_begin();
	until = now_ns() + 2 * TURNS * TURN_MS * NSEC_PER_MSEC;
	while (t->marks < TURNS && now_ns() < until)
		sleep_ms(TURN_MS);
	sleep_ms(TURN_MS);
	window_end();
	/* A CPU for each: a burst takes its own time, unless two had to share one. */
	figure("woken_stretch_p90", percentile_us(0.9) / (double)BURST_US);
	figure("missing_bursts", TURNS * (nr_cpus - 1) - (double)shared->samples.count);
	return end_tasks(1000);
}

CASE(llc_conservation)
{
	int lost = 0;

	case_begin_here();
	figure("spill_busy_share", spill(llcs.cpus[0], &lost));
	figure("beside_bound_busy_share", beside_bound(llcs.cpus[llcs.count - 1], &lost));
	lost += wake_all();
	figure("lost_tasks", lost);
	return 0;
}
