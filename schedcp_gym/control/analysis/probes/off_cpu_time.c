// SPDX-License-Identifier: GPL-2.0-only
PROBE(off_cpu_time);

static __always_inline void off_cpu_time_runs(struct task *task, u64 now)
{
	struct histogram *histogram = task->blocked_at ? off_cpu_time.lookup(&task->name) : NULL;

	if (histogram)
		record(histogram, now - task->blocked_at);
}
