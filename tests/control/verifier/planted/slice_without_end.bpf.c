// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks get an endless slice and nothing ever takes the CPU back from one that does not
 * sleep.
 * stage: behaviour
 * caught-by: starvation, fairness (a source rule may see SCX_SLICE_INF without a kick)
 */
/*
 * slice_without_end: tickless: no interruptions.
 *
 * Ticks cost throughput, so tasks run until they sleep or exit: the slice is infinite and the tick
 * can be stopped.
 *
 * Good for: high-performance computing.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define SHARED_DSQ	0

s32 BPF_STRUCT_OPS(slice_without_end_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, 0);
	return cpu;
}

void BPF_STRUCT_OPS(slice_without_end_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, SCX_SLICE_INF, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(slice_without_end_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(slice_without_end_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(slice_without_end_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(slice_without_end_ops,
	       .select_cpu	= (void *)slice_without_end_select_cpu,
	       .enqueue		= (void *)slice_without_end_enqueue,
	       .dispatch	= (void *)slice_without_end_dispatch,
	       .init		= (void *)slice_without_end_init,
	       .exit		= (void *)slice_without_end_exit,
	       .name		= "slice_without_end");
