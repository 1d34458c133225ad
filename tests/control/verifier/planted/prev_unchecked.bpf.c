// SPDX-License-Identifier: GPL-2.0-only
/* planted: dispatch reads the previous task without a look whether there is one.
 * stage: kernel
 * caught-by: kernel verifier: trusted_ptr_or_null_
 */
/*
 * prev_unchecked: keeps the running task while it is light.
 *
 * If the task that ran so far has used less than a slice since it woke up, it goes on; else the
 * next in line gets the CPU.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;

#define LINE	9

s32 BPF_STRUCT_OPS(prev_unchecked_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(prev_unchecked_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(prev_unchecked_dispatch, s32 cpu, struct task_struct *prev)
{
	if (prev->scx.flags & SCX_TASK_QUEUED && prev->se.sum_exec_runtime < NSEC_PER_MSEC)
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(prev_unchecked_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(prev_unchecked_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(prev_unchecked_ops,
	       .select_cpu	= (void *)prev_unchecked_select_cpu,
	       .enqueue		= (void *)prev_unchecked_enqueue,
	       .dispatch	= (void *)prev_unchecked_dispatch,
	       .init		= (void *)prev_unchecked_init,
	       .exit		= (void *)prev_unchecked_exit,
	       .name		= "prev_unchecked");
