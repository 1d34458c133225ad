// SPDX-License-Identifier: Apache-2.0
/* A storm of wake-ups: pairs that wake each other up and sleepers on timers, beside tasks that never sleep. */
#include <unistd.h>

#include "battery.h"

#define PAIRS		6
#define SLEEPERS	6
#define WINDOW_MS	900

static int pipes[2 * PAIRS][2];

/* arg[0]: the pipe to read, arg[1]: the one to write, arg[2]: who begins. The waker notes when in the slot. */
static void partner(struct task *t)
{
	uint64_t *woken = &shared->slots[t->arg[0]], *wakes = &shared->slots[t->arg[1]];
	char byte = 0;

	for (;; t->arg[2] = 1) {
		if (t->arg[2]) {
			*wakes = now_ns();
			shared->tasks[t->arg[3]].due_ns = *wakes;
			if (write(pipes[t->arg[1]][1], &byte, 1) != 1)
				return;
		}
		if (read(pipes[t->arg[0]][0], &byte, 1) != 1)
			return;
		sample(now_ns() - *woken);
		stamp(t);
		compute(t, 50);
		t->marks++;
		t->due_ns = 0;
	}
}

static void spawn_partners(int pair)
{
	int side;

	for (side = 0; side < 2; side++) {
		int at = shared->nr_tasks;
		struct task *t = spawn(plain_name(pair + side), partner);

		t->arg[0] = 2 * pair + side;
		t->arg[1] = 2 * pair + !side;
		t->arg[2] = side;
		t->arg[3] = side ? at - 1 : at + 1;
	}
}

int main(void)
{
	uint64_t least = UINT64_MAX, trips = 0;
	double length_s;
	int i, lost;

	case_begin();
	for (i = 0; i < 2 * PAIRS; i++)
		if (pipe(pipes[i]))
			return 1;
	for (i = 0; i < PAIRS; i++)
		spawn_partners(i);
	for (i = 0; i < SLEEPERS; i++)
		spawn_sleeper(plain_name(i), 300, 9000 + 700 * i, 5000);
	for (i = 0; i < nr_cpus; i++)
		spawn(plain_name(i), hog);
	window_begin();
	sleep_ms(WINDOW_MS);
	length_s = ms(window_end()) / 1e3;
	for (i = 0; i < 2 * PAIRS; i++) {
		trips += shared->tasks[i].marks;
		least = shared->tasks[i].marks < least ? shared->tasks[i].marks : least;
	}
	figure("p99_wakeup_ms", percentile_us(0.99) / 1e3);
	figure("median_wakeup_ms", percentile_us(0.5) / 1e3);
	figure("round_trips_per_s", trips / 2 / length_s);
	figure("slowest_pair_round_trips_per_s", least / length_s);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
