// SPDX-License-Identifier: Apache-2.0
/*
 * Equal tasks that all want a CPU all the time, one of them born later: each gets its share. Then some more come: who
 * was there first goes on to get a part, too.
 */
#include "battery.h"

#define HOGS_PER_CPU	2
#define WINDOW_MS	1700
#define AFTER_MS	600

/* The least and the most CPU time that any of the first tasks got in a window, as parts of a fair share. */
static void shares(uint32_t count, long window_ms, double *least, double *most)
{
	uint64_t fair;
	uint32_t i;

	window_begin();
	sleep_ms(window_ms);
	fair = window_end() * nr_cpus / shared->nr_tasks;
	*least = *most = (double)shared->tasks[0].cpu_ns / fair;
	for (i = 1; i < count; i++) {
		double got = (double)shared->tasks[i].cpu_ns / fair;

		*least = got < *least ? got : *least;
		*most = got > *most ? got : *most;
	}
}

int main(void)
{
	double least, most;
	uint32_t i, count;
	int lost;

	case_begin();
	for (i = 0; i < (uint32_t)(HOGS_PER_CPU * nr_cpus); i++)
		spawn(plain_name(i), hog);
	window_begin();
	sleep_ms(60);
	spawn(plain_name(i), hog);
	count = shared->nr_tasks;
	shares(count, WINDOW_MS, &least, &most);
	figure("least_share", least);
	figure("most_share", most);
	for (i = 0; i < (uint32_t)nr_cpus; i++)
		spawn(plain_name(count + i), hog);
	shares(count, AFTER_MS, &least, &most);
	figure("least_share_beside_newcomers", least);
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
