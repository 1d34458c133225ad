// SPDX-License-Identifier: GPL-2.0-only
PROBE(migrations);

static __always_inline void migrations_moves(struct task *task, u64 now)
{
	struct histogram *histogram = migrations.lookup(&task->name);

	if (histogram)
		record(histogram, now - task->moved_at);
}
