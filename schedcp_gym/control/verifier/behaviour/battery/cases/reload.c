// SPDX-License-Identifier: Apache-2.0
/* Loading, unloading and loading again under load: soon done, and nobody is lost on the way. */
#include "battery.h"

#define WINDOW_MS	250

static bool all_progress(void)
{
	uint64_t before[MAX_TASKS];
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++)
		before[i] = shared->tasks[i].rounds;
	sleep_ms(WINDOW_MS);
	for (i = 0; i < shared->nr_tasks; i++)
		if (shared->tasks[i].rounds == before[i])
			return false;
	return true;
}

int main(void)
{
	int round, i, lost, stuck = 0, failed = 0;
	double start = 0, stop = 0;
	struct load load;

	case_begin();
	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), hog);
	for (i = 0; i < 8; i++)
		spawn_sleeper(plain_name(i), 300, 11000 + 700 * i, 1000);
	window_begin();
	for (round = 0; round < 2; round++) {
		failed += !load_start(&load, "reload");
		stuck += !all_progress();
		failed += !load_stop(&load);
		stuck += !all_progress();
		start = load.start_ms > start ? load.start_ms : start;
		stop = load.stop_ms > stop ? load.stop_ms : stop;
	}
	window_end();
	figure("failed_loads", failed);
	figure("windows_with_stuck_tasks", stuck);
	figure("unload_ms", stop);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
