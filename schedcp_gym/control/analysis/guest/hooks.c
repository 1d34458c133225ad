// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel reports, told to the probes: one program per tracepoint, however many probes listen. */
#ifndef ON_WAKES
#define ON_WAKES(task, now)
#endif
#ifndef ON_RUNS
#define ON_RUNS(task, now)
#endif
#ifndef ON_STOPS
#define ON_STOPS(task, now)
#endif
#ifndef ON_BLOCKS
#define ON_BLOCKS(task, now)
#endif
#ifndef ON_MOVES
#define ON_MOVES(task, now)
#endif

#define TRIES 4	/* CPUs that may be naming at the same moment */

static __always_inline u32 name_id(u64 text)
{
	struct name name = {};
	u32 zero = 0, fresh, i, *id, *used;

	bpf_probe_read_kernel_str(&name, sizeof(name), (void *)text);
	id = name_ids.lookup(&name);
	if (id)
		return *id;
	used = names_used.lookup(&zero);
	if (!used)
		return OTHER;
#pragma unroll
	for (i = 0; i < TRIES; i++) {
		fresh = FIRST_NAME + *used;
		if (fresh >= NAMES)
			return OTHER;
		*used += 1;
		/* Whoever makes the entry has the number. */
		if (!name_of_id.insert(&fresh, &name)) {
			name_ids.insert(&name, &fresh);
			return fresh;
		}
	}
	return OTHER;
}

int on_sched_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	u64 child = ctx->args[1];
	struct task *parent = find(bpf_get_current_pid_tgid());
	struct task *task = find(kernel_int(child + TASK_PID));

	if (!task)
		return 0;
	/* The number may have been another task's before. */
	task->name = NOBODY;
	task->woken_at = task->ready_at = task->ran_at = task->blocked_at = 0;
	task->burst_ns = 0;
	task->waits = false;
	if (!parent || parent->name == NOBODY)
		return 0;
	task->name = parent->name == LAUNCHER ? LAUNCHED : parent->name;
	task->moved_at = bpf_ktime_get_ns();
	return 0;
}

int on_task_rename(struct bpf_raw_tracepoint_args *ctx)
{
	struct task *task = find(kernel_int(ctx->args[0] + TASK_PID));

	if (is_ours(task) || (task && task->name == LAUNCHED))
		task->name = name_id(ctx->args[1]);
	return 0;
}

static __always_inline int ready(u64 p)
{
	struct task *task = find(kernel_int(p + TASK_PID));

	if (is_ours(task))
		task->ready_at = bpf_ktime_get_ns();
	return 0;
}

int on_sched_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
	return ready(ctx->args[0]);
}

int on_sched_wakeup_new(struct bpf_raw_tracepoint_args *ctx)
{
	return ready(ctx->args[0]);
}

static __always_inline void stops(struct task *task, u64 now, bool blocked)
{
	ON_STOPS(task, now);
	task->woken_at = 0;
	if (blocked) {
		task->ready_at = 0;
		task->blocked_at = now;
		ON_BLOCKS(task, now);
	} else {
		task->ready_at = now;
	}
}

static __always_inline void runs(struct task *task, u64 now)
{
	ON_RUNS(task, now);
	task->ran_at = now;
	task->ready_at = task->blocked_at = 0;
}

int on_sched_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task *prev = find(bpf_get_current_pid_tgid());
	struct task *next = find(kernel_int(ctx->args[2] + TASK_PID));
	bool prev_ours = is_ours(prev), next_ours = is_ours(next);
	u64 now;

	if (!prev_ours && !next_ours)
		return 0;
	now = bpf_ktime_get_ns();
	if (prev_ours && prev)
		stops(prev, now, !ctx->args[0] && (u32)ctx->args[3]);
	if (next_ours && next)
		runs(next, now);
	return 0;
}

#ifdef WANTS_WAKES
BPF_PERCPU_ARRAY(in_timer, u32, 1);

static __always_inline int timer(u32 inside)
{
	u32 zero = 0, *flag = in_timer.lookup(&zero);

	if (flag)
		*flag = inside;
	return 0;
}

int on_hrtimer_expire_entry(struct bpf_raw_tracepoint_args *ctx)
{
	return timer(1);
}

int on_hrtimer_expire_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return timer(0);
}

int on_timer_expire_entry(struct bpf_raw_tracepoint_args *ctx)
{
	return timer(1);
}

int on_timer_expire_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return timer(0);
}

/* In the waker's context, unless an interrupt came in between; of those, timers are told apart. */
int on_sched_waking(struct bpf_raw_tracepoint_args *ctx)
{
	struct task *task = find(kernel_int(ctx->args[0] + TASK_PID)), *waker;
	u32 zero = 0, *flag;
	u64 now;

	if (!is_ours(task) || !task)
		return 0;
	flag = in_timer.lookup(&zero);
	waker = find(bpf_get_current_pid_tgid());
	now = bpf_ktime_get_ns();
	task->waker = flag && *flag ? TIMER : is_ours(waker) && waker ? waker->name : OTHER;
	ON_WAKES(task, now);
	return 0;
}
#endif

#ifdef WANTS_MOVES
int on_sched_migrate_task(struct bpf_raw_tracepoint_args *ctx)
{
	struct task *task = find(kernel_int(ctx->args[0] + TASK_PID));
	u64 now;

	if (!is_ours(task) || !task)
		return 0;
	now = bpf_ktime_get_ns();
	ON_MOVES(task, now);
	task->moved_at = now;
	return 0;
}
#endif
