// SPDX-License-Identifier: GPL-2.0-only
/*
 * critical: tasks that others wait for go first, found by who wakes whom.
 *
 * A task's criticality is a sum of three logarithms: how often it wakes others, how often it is woken,
 * and how short it runs each time. The middle of a chain (woken, does a little, wakes the next) has the
 * highest; a CPU hog has none. A task joins the line as if it came later by its slack, the whole of
 * slack_us for none of the criticality there can be, and preempts on wake-up who has much more. So a
 * task waits slack_us longer than in a plain line at most, and nobody starves.
 *
 * Good for: servers, pipelines and desktops, where dispatching threads must not wait behind those they
 * feed, beside batch work.
 * Bad for: batches without wake-ups, where it is a plain line with turns. Two hogs that wake each other for
 * nothing look critical. Nice values and weights are ignored. One queue and one lock for all CPUs.
 *
 * Rates are by a task's own time, which stands still while it waits for a CPU: else who waits long would
 * look less critical, and wait longer. A wake-up by an interrupt says nothing of the task it interrupted: it
 * counts for who is woken only.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/interrupt.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 3000, "us", 500, 1000000, log, "Time a task may run before the next in line.");
TUNABLE(u64, slack_us, 20000, "us", 1000, 2000000, log, "How much later an uncritical task's place in line is.");
TUNABLE(u64, preempt_us, 2000, "us", 0, 2000000, linear, "How much earlier a task's place must be to preempt.");
TUNABLE(u32, newest_percent, 12, "percent", 1, 100, linear, "Weight of the newest wake-up or run in the averages.");

/* Logarithms to base 2 are in eighths, and go up to this: 16384 wake-ups a second, or runs from 16 ms to 1 us. */
#define MOST_EIGHTHS	(14 * 8)

UEI_DEFINE(uei);

enum critical_dsq {
	CRITICAL_SHARED,
	CRITICAL_BOUND,	/* plus the CPU's number */
};

/* How often something happens. */
struct pace {
	u64 last_at;
	u64 gap_ns;	/* average */
};

struct critical_task {
	struct pace wakes, woken;
	u64 run_ns;		/* average CPU time from wake-up to sleep */
	u64 run_began_at;	/* CPU time that the task had */
	u64 waited_ns;		/* for a CPU, all its life */
	u64 queued_at;
	struct turn turn;
};

TASK_DATA_DEFINE(critical, struct critical_task)

static u64 own_time(const struct critical_task *t)
{
	return scx_bpf_now() - t->waited_ns;
}

static u64 average(u64 before, u64 newest)
{
	return (before * (100 - newest_percent) + newest * newest_percent) / 100;
}

static void count(struct pace *pace, u64 now)
{
	pace->gap_ns = average(pace->gap_ns, min(now - pace->last_at, NSEC_PER_SEC));
	pace->last_at = now;
}

static u32 log_eighths(u64 value)
{
	u32 whole = log2_u64(value);

	return min(8 * whole + (u32)(value << 3 >> whole & 7), MOST_EIGHTHS);
}

/* Logarithm of the number of times a second, less if it has not happened for long. */
static u32 log_pace(const struct pace *pace, u64 now)
{
	u64 gap = max(pace->gap_ns, now - pace->last_at);

	return log_eighths(NSEC_PER_SEC / (gap ?: 1));
}

static u64 slack_ns(const struct critical_task *t)
{
	u64 now = own_time(t);
	u32 run = log_eighths(t->run_ns / NSEC_PER_USEC);
	u32 criticality = log_pace(&t->wakes, now) + log_pace(&t->woken, now) + MOST_EIGHTHS - run;

	return US_TO_NS(slack_us) * (3 * MOST_EIGHTHS - criticality) / (3 * MOST_EIGHTHS);
}

/* What is left of the task's turn, after a new one was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct critical_task *t)
{
	u64 left = turn_left(&t->turn, p, US_TO_NS(slice_us));

	if (!t->turn.key)
		t->turn.key = scx_bpf_now() + slack_ns(t);
	return left;
}

s32 BPF_STRUCT_OPS(critical_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(critical_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? CRITICAL_BOUND + scx_bpf_task_cpu(p) : CRITICAL_SHARED, left;
	struct critical_task *t = data_of(p);

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, dsq, left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP)
		preempt_above(p, t->turn.key + US_TO_NS(preempt_us));
}

void BPF_STRUCT_OPS(critical_dispatch, s32 cpu, struct task_struct *prev)
{
	struct critical_task *t = NULL;
	u64 left = US_TO_NS(slice_us);

	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t)
		left = left_ns(prev, t);
	if (!t || t->turn.key > lowest_key(CRITICAL_SHARED, CRITICAL_BOUND + cpu)) {
		if (serve_lower(CRITICAL_SHARED, CRITICAL_BOUND + cpu))
			return;
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, t->turn.key);
}

void BPF_STRUCT_OPS(critical_runnable, struct task_struct *p, u64 enq_flags)
{
	struct critical_task *t = data_of(p), *waker;

	if (!t)
		return;
	t->queued_at = scx_bpf_now();
	if (!(enq_flags & SCX_ENQ_WAKEUP))
		return;
	count(&t->woken, own_time(t));
	t->run_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
	if (in_hard_interrupt() || serves_soft_interrupt())
		return;
	waker = data_of(bpf_get_current_task_btf());
	if (waker)
		count(&waker->wakes, own_time(waker));
}

void BPF_STRUCT_OPS(critical_running, struct task_struct *p)
{
	struct critical_task *t = data_of(p);

	if (!t || is_cpu_kthread(p))
		return;
	t->waited_ns += time_delta(scx_bpf_now(), t->queued_at);
	left_ns(p, t);	/* a task that found an idle CPU has no key yet */
	set_rank(scx_bpf_task_cpu(p), t->turn.key);
}

void BPF_STRUCT_OPS(critical_stopping, struct task_struct *p, bool runnable)
{
	struct critical_task *t = data_of(p);
	u64 ran;

	set_rank(scx_bpf_task_cpu(p), 0);
	if (!t)
		return;
	t->queued_at = scx_bpf_now();
	ran = p->se.sum_exec_runtime - t->run_began_at;
	/* A run that has not ended yet counts once it is longer than usual: a hog may never sleep. */
	if (!runnable || ran > t->run_ns)
		t->run_ns = average(t->run_ns, ran);
}

void BPF_STRUCT_OPS(critical_enable, struct task_struct *p)
{
	struct critical_task *t = data_of(p);

	if (!t)
		return;
	t->wakes.gap_ns = t->woken.gap_ns = NSEC_PER_SEC;
	t->run_ns = NSEC_PER_MSEC;
	t->run_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(critical_init)
{
	return create_dsqs(CRITICAL_BOUND);
}

void BPF_STRUCT_OPS(critical_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(critical, drain_dsqs(CRITICAL_BOUND, cpu))

SCX_OPS_DEFINE(critical_ops,
	       .select_cpu	= (void *)critical_select_cpu,
	       .enqueue		= (void *)critical_enqueue,
	       .dispatch	= (void *)critical_dispatch,
	       .runnable	= (void *)critical_runnable,
	       .running		= (void *)critical_running,
	       .stopping	= (void *)critical_stopping,
	       .init_task	= (void *)critical_init_task,
	       .enable		= (void *)critical_enable,
	       CPU_OPS(critical),
	       .init		= (void *)critical_init,
	       .exit		= (void *)critical_exit,
	       .name		= "critical");
