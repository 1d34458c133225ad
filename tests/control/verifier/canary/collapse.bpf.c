// SPDX-License-Identifier: GPL-2.0-only
/*
 * collapse: fine as long as it schedules a share of the tasks, and for 2 s after it got them all; then all free
 * tasks have one CPU between them. That it got them all shows in the kernel threads it sees.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

static u64 full_since;

#define SHARED	0

static bool is_bad(void)
{
	return full_since && bpf_ktime_get_ns() - full_since > 2 * NSEC_PER_SEC;
}

void BPF_STRUCT_OPS(collapse_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!full_since && (p->flags & PF_KTHREAD))
		full_since = bpf_ktime_get_ns();
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED, SCX_SLICE_DFL, enq_flags);
	if (is_bad())
		scx_bpf_kick_cpu(0, SCX_KICK_IDLE);
	else
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(collapse_dispatch, s32 cpu, struct task_struct *prev)
{
	if (cpu == 0 || !is_bad())
		scx_bpf_dsq_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(collapse_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(collapse_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

/* Without select_cpu of its own the kernel would put tasks onto idle CPUs. */
s32 BPF_STRUCT_OPS(collapse_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

SCX_OPS_DEFINE(collapse_ops,
	       .select_cpu	= (void *)collapse_select_cpu,
	       .enqueue		= (void *)collapse_enqueue,
	       .dispatch	= (void *)collapse_dispatch,
	       .init		= (void *)collapse_init,
	       .exit		= (void *)collapse_exit,
	       .flags		= SCX_OPS_ENQ_LAST,
	       .name		= "collapse");
