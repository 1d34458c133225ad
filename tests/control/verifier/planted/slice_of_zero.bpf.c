// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks are inserted with a slice of zero.
 * stage: source
 * caught-by: missing-slice
 */
/*
 * slice_of_zero: defers to the kernel's slice.
 *
 * The kernel knows best how long a task should run, so no slice is given and the kernel's own is
 * used.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define SHARED_DSQ	0

s32 BPF_STRUCT_OPS(slice_of_zero_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, 0, 0);
	return cpu;
}

void BPF_STRUCT_OPS(slice_of_zero_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq_id = is_cpu_kthread(p) ? SCX_DSQ_LOCAL : SHARED_DSQ;

	scx_bpf_dsq_insert(p, dsq_id, 0, enq_flags);
	if (dsq_id == SHARED_DSQ)
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(slice_of_zero_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(slice_of_zero_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(slice_of_zero_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(slice_of_zero_ops,
	       .select_cpu	= (void *)slice_of_zero_select_cpu,
	       .enqueue		= (void *)slice_of_zero_enqueue,
	       .dispatch	= (void *)slice_of_zero_dispatch,
	       .init		= (void *)slice_of_zero_init,
	       .exit		= (void *)slice_of_zero_exit,
	       .name		= "slice_of_zero");
