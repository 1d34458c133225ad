// SPDX-License-Identifier: GPL-2.0-only
/* planted: Kernel threads, those bound to a CPU included, wait in a shared queue behind all user
 * tasks.
 * stage: behaviour
 * caught-by: pinned kernel threads
 */
/*
 * kthreads_behind_hogs: user space first.
 *
 * People care for their own programs, not for the kernel's housekeeping. User tasks go first in
 * order of arrival, kernel threads follow.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define USER_DSQ	0
#define KERNEL_DSQ	1

s32 BPF_STRUCT_OPS(kthreads_behind_hogs_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(kthreads_behind_hogs_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, p->flags & PF_KTHREAD ? KERNEL_DSQ : USER_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(kthreads_behind_hogs_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(USER_DSQ))
		return;
	prev = if_runnable(prev);
	if (prev && !(prev->flags & PF_KTHREAD))
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(KERNEL_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(kthreads_behind_hogs_init)
{
	s32 err = scx_bpf_create_dsq(USER_DSQ, -1);

	return err ?: scx_bpf_create_dsq(KERNEL_DSQ, -1);
}

void BPF_STRUCT_OPS(kthreads_behind_hogs_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(kthreads_behind_hogs_ops,
	       .select_cpu	= (void *)kthreads_behind_hogs_select_cpu,
	       .enqueue		= (void *)kthreads_behind_hogs_enqueue,
	       .dispatch	= (void *)kthreads_behind_hogs_dispatch,
	       .init		= (void *)kthreads_behind_hogs_init,
	       .exit		= (void *)kthreads_behind_hogs_exit,
	       .name		= "kthreads_behind_hogs");
