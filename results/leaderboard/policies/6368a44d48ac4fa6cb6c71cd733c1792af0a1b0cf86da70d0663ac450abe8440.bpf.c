// SPDX-License-Identifier: GPL-2.0-only
/*
 * layers: tasks in three layers by rules, CPU time shared between the layers by weight.
 *
 * The rules are tunables: a task is in the high layer if its process name begins with high_name, its
 * cgroup's name (or that of one around it) with high_cgroup, or its nice value is -high_nice or less. What
 * matches low_name, low_cgroup, or low_nice and more, is in the low layer; the rest in the normal one, of
 * weight 100. So "this process matters" needs no code.
 *
 * Layers that have work get CPU time in proportion to their weights: of a high weight, that is nearly
 * priority, but the others never stop. A layer that was idle saves up lag_ms at most. On wake-up a task
 * preempts one of a lower layer while its own has time to claim. Within a layer tasks take turns, first come,
 * first served, with slices by nice value; tasks whose name begins with heavy_name get heavy_percent of the usual.
 *
 * Good for: anything where one knows what matters: the one long job of a batch, a service beside batch work, a
 * cgroup that must stay in the background.
 * Bad for: layers that hold most of the work, which are one plain line each; with no rule set that is all.
 * Names match anything that begins alike, threads by their own. Nice values count within a factor of 8.
 */
#include <scx/common.bpf.h>
#include <schedcp/cgroup.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/sets.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE_TEXT(high_name, "Beginning of the process names of the high layer.");
TUNABLE_CGROUP(high_cgroup, "Beginning of the cgroup names of the high layer.");
TUNABLE(u32, high_nice, 21, "nice", 1, 21, linear, "Tasks of this nice value below 0, or less, are high; 21 is none.");
TUNABLE(u32, high_weight, 10000, "weight", 100, 100000, log, "Share of the high layer, where the normal one has 100.");
TUNABLE(u64, high_slice_us, 20000, "us", 500, 200000, log, "Time a task of the high layer may run at once.");
TUNABLE(u64, normal_slice_us, 20000, "us", 500, 200000, log, "Time a task of the normal layer may run at once.");
TUNABLE_TEXT(low_name, "Beginning of the process names of the low layer.");
TUNABLE_CGROUP(low_cgroup, "Beginning of the cgroup names of the low layer.");
TUNABLE(u32, low_nice, 20, "nice", 1, 20, linear, "Tasks of this nice value or more are low; 20 is none.");
TUNABLE(u32, low_weight, 10, "weight", 5, 100, log, "Share of the low layer, where the normal one has 100.");
TUNABLE(u64, low_slice_us, 20000, "us", 500, 200000, log, "Time a task of the low layer may run at once.");
TUNABLE_TEXT(heavy_name, "Beginning of the process names that get another slice than the rest of their layer.");
TUNABLE(u32, heavy_percent, 200, "percent", 10, 1000, log, "Slice of those names, where the others have 100.");
TUNABLE(u64, lag_ms, 50, "ms", 1, 1000, log, "CPU time that a layer without work can save up for later.");

UEI_DEFINE(uei);

enum layer {
	HIGH,
	NORMAL,
	LOW,
	LAYERS,
};

struct layers_task {
	u64 cgroup;	/* that the next two are about */
	bool high_cgroup, low_cgroup;
	u32 layer;	/* as it was queued, for its whole turn */
	u64 charged_at;	/* CPU time that the task had when last charged */
	struct turn turn;
};

TASK_DATA_DEFINE(layers, struct layers_task)

/* CPU time of each layer divided by weight, and where the layer stood that ran last. */
static u64 used_ns[LAYERS];
static u64 front_ns;

static u32 layer_of(struct task_struct *p, struct layers_task *t)
{
	int nice = p->static_prio - 120;

	if ((high_cgroup[0] || low_cgroup[0]) && t->cgroup != cgroup_handle(p)) {
		t->cgroup = cgroup_handle(p);
		t->high_cgroup = cgroup_begins(p, high_cgroup);
		t->low_cgroup = cgroup_begins(p, low_cgroup);
	}
	if (name_begins(p, high_name) || t->high_cgroup || nice <= -(int)high_nice)
		return HIGH;
	return name_begins(p, low_name) || t->low_cgroup || nice >= (int)low_nice ? LOW : NORMAL;
}

static u64 slice_ns(const struct task_struct *p, u32 layer)
{
	u64 slice = US_TO_NS(layer == HIGH ? high_slice_us : layer == LOW ? low_slice_us : normal_slice_us);

	return weighted_slice(p, name_begins(p, heavy_name) ? slice * heavy_percent / 100 : slice);
}

