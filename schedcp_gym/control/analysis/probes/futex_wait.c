// SPDX-License-Identifier: GPL-2.0-only
/* futex, futex_waitv and futex_wait as x86-64 numbers them */
#define IS_FUTEX(nr) ((nr) == 202 || (nr) == 449 || (nr) == 455)

PROBE(futex_wait);

static __always_inline void futex_wait_blocks(struct task *task, u64 now)
{
	task->syscall = system_call(ORIG_AX);
}

static __always_inline void futex_wait_runs(struct task *task, u64 now)
{
	struct histogram *histogram;

	if (!task->blocked_at || !IS_FUTEX(task->syscall))
		return;
	histogram = futex_wait.lookup(&task->name);
	if (histogram)
		record(histogram, now - task->blocked_at);
}
