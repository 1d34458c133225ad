// SPDX-License-Identifier: GPL-2.0-only
PROBE(runq_latency);

static __always_inline void runq_latency_runs(struct task *task, u64 now)
{
	struct histogram *histogram = task->ready_at ? runq_latency.lookup(&task->name) : NULL;

	if (histogram)
		record(histogram, now - task->ready_at);
}
