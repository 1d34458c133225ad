// SPDX-License-Identifier: GPL-2.0-only
/* planted: Slices of a second, no preemption: a task that sleeps briefly waits for seconds each
 * time it wakes up.
 * stage: performance
 * caught-by: wake-up latency beside hogs (behaviour: starvation, wake-up storm)
 */
/*
 * second_long_slices: batch scheduler with long turns.
 *
 * Context switches are overhead. Each task gets the CPU for a second, in order of arrival; who
 * wakes up joins the end of the line.
 *
 * Good for: renderers, compilers, anything that counts in minutes.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = NSEC_PER_SEC;

#define LINE	1

s32 BPF_STRUCT_OPS(second_long_slices_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(second_long_slices_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(second_long_slices_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(second_long_slices_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(second_long_slices_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(second_long_slices_ops,
	       .select_cpu	= (void *)second_long_slices_select_cpu,
	       .enqueue		= (void *)second_long_slices_enqueue,
	       .dispatch	= (void *)second_long_slices_dispatch,
	       .init		= (void *)second_long_slices_init,
	       .exit		= (void *)second_long_slices_exit,
	       .name		= "second_long_slices");
