// SPDX-License-Identifier: GPL-2.0-only
PROBE(on_cpu_time);

static __always_inline void on_cpu_time_stops(struct task *task, u64 now)
{
	struct histogram *histogram = task->ran_at ? on_cpu_time.lookup(&task->name) : NULL;

	if (histogram)
		record(histogram, now - task->ran_at);
}
