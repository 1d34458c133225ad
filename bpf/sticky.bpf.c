// SPDX-License-Identifier: GPL-2.0-only
/*
 * sticky: a task stays on the CPU it ran on, and moves only when that is worth more than a warm cache.
 *
 * Each CPU has a line of its own, first come, first served. Who wakes up goes to the CPU it ran on if that is
 * idle, else to an idle one of the same last-level cache (LLC), else it waits in its CPU's line; a new task waits
 * in the shortest line near by. A CPU without work takes the task of its LLC that has waited longest, and one of
 * another LLC only after far_us: about what it costs to fetch what a task left behind. A CPU with work looks at
 * one other line at a time, and serves a task there that has waited patience_ms longer than its own first.
 *
 * Good for: tasks that work on data of their own and sleep for short times, such as servers with a thread for
 * each client; machines with several LLCs or nodes.
 * Bad for: tail latency, since lines differ in length and the oldest task of all is not the next. That a task waits
 * too long beside idle CPUs of another LLC is noticed when a CPU near it chooses its next task, or by the kernel's
 * tick, so that move may come some milliseconds late. Of two threads of a core it knows nothing: a task returns
 * to its CPU beside a busy sibling (see spread).
 *
 * Nice values count as longer or shorter slices, within a factor of 8.
 */
#include <scx/common.bpf.h>
#include <schedcp/topology.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 10000, "us", 100, 200000, log, "Time a task of nice 0 may run while others wait.");
TUNABLE(u64, far_us, 300, "us", 0, 100000, linear, "Wait after which a CPU of another cache takes a task.");
TUNABLE(u64, patience_ms, 10, "ms", 1, 1000, log, "Longer wait than its own that a CPU with work serves elsewhere.");

UEI_DEFINE(uei);

/* The line of each CPU has its number. What each CPU runs for us, and the line it looked at last. */
static bool works[MAX_CPUS];
static u32 looked_at[MAX_CPUS];

static u64 slice_ns(const struct task_struct *p)
{
	return weighted_slice(p, US_TO_NS(slice_us));
}

static u64 waited_ns(s32 cpu, u64 now)
{
	u64 since = first_key(cpu, now);

	return time_before(since, now) ? now - since : 0;
}

/* Wait that makes it worth to fetch a task from a CPU's line into another LLC. */
static u64 far_ns(s32 from)
{
	bool *at_work = CPU_SLOT(works, from);

	/* A CPU that has other work is not ours now, and nobody knows until when. */
	return at_work && !*at_work ? 0 : US_TO_NS(far_us);
}

/* From the line near by, or else far away, whose first has waited longest. */
static bool steal(s32 cpu, bool near, u64 now)
{
	u32 from, cpus = scx_bpf_nr_cpu_ids();
	u64 longest = 0;
	s32 victim = -1;

	bpf_for(from, 0, cpus) {
		u64 waited = from == cpu ? 0 : waited_ns(from, now);

		if (waited <= longest || (llc_of(from) == llc_of(cpu)) != near || (!near && waited < far_ns(from)))
			continue;
		longest = waited;
		victim = from;
	}
	if (victim < 0)
		return false;
	if (scx_bpf_dsq_move_to_local(victim))
		return true;
	/* That one was for other CPUs only. */
	bpf_for(from, 0, cpus)
		if ((llc_of(from) == llc_of(cpu)) == near && (near || waited_ns(from, now) >= far_ns(from)) &&
		    scx_bpf_dsq_move_to_local(from))
			return true;
	return false;
}

static u32 next_line(s32 cpu)
{
	u32 *at = CPU_SLOT(looked_at, cpu);

	if (!at)
		return 0;
	*at = (*at + 1) % scx_bpf_nr_cpu_ids();
	return *at;
}

static bool serve_neglected(s32 cpu, u64 now)
{
	u32 other = next_line(cpu);

	return other != cpu && waited_ns(other, now) > waited_ns(cpu, now) + MS_TO_NS(patience_ms) &&
	       scx_bpf_dsq_move_to_local(other);
}

