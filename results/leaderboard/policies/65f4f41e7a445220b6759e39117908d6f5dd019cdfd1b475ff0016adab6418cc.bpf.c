// SPDX-License-Identifier: GPL-2.0-only
/*
 * split: interactive and batch tasks apart, by how much of the time they want a CPU.
 *
 * A task that spent more than batch_percent of the last window_ms running rather than sleeping is batch,
 * any other is interactive (waiting for a CPU counts as neither). Interactive tasks go first, with short
 * slices, and preempt batch ones on wake-up. Each has a line, first come, first served.
 *
 * Batch has a guaranteed share: time that interactive tasks run on a CPU while batch waits for it is
 * noted as a debt, and once a whole batch slice is due, a batch task runs it and is not preempted.
 *
 * Good for: interactive work and services beside compiling or number crunching that must go on too.
 * Bad for: tasks that are all alike, busy servers at full load among them: then one line is as good, and
 * those near the limit change sides. A new task is taken for interactive until it has run for a while, so
 * a storm of new tasks gets the batch out of the way. Nice values count between batch tasks only, as
 * longer or shorter slices.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/sets.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u32, batch_percent, 60, "percent", 1, 99, linear, "Part of the time spent running above which a task is batch.");
TUNABLE(u64, window_ms, 200, "ms", 10, 5000, log, "Running and sleeping that a task is judged by.");
TUNABLE(u64, interactive_slice_us, 5000, "us", 500, 100000, log, "Time an interactive task may run at once.");
TUNABLE(u64, batch_slice_us, 20000, "us", 1000, 200000, log, "Time a batch task of nice 0 may run at once.");
TUNABLE(u32, batch_share_percent, 20, "percent", 5, 95, linear, "Part of each CPU that batch gets if it wants it.");

UEI_DEFINE(uei);

enum split_set {
	INTERACTIVE,
	BATCH,
	SETS,
};

/* Batch that is due is not preempted. */
enum split_rank {
	RANK_FIRST = 1,
	RANK_BATCH,
};

struct split_task {
	u64 ran_ns;	/* of late */
	u64 slept_ns;	/* of late */
	u64 charged_at;	/* CPU time that the task had when last charged */
	u64 slept_at;
	struct turn turn;
};

TASK_DATA_DEFINE(split, struct split_task)

/* CPU time on each CPU that batch is behind its share. */
static u64 batch_due_ns[MAX_CPUS];

static u32 set_of(const struct split_task *t)
{
	return t->ran_ns * 100 > (t->ran_ns + t->slept_ns) * batch_percent ? BATCH : INTERACTIVE;
}

/* Old times count less and less. */
static void forget(struct split_task *t)
{
	if (t->ran_ns + t->slept_ns <= MS_TO_NS(window_ms))
		return;
	t->ran_ns /= 2;
	t->slept_ns /= 2;
}

static void charge(struct task_struct *p, struct split_task *t, s32 cpu)
{
	u64 ran = p->se.sum_exec_runtime - t->charged_at, *due = CPU_SLOT(batch_due_ns, cpu);

	if (due && set_of(t) == BATCH)
		*due -= min(*due, ran);
	else if (due && set_key(BATCH, cpu) != ~0ULL)
		*due = min(*due + ran * batch_share_percent / (100 - batch_share_percent),
			   2 * US_TO_NS(batch_slice_us));
	t->charged_at += ran;
	t->ran_ns += ran;
	forget(t);
}

static u64 slice_ns(const struct task_struct *p, const struct split_task *t)
{
	return set_of(t) == BATCH ? weighted_slice(p, US_TO_NS(batch_slice_us)) : US_TO_NS(interactive_slice_us);
}

/* What is left of the task's turn, after a new one was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct split_task *t)
{
	u64 left = turn_left(&t->turn, p, slice_ns(p, t));

	t->turn.key = t->turn.key ?: scx_bpf_now();
	return left;
}

static bool is_batch_due(s32 cpu)
{
	u64 *due = CPU_SLOT(batch_due_ns, cpu);

	return due && *due >= US_TO_NS(batch_slice_us);
}

s32 BPF_STRUCT_OPS(split_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(interactive_slice_us));
}

void BPF_STRUCT_OPS(split_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct split_task *t = data_of(p);
	u64 left;

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(interactive_slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, set_dsq(set_of(t), p), left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP && set_of(t) == INTERACTIVE)
		preempt_above(p, RANK_FIRST);
}

void BPF_STRUCT_OPS(split_dispatch, s32 cpu, struct task_struct *prev)
{
	struct split_task *t = NULL;
	u64 left = US_TO_NS(interactive_slice_us);
	bool interactive;

	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t) {
		charge(prev, t, cpu);
		left = left_ns(prev, t);
	}
	interactive = t && set_of(t) == INTERACTIVE;
	if (is_batch_due(cpu) && serve_set(BATCH, cpu))
		return;
	if (!(interactive && t->turn.key <= set_key(INTERACTIVE, cpu)) && serve_set(INTERACTIVE, cpu))
		return;
	if (!interactive && !(t && t->turn.key <= set_key(BATCH, cpu)) && serve_set(BATCH, cpu))
		return;
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, interactive ? RANK_FIRST : RANK_BATCH);
}

void BPF_STRUCT_OPS(split_runnable, struct task_struct *p, u64 enq_flags)
{
	struct split_task *t = data_of(p);

	if (!t || !(enq_flags & SCX_ENQ_WAKEUP))
		return;
	t->slept_ns += min(scx_bpf_now() - t->slept_at, MS_TO_NS(window_ms));
	forget(t);
	end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(split_running, struct task_struct *p)
{
	struct split_task *t = data_of(p);
	s32 cpu = scx_bpf_task_cpu(p);

	if (!t || is_cpu_kthread(p))
		return;
	t->charged_at = p->se.sum_exec_runtime;
	left_ns(p, t);	/* a task that found an idle CPU has no key yet */
	set_rank(cpu, set_of(t) == BATCH && !is_batch_due(cpu) ? RANK_BATCH : RANK_FIRST);
}

void BPF_STRUCT_OPS(split_stopping, struct task_struct *p, bool runnable)
{
	struct split_task *t = data_of(p);
	s32 cpu = scx_bpf_task_cpu(p);

	set_rank(cpu, 0);
	if (t && !is_cpu_kthread(p))
		charge(p, t, cpu);
}

void BPF_STRUCT_OPS(split_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct split_task *t = data_of(p);

	if (t && deq_flags & SCX_DEQ_SLEEP)
		t->slept_at = scx_bpf_now();
}

void BPF_STRUCT_OPS(split_enable, struct task_struct *p)
{
	struct split_task *t = data_of(p);

	if (!t)
		return;
	t->ran_ns = 0;
	t->slept_ns = MS_TO_NS(window_ms) / 4;
	t->slept_at = scx_bpf_now();
	end_turn(&t->turn, p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(split_init)
{
	return create_sets(SETS);
}

void BPF_STRUCT_OPS(split_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(split, drain_sets(SETS, cpu))

SCX_OPS_DEFINE(split_ops,
	       .select_cpu	= (void *)split_select_cpu,
	       .enqueue		= (void *)split_enqueue,
	       .dispatch	= (void *)split_dispatch,
	       .runnable	= (void *)split_runnable,
	       .running		= (void *)split_running,
	       .stopping	= (void *)split_stopping,
	       .quiescent	= (void *)split_quiescent,
	       .init_task	= (void *)split_init_task,
	       .enable		= (void *)split_enable,
	       CPU_OPS(split),
	       .init		= (void *)split_init,
	       .exit		= (void *)split_exit,
	       .name		= "split");
