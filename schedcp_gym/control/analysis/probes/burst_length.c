// SPDX-License-Identifier: GPL-2.0-only
PROBE(burst_length);

static __always_inline void burst_length_stops(struct task *task, u64 now)
{
	if (task->ran_at)
		task->burst_ns += now - task->ran_at;
}

static __always_inline void burst_length_blocks(struct task *task, u64 now)
{
	struct histogram *histogram = burst_length.lookup(&task->name);

	if (histogram)
		record(histogram, task->burst_ns);
	task->burst_ns = 0;
}
