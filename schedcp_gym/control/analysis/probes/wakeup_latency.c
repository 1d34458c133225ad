// SPDX-License-Identifier: GPL-2.0-only
PROBE(wakeup_latency);

static __always_inline void wakeup_latency_wakes(struct task *task, u64 now)
{
	task->woken_at = now;
}

static __always_inline void wakeup_latency_runs(struct task *task, u64 now)
{
	struct histogram *histogram = task->woken_at ? wakeup_latency.lookup(&task->waker) : NULL;

	if (histogram)
		record(histogram, now - task->woken_at);
	task->woken_at = 0;
}
