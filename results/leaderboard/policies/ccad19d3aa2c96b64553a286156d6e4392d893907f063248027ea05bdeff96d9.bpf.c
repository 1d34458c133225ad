// SPDX-License-Identifier: GPL-2.0-only
/*
 * most-served-first-12: who has had more CPU time is nearer to the head of the line, and favoured names come before it.
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
TUNABLE(u64, slice_us, 20000, "us", 500, 1000000, log, "Time a task may run before the next in line.");
TUNABLE(u64, head_start_ms, 40, "ms", 1, 2000, log, "How much earlier a task's place in line is at most.");

UEI_DEFINE(uei);

#define RELIEF_NS	(100 * NSEC_PER_MSEC)
#define NEWBORN_NS	(10 * NSEC_PER_MSEC)
#define PATIENCE_NS	(1500 * NSEC_PER_MSEC)
#define UNFAVOURED	1	/* rank of who may be preempted */

/* When each CPU last served a task that had waited too long. */
static u64 relieved_at[MAX_CPUS];

enum most_served_first_12_dsq {
	MOST_SERVED_FIRST_12_FAVOURED,
	MOST_SERVED_FIRST_12_SHARED,
	MOST_SERVED_FIRST_12_BOUND,	/* plus the CPU's number */
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

s32 BPF_STRUCT_OPS(most_served_first_12_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(most_served_first_12_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? MOST_SERVED_FIRST_12_BOUND + scx_bpf_task_cpu(p) : MOST_SERVED_FIRST_12_SHARED;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	if (is_favoured(p) && !is_bound(p))
		dsq = MOST_SERVED_FIRST_12_FAVOURED;
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), place_in_line(p), enq_flags);
	if (!wake_idle_cpu(p) && dsq == MOST_SERVED_FIRST_12_FAVOURED)
		preempt_above(p, 0);
}

void BPF_STRUCT_OPS(most_served_first_12_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now(), bound = MOST_SERVED_FIRST_12_BOUND + cpu, *relieved = CPU_SLOT(relieved_at, cpu);
	u64 longest = PATIENCE_NS + MS_TO_NS(head_start_ms);

	prev = if_runnable(prev);
	if (relieved && lowest_key(MOST_SERVED_FIRST_12_SHARED, bound) < now - min(longest, now) && time_before(*relieved + RELIEF_NS, now)) {
		*relieved = now;
		if (serve_lower(MOST_SERVED_FIRST_12_SHARED, bound))
			return;
	}
	if (scx_bpf_dsq_move_to_local(MOST_SERVED_FIRST_12_FAVOURED))
		return;
	if (!(prev && is_favoured(prev)) && serve_lower(MOST_SERVED_FIRST_12_SHARED, bound))
		return;
	if (prev)
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(most_served_first_12_running, struct task_struct *p)
{
	set_rank(scx_bpf_task_cpu(p), is_cpu_kthread(p) || is_favoured(p) ? 0 : UNFAVOURED);
}

void BPF_STRUCT_OPS(most_served_first_12_stopping, struct task_struct *p, bool runnable)
{
	set_rank(scx_bpf_task_cpu(p), 0);
}

CPU_OPS_DEFINE(most_served_first_12, drain_dsqs(MOST_SERVED_FIRST_12_BOUND, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(most_served_first_12_init)
{
	return create_dsqs(MOST_SERVED_FIRST_12_BOUND);
}

void BPF_STRUCT_OPS(most_served_first_12_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(most_served_first_12_ops,
	       .select_cpu	= (void *)most_served_first_12_select_cpu,
	       .enqueue		= (void *)most_served_first_12_enqueue,
	       .dispatch	= (void *)most_served_first_12_dispatch,
	       .running		= (void *)most_served_first_12_running,
	       .stopping	= (void *)most_served_first_12_stopping,
	       CPU_OPS(most_served_first_12),
	       .init		= (void *)most_served_first_12_init,
	       .exit		= (void *)most_served_first_12_exit,
	       .name		= "most_served_first_12");
