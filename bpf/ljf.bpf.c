// SPDX-License-Identifier: GPL-2.0-only
/*
 * ljf: longest job first, where the longest job is named.
 *
 * Tasks whose process name begins with `favour` are served before all others: they take a CPU from
 * another task the moment they can run, and keep it for as long as they have work. The rest waits in
 * one line, first come, first served, for the CPUs that remain.
 *
 * Good for: a batch whose end is decided by one long job among many short ones (builds with one huge
 * file, tests with one slow case): started at once and never interrupted, it ends as early as can be.
 * Bad for: everything else. With no name set it is a plain FIFO. As many busy favoured tasks as CPUs leave
 * the others next to nothing: who has waited for patience_ms gets a few milliseconds, one task every
 * RELIEF_NS on each CPU. Nice values and weights are ignored.
 *
 * A process carries its parent's name until exec. So what is being started goes before the line, and
 * so does who is busy starting it: a long job is recognised soon, however long the line is.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE_TEXT(favour, "Beginning of the process name of the tasks that go before all others.");
TUNABLE(u64, favoured_slice_us, 20000, "us", 100, 1000000, log, "Time after which favoured tasks take turns.");
TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "Time any other task may run before the next in line.");
TUNABLE(u64, newborn_us, 10000, "us", 0, 100000, linear, "CPU time for a new task to exec before it has to queue.");
TUNABLE(u64, patience_ms, 5000, "ms", 100, 20000, log, "Wait after which a task is served before favoured ones.");

#define NEWBORN_SLICE_NS	(2 * NSEC_PER_MSEC)
#define RECENT_NS	(50 * NSEC_PER_MSEC)
#define RELIEF_NS	(100 * NSEC_PER_MSEC)

UEI_DEFINE(uei);

/* Whether each CPU runs a favoured task, and when it last served one that had lost patience. */
static bool runs_favoured[MAX_CPUS];
static u64 relieved_at[MAX_CPUS];

enum ljf_dsq {
	LJF_FAVOURED,
	LJF_NEWBORN,
	LJF_SHARED,
	LJF_BOUND,	/* plus the CPU's number: tasks bound to it */
};

static bool is_favoured(const struct task_struct *p)
{
	return name_begins(p, favour);
}

static u64 slice_ns(const struct task_struct *p)
{
	return US_TO_NS(is_favoured(p) ? favoured_slice_us : slice_us);
}

static void mark(s32 cpu, bool favoured)
{
	bool *runs = CPU_SLOT(runs_favoured, cpu);

	if (runs && *runs != favoured)
		*runs = favoured;
}

/* A CPU that the task may use and that runs no favoured one, or -1. */
static s32 cpu_to_take(const struct task_struct *p, s32 but)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	s32 found = -1;

	bpf_for(cpu, 0, cpus) {
		bool *runs = CPU_SLOT(runs_favoured, cpu);

		if (cpu == but || !runs || *runs || !bpf_cpumask_test_cpu(cpu, online) ||
		    !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		found = cpu;
		break;
	}
	scx_bpf_put_cpumask(online);
	return found;
}

static bool serve(u64 first, u64 second)
{
	return scx_bpf_dsq_move_to_local(first) || scx_bpf_dsq_move_to_local(second);
}

s32 BPF_STRUCT_OPS(ljf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), 0);
	return cpu;
}

void BPF_STRUCT_OPS(ljf_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = LJF_SHARED, slice = slice_ns(p);
	s32 cpu;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice, enq_flags);
		return;
	}
	if (is_favoured(p)) {
		dsq = LJF_FAVOURED;
	} else if (is_bound(p)) {
		dsq = LJF_BOUND + scx_bpf_task_cpu(p);
	} else if (((p->flags & PF_FORKNOEXEC) && p->se.sum_exec_runtime < US_TO_NS(newborn_us)) ||
		   starts_others(p, RECENT_NS)) {
		dsq = LJF_NEWBORN;
		slice = min(slice, NEWBORN_SLICE_NS);
	}
	scx_bpf_dsq_insert_vtime(p, dsq, slice, scx_bpf_now(), enq_flags);
	if (wake_idle_cpu(p) || dsq != LJF_FAVOURED)
		return;
	/* A task that was running is off a CPU that chooses anew just now: that one needs no kick. */
	cpu = cpu_to_take(p, enq_flags & SCX_ENQ_WAKEUP ? -1 : scx_bpf_task_cpu(p));
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
}

void BPF_STRUCT_OPS(ljf_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now(), bound = LJF_BOUND + cpu, *relieved = CPU_SLOT(relieved_at, cpu);
	u64 since_bound = first_key(bound, now), since_shared = first_key(LJF_SHARED, now);
	u64 older = time_before(since_bound, since_shared) ? bound : LJF_SHARED;
	u64 other = older == bound ? LJF_SHARED : bound;
	u64 since_newborn = first_key(LJF_NEWBORN, now), since = min(since_bound, since_shared);

	prev = if_runnable(prev);
	if (relieved && time_before(min(since, since_newborn) + MS_TO_NS(patience_ms), now) &&
	    time_before(*relieved + RELIEF_NS, now)) {
		*relieved = now;
		if ((time_before(since_newborn, since) && scx_bpf_dsq_move_to_local(LJF_NEWBORN)) ||
		    serve(older, other))
			return;
	}
	if (scx_bpf_dsq_move_to_local(LJF_FAVOURED))
		return;
	if (prev && is_favoured(prev))
		mark(cpu, true);	/* it may have got its name while it ran */
	else if (scx_bpf_dsq_move_to_local(LJF_NEWBORN) || serve(older, other))
		return;
	if (prev)
		scx_bpf_task_set_slice(prev, slice_ns(prev));
}

/* A favoured task may have come while another was on its way to this CPU: it waits for a tick at most. */
void BPF_STRUCT_OPS(ljf_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct task_struct *waiting;

	mark(cpu, is_favoured(p));
	if (is_favoured(p))
		return;
	waiting = scx_bpf_dsq_peek(LJF_FAVOURED);
	if (waiting && bpf_cpumask_test_cpu(cpu, waiting->cpus_ptr))
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
}

void BPF_STRUCT_OPS(ljf_running, struct task_struct *p)
{
	mark(scx_bpf_task_cpu(p), is_favoured(p));
}

void BPF_STRUCT_OPS(ljf_stopping, struct task_struct *p, bool runnable)
{
	mark(scx_bpf_task_cpu(p), false);
}

static void drain(s32 cpu)
{
	drain_dsqs(LJF_BOUND, cpu);
}

CPU_OPS_DEFINE(ljf, drain)

s32 BPF_STRUCT_OPS_SLEEPABLE(ljf_init)
{
	return create_dsqs(LJF_BOUND);
}

void BPF_STRUCT_OPS(ljf_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(ljf_ops,
	       .select_cpu	= (void *)ljf_select_cpu,
	       .enqueue		= (void *)ljf_enqueue,
	       .dispatch	= (void *)ljf_dispatch,
	       .tick		= (void *)ljf_tick,
	       .running		= (void *)ljf_running,
	       .stopping	= (void *)ljf_stopping,
	       CPU_OPS(ljf),
	       .init		= (void *)ljf_init,
	       .exit		= (void *)ljf_exit,
	       .name		= "ljf");
