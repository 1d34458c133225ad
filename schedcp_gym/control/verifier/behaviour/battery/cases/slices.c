// SPDX-License-Identifier: Apache-2.0
/* Four tasks a CPU's worth of work each and what the policy itself costs: switches, and work left undone. */
#include <string.h>

#include "battery.h"

#define WINDOW_MS	800

/* Context switches of a task so far, wanted or not. */
static long switches(pid_t pid)
{
	char path[64], line[256];
	long total = 0, count;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %ld", &count) == 1)
			total += count;
	if (file)
		fclose(file);
	return total;
}

int main(void)
{
	uint64_t rounds = 0, length;
	long before = 0, after = 0;
	uint32_t i;
	int lost;

	case_begin();
	for (i = 0; i < (uint32_t)(2 * nr_cpus); i++)
		spawn(plain_name(i), hog);
	window_begin();
	for (i = 0; i < shared->nr_tasks; i++) {
		before += switches(shared->tasks[i].pid);
		rounds -= shared->tasks[i].rounds;
	}
	sleep_ms(WINDOW_MS);
	length = window_end();
	for (i = 0; i < shared->nr_tasks; i++) {
		after += switches(shared->tasks[i].pid);
		rounds += shared->tasks[i].rounds;
	}
	figure("switches_per_cpu_s", (after - before) / (ms(length) / 1e3) / nr_cpus);
	figure("useful_work_share", rounds / (ms(length) * shared->rounds_per_ms * nr_cpus));
	figure("longest_wait_ms", ms(longest_wait_ns()));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