/* Wakes an idle CPU for a task that has waited in this line for longer than a move is worth. */
static void call_help(s32 cpu, u64 now)
{
	u64 waited = waited_ns(cpu, now);
	struct task_struct *first;

	if (!waited || kick_idle_in(llc_of(cpu)) || waited < far_ns(cpu))
		return;
	first = scx_bpf_dsq_peek(cpu);
	if (first)
		wake_idle_cpu(first);
}

/* Claims the CPU of before, or an idle one of its LLC, the whole core if possible. */
static s32 claim_near(struct task_struct *p, s32 cpu)
{
	if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr) && scx_bpf_test_and_clear_cpu_idle(cpu))
		return cpu;
	return is_bound(p) ? -EBUSY : claim_idle_in(p, cpu, llc_of(cpu), 0);
}

/* The CPU with the shortest line near by, for a new task: it has left nothing in a cache. */
static s32 shortest_line(const struct task_struct *p, s32 cpu)
{
	u32 other, cpus = scx_bpf_nr_cpu_ids();
	s32 best = cpu, least = scx_bpf_dsq_nr_queued(cpu);

	bpf_for(other, 0, cpus) {
		s32 queued;

		if (llc_of(other) != llc_of(cpu) || !is_placed(other) || is_leaving(other) ||
		    !bpf_cpumask_test_cpu(other, p->cpus_ptr))
			continue;
		queued = scx_bpf_dsq_nr_queued(other);
		if (queued >= least)
			continue;
		least = queued;
		best = other;
	}
	return best;
}

s32 BPF_STRUCT_OPS(sticky_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = claim_near(p, prev_cpu);

	if (cpu < 0)
		return wake_flags & SCX_WAKE_FORK ? shortest_line(p, prev_cpu) : prev_cpu;
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), 0);
	return cpu;
}

void BPF_STRUCT_OPS(sticky_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p), helper;
	u64 now = scx_bpf_now();
	bool *at_work = CPU_SLOT(works, cpu);

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, cpu, slice_ns(p), now, enq_flags);
	helper = claim_near(p, cpu);
	if (helper >= 0)
		scx_bpf_kick_cpu(helper, SCX_KICK_IDLE);
	else if (at_work && !*at_work)
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(sticky_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now();

	if (serve_neglected(cpu, now))
		return;
	if (scx_bpf_dsq_move_to_local(cpu)) {
		call_help(next_line(cpu), now);
		return;
	}
	if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, slice_ns(prev));
	else if (!steal(cpu, true, now))
		steal(cpu, false, now);
}

/* Sees tasks that wait in this CPU's line, or in another, where the CPU may be busy with other things. */
void BPF_STRUCT_OPS(sticky_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 now = scx_bpf_now();

	call_help(cpu, now);
	call_help(next_line(cpu), now);
}

void BPF_STRUCT_OPS(sticky_running, struct task_struct *p)
{
	bool *at_work = CPU_SLOT(works, scx_bpf_task_cpu(p));

	if (at_work)
		*at_work = true;
}

void BPF_STRUCT_OPS(sticky_stopping, struct task_struct *p, bool runnable)
{
	bool *at_work = CPU_SLOT(works, scx_bpf_task_cpu(p));

	if (at_work)
		*at_work = false;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(sticky_init)
{
	return read_topology() ?: create_dsqs(0);
}

void BPF_STRUCT_OPS(sticky_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

PLACED_CPU_OPS_DEFINE(sticky, drain_dsq(cpu, cpu))

SCX_OPS_DEFINE(sticky_ops,
	       .select_cpu	= (void *)sticky_select_cpu,
	       .enqueue		= (void *)sticky_enqueue,
	       .dispatch	= (void *)sticky_dispatch,
	       .tick		= (void *)sticky_tick,
	       .running		= (void *)sticky_running,
	       .stopping	= (void *)sticky_stopping,
	       CPU_OPS(sticky),
	       .init		= (void *)sticky_init,
	       .exit		= (void *)sticky_exit,
	       .name		= "sticky");