/* What is left of the task's turn, after a new one was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct layers_task *t)
{
	u32 layer = layer_of(p, t);
	u64 left;

	if (layer != t->layer)
		end_turn(&t->turn, p);
	t->layer = layer;
	left = turn_left(&t->turn, p, slice_ns(p, layer));
	t->turn.key = t->turn.key ?: scx_bpf_now();
	return left;
}

static u64 *used_by(u32 layer)
{
	return ARRAY_ELEM_PTR(used_ns, layer, LAYERS) ?: &used_ns[NORMAL];
}

static void charge(struct task_struct *p, struct layers_task *t)
{
	u64 ran = p->se.sum_exec_runtime - t->charged_at;
	u32 weight = t->layer == HIGH ? high_weight : t->layer == LOW ? low_weight : 100;

	t->charged_at += ran;
	__sync_fetch_and_add(used_by(t->layer), ran * 100 / (weight ?: 1));
}

/* A layer that had no work comes back near the others. */
static void limit_lag(u32 layer)
{
	u64 *used = used_by(layer), least = front_ns - min(front_ns, MS_TO_NS(lag_ms));

	if (*used < least)
		*used = least;
}

/* The layer to serve, of those not tried yet: the one with least time used that has work for the CPU. */
static u32 next_layer(s32 cpu, u32 tried, const struct layers_task *running)
{
	u64 least = ~0ULL;
	u32 layer, next = LAYERS;

	bpf_for(layer, 0, LAYERS) {
		u64 used = *used_by(layer);

		if (tried & 1 << layer || used >= least)
			continue;
		if (set_key(layer, cpu) == ~0ULL && !(running && running->layer == layer))
			continue;
		least = used;
		next = layer;
	}
	return next;
}

s32 BPF_STRUCT_OPS(layers_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(normal_slice_us));
}

void BPF_STRUCT_OPS(layers_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct layers_task *t = data_of(p);
	u64 left;

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(normal_slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	limit_lag(t->layer);
	scx_bpf_dsq_insert_vtime(p, set_dsq(t->layer, p), left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP && *used_by(t->layer) <= front_ns)
		preempt_above(p, 1 + t->layer);
}

void BPF_STRUCT_OPS(layers_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 left = US_TO_NS(normal_slice_us);
	struct layers_task *t = NULL;
	u32 layer, tried = 0, i;

	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t) {
		charge(prev, t);
		left = left_ns(prev, t);
	}
	bpf_for(i, 0, LAYERS) {
		layer = next_layer(cpu, tried, t);
		if (t && layer == t->layer && t->turn.key <= set_key(layer, cpu))
			break;
		if (layer >= LAYERS || serve_set(layer, cpu))
			return;
		tried |= 1 << layer;
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, 1 + t->layer);
}

void BPF_STRUCT_OPS(layers_runnable, struct task_struct *p, u64 enq_flags)
{
	struct layers_task *t = data_of(p);

	if (t && enq_flags & SCX_ENQ_WAKEUP)
		end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(layers_running, struct task_struct *p)
{
	struct layers_task *t = data_of(p);
	u64 used;

	if (!t || is_cpu_kthread(p))
		return;
	t->charged_at = p->se.sum_exec_runtime;
	left_ns(p, t);	/* a task that found an idle CPU has no turn yet */
	limit_lag(t->layer);
	used = *used_by(t->layer);
	if (front_ns < used)
		front_ns = used;
	set_rank(scx_bpf_task_cpu(p), 1 + t->layer);
}

void BPF_STRUCT_OPS(layers_stopping, struct task_struct *p, bool runnable)
{
	struct layers_task *t = data_of(p);

	set_rank(scx_bpf_task_cpu(p), 0);
	if (t && !is_cpu_kthread(p))
		charge(p, t);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(layers_init)
{
	return create_sets(LAYERS);
}

void BPF_STRUCT_OPS(layers_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(layers, drain_sets(LAYERS, cpu))

SCX_OPS_DEFINE(layers_ops,
	       .select_cpu	= (void *)layers_select_cpu,
	       .enqueue		= (void *)layers_enqueue,
	       .dispatch	= (void *)layers_dispatch,
	       .runnable	= (void *)layers_runnable,
	       .running		= (void *)layers_running,
	       .stopping	= (void *)layers_stopping,
	       .init_task	= (void *)layers_init_task,
	       CPU_OPS(layers),
	       .init		= (void *)layers_init,
	       .exit		= (void *)layers_exit,
	       .name		= "layers");
