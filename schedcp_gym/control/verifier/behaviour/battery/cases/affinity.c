// SPDX-License-Identifier: Apache-2.0
/* Tasks bound to one CPU, and one whose mask changes while it runs: they run where they may, and they do run. */
#include "battery.h"

#define WINDOW_MS	1000
#define CHANGE_MS	70

int main(void)
{
	uint64_t last, fair, least = UINT64_MAX, strayed = 0, longest_move = 0, end, length;
	struct task *bound[2], *sleeping, *moving;
	uint32_t i;
	int lost, to;

	case_begin();
	last = 1ULL << (nr_cpus - 1);
	for (i = 0; i < (uint32_t)nr_cpus; i++)
		spawn(plain_name(i), hog);
	bound[0] = spawn(plain_name(i), hog);
	bind_to(bound[0], 1);
	bound[1] = spawn(plain_name(i + 1), hog);
	bind_to(bound[1], last);
	sleeping = spawn_sleeper(plain_name(i + 2), 500, 7000, 3000);
	bind_to(sleeping, last);
	moving = spawn(plain_name(i + 3), hog);
	window_begin();
	end = now_ns() + WINDOW_MS * NSEC_PER_MSEC;
	for (to = 0; now_ns() < end; to = nr_cpus - 1 - to) {
		uint64_t until = now_ns() + CHANGE_MS * NSEC_PER_MSEC, moved = now_ns();

		bind_to(moving, 1ULL << to);
		/* The time until it is seen computing there. */
		for (i = 0; now_ns() < until; i++) {
			uint64_t rounds = moving->rounds;

			sleep_ms(5);
			if (moving->rounds != rounds)
				moved = now_ns();
			else if (now_ns() - moved > longest_move)
				longest_move = now_ns() - moved;
		}
	}
	length = window_end();
	for (i = 0; i < shared->nr_tasks; i++)
		strayed += shared->tasks[i].strayed;
	fair = length * nr_cpus / (nr_cpus + 3);
	for (i = 0; i < 2; i++)
		least = bound[i]->cpu_ns < least ? bound[i]->cpu_ns : least;
	figure("strayed", strayed);
	figure("bound_share", (double)least / fair);
	figure("moving_share", (double)moving->cpu_ns / fair);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
