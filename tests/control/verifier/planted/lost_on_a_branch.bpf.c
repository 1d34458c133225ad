// SPDX-License-Identifier: GPL-2.0-only
/* planted: enqueue inserts a niced task only while fewer than eight are queued; the ninth is
 * forgotten and never runs again.
 * stage: behaviour
 * caught-by: starvation (stall), nice
 */
/*
 * lost_on_a_branch: FIFO with a limit on background work.
 *
 * Niced tasks are throttled: at most eight of them may be in line at a time, so that a pile of
 * batch jobs can't fill the queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define SHARED	0
#define MAX_BACKGROUND	8

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

static s64 background;

static bool is_background(const struct task_struct *p)
{
	return p->scx.weight < 100;
}

s32 BPF_STRUCT_OPS(lost_on_a_branch_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lost_on_a_branch_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_background(p)) {
		if (__sync_fetch_and_add(&background, 1) < MAX_BACKGROUND)
			scx_bpf_dsq_insert(p, SHARED, slice_ns, enq_flags);
		else
			__sync_fetch_and_add(&background, -1);
	} else {
		scx_bpf_dsq_insert(p, SHARED, slice_ns, enq_flags);
	}
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(lost_on_a_branch_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED);
}

void BPF_STRUCT_OPS(lost_on_a_branch_running, struct task_struct *p)
{
	if (is_background(p) && READ_ONCE(background) > 0)
		__sync_fetch_and_add(&background, -1);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lost_on_a_branch_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(lost_on_a_branch_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lost_on_a_branch_ops,
	       .select_cpu	= (void *)lost_on_a_branch_select_cpu,
	       .enqueue		= (void *)lost_on_a_branch_enqueue,
	       .dispatch	= (void *)lost_on_a_branch_dispatch,
	       .running		= (void *)lost_on_a_branch_running,
	       .init		= (void *)lost_on_a_branch_init,
	       .exit		= (void *)lost_on_a_branch_exit,
	       .name		= "lost_on_a_branch");
