// SPDX-License-Identifier: GPL-2.0-only
/*
 * srtf: shortest remaining time first, by each task's own past.
 *
 * A burst is the CPU time between a wake-up and the next sleep. A task's next burst is taken for a
 * moving average of its last ones, less what it has used already; who has used more than that is
 * taken to need as much again. The task with the least to do goes next, on any CPU, and preempts a
 * task on wake-up if it has much less to do.
 *
 * Waiting counts: a task moves ahead by ageing_percent of the time it waits, and nobody is put back
 * by more than patience_ms, so long tasks are late but not starved.
 *
 * Good for: servers whose short requests wait behind long ones, interactive tasks beside CPU hogs,
 * mean completion time.
 * Bad for: the longest task, which ends last: a batch whose end is one long job takes longer than with any
 * other policy. Tasks whose bursts change from one to the next are guessed wrong. Nice values and
 * weights are ignored. One queue and one lock for all CPUs.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 10000, "us", 500, 1000000, log, "Time a task may run before it is compared anew.");
TUNABLE(u32, ageing_percent, 10, "percent", 1, 100, log, "Part of the time waited that counts as work done.");
TUNABLE(u64, patience_ms, 400, "ms", 10, 5000, log, "What a task may be put back by at most, however long its burst.");
TUNABLE(u32, newest_percent, 25, "percent", 1, 100, linear, "Weight of the newest burst in the average.");
TUNABLE(u64, new_task_us, 2000, "us", 100, 100000, log, "First burst that a new task is taken to have.");
TUNABLE(u64, preempt_us, 2000, "us", 0, 100000, linear, "How much less a task must have to do to preempt on wake-up.");

UEI_DEFINE(uei);

enum srtf_dsq {
	SRTF_SHARED,
	SRTF_BOUND,	/* plus the CPU's number */
};

struct srtf_task {
	u64 burst_ns;		/* average */
	u64 burst_began_at;	/* CPU time that the task had */
	struct turn turn;
};

TASK_DATA_DEFINE(srtf, struct srtf_task)

static u64 remaining_ns(const struct task_struct *p, const struct srtf_task *t)
{
	u64 used = p->se.sum_exec_runtime - t->burst_began_at;

	return used < t->burst_ns ? t->burst_ns - used : used;
}

/* Work in terms of the time that has to be waited to make up for it. */
static u64 as_wait_ns(u64 work_ns)
{
	return work_ns * 100 / (ageing_percent ?: 1);
}

/* What is left of the task's turn, after a new one was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct srtf_task *t)
{
	u64 left = turn_left(&t->turn, p, US_TO_NS(slice_us)), wait = as_wait_ns(remaining_ns(p, t));

	if (!t->turn.key)
		t->turn.key = scx_bpf_now() + min(wait, MS_TO_NS(patience_ms));
	return left;
}

s32 BPF_STRUCT_OPS(srtf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(srtf_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? SRTF_BOUND + scx_bpf_task_cpu(p) : SRTF_SHARED, left;
	struct srtf_task *t = data_of(p);

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, dsq, left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP)
		preempt_above(p, t->turn.key + as_wait_ns(US_TO_NS(preempt_us)));
}

void BPF_STRUCT_OPS(srtf_dispatch, s32 cpu, struct task_struct *prev)
{
	struct srtf_task *t = NULL;
	u64 left = US_TO_NS(slice_us);

	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t)
		left = left_ns(prev, t);
	if (!t || t->turn.key > lowest_key(SRTF_SHARED, SRTF_BOUND + cpu)) {
		if (serve_lower(SRTF_SHARED, SRTF_BOUND + cpu))
			return;
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, t->turn.key);
}

void BPF_STRUCT_OPS(srtf_runnable, struct task_struct *p, u64 enq_flags)
{
	struct srtf_task *t = data_of(p);

	if (!t || !(enq_flags & SCX_ENQ_WAKEUP))
		return;
	t->burst_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(srtf_running, struct task_struct *p)
{
	struct srtf_task *t = data_of(p);

	if (!t || is_cpu_kthread(p))
		return;
	left_ns(p, t);	/* a task that found an idle CPU has no key yet */
	set_rank(scx_bpf_task_cpu(p), t->turn.key);
}

void BPF_STRUCT_OPS(srtf_stopping, struct task_struct *p, bool runnable)
{
	set_rank(scx_bpf_task_cpu(p), 0);
}

void BPF_STRUCT_OPS(srtf_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct srtf_task *t = data_of(p);
	u64 used;

	if (!t || !(deq_flags & SCX_DEQ_SLEEP))
		return;
	used = p->se.sum_exec_runtime - t->burst_began_at;
	t->burst_ns = (t->burst_ns * (100 - newest_percent) + used * newest_percent) / 100;
}

void BPF_STRUCT_OPS(srtf_enable, struct task_struct *p)
{
	struct srtf_task *t = data_of(p);

	if (!t)
		return;
	t->burst_ns = US_TO_NS(new_task_us);
	t->burst_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(srtf_init)
{
	return create_dsqs(SRTF_BOUND);
}

void BPF_STRUCT_OPS(srtf_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(srtf, drain_dsqs(SRTF_BOUND, cpu))

SCX_OPS_DEFINE(srtf_ops,
	       .select_cpu	= (void *)srtf_select_cpu,
	       .enqueue		= (void *)srtf_enqueue,
	       .dispatch	= (void *)srtf_dispatch,
	       .runnable	= (void *)srtf_runnable,
	       .running		= (void *)srtf_running,
	       .stopping	= (void *)srtf_stopping,
	       .quiescent	= (void *)srtf_quiescent,
	       .init_task	= (void *)srtf_init_task,
	       .enable		= (void *)srtf_enable,
	       CPU_OPS(srtf),
	       .init		= (void *)srtf_init,
	       .exit		= (void *)srtf_exit,
	       .name		= "srtf");
