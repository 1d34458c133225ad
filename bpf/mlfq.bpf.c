// SPDX-License-Identifier: GPL-2.0-only
/*
 * mlfq: multi-level feedback queue.
 *
 * A task starts at the top level. Who uses up a whole slice goes down one level, where slices are longer
 * by growth_factor; who sleeps before stays. Higher levels are served first and preempt lower ones on
 * wake-up; within a level it is first come, first served. Every boost_ms all tasks, those that wait
 * included, go back to the top: so nobody waits longer than that and a round at the top.
 *
 * Good for: unknown mixes of short and long bursts, which sort themselves without any history to keep.
 * Bad for: bursts a little longer than the top slice, which are cut in two. A task that sleeps just before
 * its slice ends stays at the top with all the CPU it wants. A lower level gets nothing between boosts while
 * higher ones are busy. Nice values and weights are ignored.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/sets.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

#define MAX_LEVELS	8

TUNABLE(u32, depth_levels, 4, "levels", 1, 8, linear, "Number of levels.");
TUNABLE(u64, top_slice_us, 3000, "us", 500, 100000, log, "Slice at the top level.");
TUNABLE(u32, growth_factor, 2, "factor", 1, 8, linear, "How many times longer the slice is one level down.");
TUNABLE(u64, boost_ms, 500, "ms", 50, 5000, log, "Time after which all tasks go back to the top.");

#define MOST_SLICE_NS	(500 * NSEC_PER_MSEC)

UEI_DEFINE(uei);

struct mlfq_task {
	u32 level;
	u64 epoch;	/* number of the boost since which the level holds */
	struct turn turn;
};

TASK_DATA_DEFINE(mlfq, struct mlfq_task)

/* Number of the last boost of the shared queues, and of those of each CPU. */
static u64 shared_epoch;
static u64 cpu_epochs[MAX_CPUS];

static u64 slice_ns(u32 level)
{
	u64 slice = US_TO_NS(top_slice_us);
	u32 i;

	bpf_for(i, 0, level)
		slice *= growth_factor;
	return min(slice, MOST_SLICE_NS);
}

static u64 epoch_now(void)
{
	return scx_bpf_now() / MS_TO_NS(boost_ms ?: 1);
}

/* What is left of the task's turn; a turn used up costs a level, a boost gives all back. */
static u64 left_ns(struct task_struct *p, struct mlfq_task *t)
{
	bool had_turn = t->turn.key;
	u64 epoch = epoch_now(), left;

	if (t->epoch != epoch) {
		t->epoch = epoch;
		t->level = 0;
		end_turn(&t->turn, p);
		had_turn = false;
	}
	left = turn_left(&t->turn, p, slice_ns(t->level));
	if (had_turn && !t->turn.key && t->level + 1 < depth_levels)
		left = slice_ns(++t->level);
	t->turn.key = t->turn.key ?: scx_bpf_now();
	return left;
}

/* Moves those that wait in a queue to another of the top level. */
static void lift(u64 from, u64 to)
{
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, from, 0) {
		scx_bpf_dsq_move_set_slice(BPF_FOR_EACH_ITER, US_TO_NS(top_slice_us));
		scx_bpf_dsq_move_vtime(BPF_FOR_EACH_ITER, p, to, 0);
	}
}

/* Whoever comes first in a new epoch lifts those that wait in the shared queues, and each CPU its own. */
static void boost(s32 cpu)
{
	u64 epoch = epoch_now(), *own = CPU_SLOT(cpu_epochs, cpu), shared = shared_epoch;
	bool first = shared != epoch && __sync_bool_compare_and_swap(&shared_epoch, shared, epoch);
	bool due = own && *own != epoch;
	u32 level;

	if (!first && !due)
		return;
	if (due)
		*own = epoch;
	bpf_for(level, 1, MAX_LEVELS) {
		if (first)
			lift(SHARED_OF(level), SHARED_OF(0));
		if (due)
			lift(BOUND_OF(level, cpu), BOUND_OF(0, cpu));
	}
}

s32 BPF_STRUCT_OPS(mlfq_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(top_slice_us), 0);
	return cpu;
}

void BPF_STRUCT_OPS(mlfq_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct mlfq_task *t = data_of(p);
	u64 left;

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(top_slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, set_dsq(t->level, p), left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP)
		preempt_above(p, 1 + t->level);
}

void BPF_STRUCT_OPS(mlfq_dispatch, s32 cpu, struct task_struct *prev)
{
	struct mlfq_task *t = NULL;
	u64 left = US_TO_NS(top_slice_us);
	u32 level;

	boost(cpu);
	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t)
		left = left_ns(prev, t);
	bpf_for(level, 0, depth_levels) {
		if (t && (t->level < level || (t->level == level && t->turn.key <= set_key(level, cpu))))
			break;
		if (serve_set(level, cpu))
			return;
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, 1 + t->level);
}

void BPF_STRUCT_OPS(mlfq_runnable, struct task_struct *p, u64 enq_flags)
{
	struct mlfq_task *t = data_of(p);

	if (t && enq_flags & SCX_ENQ_WAKEUP)
		end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(mlfq_running, struct task_struct *p)
{
	struct mlfq_task *t = data_of(p);

	if (!t || is_cpu_kthread(p))
		return;
	left_ns(p, t);	/* a task that found an idle CPU, or was lifted, has no turn yet */
	set_rank(scx_bpf_task_cpu(p), 1 + t->level);
}

void BPF_STRUCT_OPS(mlfq_stopping, struct task_struct *p, bool runnable)
{
	set_rank(scx_bpf_task_cpu(p), 0);
}

void BPF_STRUCT_OPS(mlfq_enable, struct task_struct *p)
{
	struct mlfq_task *t = data_of(p);

	if (!t)
		return;
	t->level = 0;
	t->epoch = epoch_now();
	end_turn(&t->turn, p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(mlfq_init)
{
	return create_sets(MAX_LEVELS);
}

void BPF_STRUCT_OPS(mlfq_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

static void drain(s32 cpu)
{
	drain_sets(MAX_LEVELS, cpu);
}

CPU_OPS_DEFINE(mlfq, drain)

SCX_OPS_DEFINE(mlfq_ops,
	       .select_cpu	= (void *)mlfq_select_cpu,
	       .enqueue		= (void *)mlfq_enqueue,
	       .dispatch	= (void *)mlfq_dispatch,
	       .runnable	= (void *)mlfq_runnable,
	       .running		= (void *)mlfq_running,
	       .stopping	= (void *)mlfq_stopping,
	       .init_task	= (void *)mlfq_init_task,
	       .enable		= (void *)mlfq_enable,
	       CPU_OPS(mlfq),
	       .init		= (void *)mlfq_init,
	       .exit		= (void *)mlfq_exit,
	       .name		= "mlfq");
