// SPDX-License-Identifier: GPL-2.0-only
/* read, write, readv and writev as x86-64 numbers them */
#define IS_TRANSFER(nr) ((nr) <= 1 || (nr) == 19 || (nr) == 20)
#define FILE_TYPE	0170000
#define PIPE		0010000

PROBE(pipe_wait);

/* Looks up the file only when the task really waits: a transfer that need not wait costs nothing. */
static __always_inline bool is_pipe(u32 fd)
{
	u64 fdt = kernel_word(kernel_word((u64)bpf_get_current_task() + TASK_FILES) + FILES_FDT);
	u64 file;

	if (fd >= kernel_int(fdt + FDT_MAX))
		return false;
	file = kernel_word(kernel_word(fdt + FDT_FD) + 8 * (u64)fd);
	return file && (kernel_int(kernel_word(file + FILE_INODE) + INODE_MODE) & FILE_TYPE) == PIPE;
}

static __always_inline void pipe_wait_blocks(struct task *task, u64 now)
{
	task->waits = IS_TRANSFER(system_call(ORIG_AX)) && is_pipe(system_call(FIRST_ARGUMENT));
}

static __always_inline void pipe_wait_runs(struct task *task, u64 now)
{
	struct histogram *histogram = task->blocked_at && task->waits ? pipe_wait.lookup(&task->name) : NULL;

	if (histogram)
		record(histogram, now - task->blocked_at);
}
