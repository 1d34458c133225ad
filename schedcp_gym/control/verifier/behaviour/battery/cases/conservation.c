// SPDX-License-Identifier: Apache-2.0
/* Work conservation: no CPU idles beside queued work. */
#include "battery.h"

#define WINDOW_MS	300
#define TURNS		25
#define TURN_MS		20
#define BURST_US	6000

/* Share of all CPUs' time that the tasks used. */
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

static double hogs(int count, int bound, int *lost)
{
	int i;

	for (i = 0; i < count; i++) {
		struct task *t = spawn(plain_name(i), hog);

		if (i < bound)
			bind_to(t, 1);
	}
	return busy_share(lost);
}

/* Wakes up with all others at the beginning of each turn; the time to its end goes into the samples. */
static void in_step(struct task *t)
{
	uint64_t turn = shared->slots[0];
	int i;

	for (i = 0; i < TURNS; i++, turn += TURN_MS * NSEC_PER_MSEC) {
		t->due_ns = turn;
		sleep_until(turn);
		compute(t, BURST_US);
		sample(now_ns() - turn);
	}
}

int main(void)
{
	int lost = 0, i;
	double least;

	case_begin();
	figure("one_each_busy_share", hogs(nr_cpus, 0, &lost));
	figure("crowd_busy_share", hogs(2 * nr_cpus, 0, &lost));
	/* Those bound to the first CPU leave the others to the free ones. */
	least = hogs(nr_cpus + 1, 2, &lost);
	figure("beside_bound_busy_share", least);

	shared->slots[0] = now_ns() + 30 * NSEC_PER_MSEC;
	for (i = 0; i < nr_cpus; i++)
		spawn(plain_name(i), in_step);
	window_begin();
	sleep_until(shared->slots[0] + TURNS * TURN_MS * NSEC_PER_MSEC);
	window_end();
	/* One CPU for each: a burst takes its own time, unless two had to share one CPU. */
	figure("in_step_stretch_p90", percentile_us(0.9) / (double)BURST_US);
	lost += end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
