// SPDX-License-Identifier: GPL-2.0-only
/*
 * $name: who has had more CPU time is nearer to the head of the line, and favoured names come before it.
 *
 * A task's place in the shared line is that of one who came earlier by the CPU time it has used so far, but by no more
 * than head_start_ms. So what was begun is ended, and a job that proves to be long waits no more. Tasks whose
 * process name begins with `favour` go before the line, and keep their CPU.
 *
 * Good for: builds and batches of jobs that compute, whose end is decided by one long job, whether its name is known or not;
 * throughput of CPU-bound jobs that outnumber the CPUs.
 * Bad for: anything interactive beside old CPU hogs: who has used little waits up to head_start_ms longer. Weights are ignored.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE_TEXT(favour, "Beginning of the process name of the tasks that go before all others.");
TUNABLE(u64, slice_us, $slice_us, "us", 500, 1000000, log, "Time a task may run before the next in line.");
TUNABLE(u64, head_start_ms, $head_start_ms, "ms", 1, 2000, log, "How much earlier a task's place in line is at most.");

UEI_DEFINE(uei);

#define RELIEF_NS	(100 * NSEC_PER_MSEC)
#define NEWBORN_NS	(10 * NSEC_PER_MSEC)
#define PATIENCE_NS	(1500 * NSEC_PER_MSEC)
#define UNFAVOURED	1	/* rank of who may be preempted */

/* When each CPU last served a task that had waited too long. */
static u64 relieved_at[MAX_CPUS];

enum ${c}_dsq {
	${C}_FAVOURED,
	${C}_SHARED,
	${C}_BOUND,	/* plus the CPU's number */
};

static bool is_favoured(const struct task_struct *p)
{
	return name_begins(p, favour);
}

/* A task that has not executed its program yet has its parent's name: it goes first, to be recognised soon. */
static u64 place_in_line(const struct task_struct *p)
{
	u64 most = MS_TO_NS(head_start_ms), used = p->se.sum_exec_runtime;

	if ((p->flags & PF_FORKNOEXEC) && used < NEWBORN_NS)
		used = most;
	return scx_bpf_now() - min(used, most);
}

s32 BPF_STRUCT_OPS(${c}_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(${c}_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? ${C}_BOUND + scx_bpf_task_cpu(p) : ${C}_SHARED;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	if (is_favoured(p) && !is_bound(p))
		dsq = ${C}_FAVOURED;
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), place_in_line(p), enq_flags);
	if (!wake_idle_cpu(p) && dsq == ${C}_FAVOURED)
		preempt_above(p, 0);
}

void BPF_STRUCT_OPS(${c}_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now(), bound = ${C}_BOUND + cpu, *relieved = CPU_SLOT(relieved_at, cpu);
	u64 longest = PATIENCE_NS + MS_TO_NS(head_start_ms);

	prev = if_runnable(prev);
	if (relieved && lowest_key(${C}_SHARED, bound) < now - min(longest, now) && time_before(*relieved + RELIEF_NS, now)) {
		*relieved = now;
		if (serve_lower(${C}_SHARED, bound))
			return;
	}
	if (scx_bpf_dsq_move_to_local(${C}_FAVOURED))
		return;
	if (!(prev && is_favoured(prev)) && serve_lower(${C}_SHARED, bound))
		return;
	if (prev)
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(${c}_running, struct task_struct *p)
{
	set_rank(scx_bpf_task_cpu(p), is_cpu_kthread(p) || is_favoured(p) ? 0 : UNFAVOURED);
}

void BPF_STRUCT_OPS(${c}_stopping, struct task_struct *p, bool runnable)
{
	set_rank(scx_bpf_task_cpu(p), 0);
}

CPU_OPS_DEFINE(${c}, drain_dsqs(${C}_BOUND, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(${c}_init)
{
	return create_dsqs(${C}_BOUND);
}

void BPF_STRUCT_OPS(${c}_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(${c}_ops,
	       .select_cpu	= (void *)${c}_select_cpu,
	       .enqueue		= (void *)${c}_enqueue,
	       .dispatch	= (void *)${c}_dispatch,
	       .running		= (void *)${c}_running,
	       .stopping	= (void *)${c}_stopping,
	       CPU_OPS(${c}),
	       .init		= (void *)${c}_init,
	       .exit		= (void *)${c}_exit,
	       .name		= "$c");
