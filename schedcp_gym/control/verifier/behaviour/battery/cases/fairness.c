// SPDX-License-Identifier: Apache-2.0
/* Equal tasks that all want a CPU all the time, one of them born later: each gets its share. */
#include "battery.h"

#define HOGS_PER_CPU	2
#define WINDOW_MS	1400

int main(void)
{
	uint64_t least = UINT64_MAX, most = 0, fair, length;
	uint32_t i, count;
	int lost;

	case_begin();
	for (i = 0; i < (uint32_t)(HOGS_PER_CPU * nr_cpus); i++)
		spawn(plain_name(i), hog);
	window_begin();
	sleep_ms(60);
	spawn(plain_name(i), hog);
	window_begin();
	sleep_ms(WINDOW_MS);
	length = window_end();
	count = shared->nr_tasks;
	fair = length * nr_cpus / count;
	for (i = 0; i < count; i++) {
		uint64_t got = shared->tasks[i].cpu_ns;

		least = got < least ? got : least;
		most = got > most ? got : most;
	}
	figure("least_share", (double)least / fair);
	figure("most_share", (double)most / fair);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
