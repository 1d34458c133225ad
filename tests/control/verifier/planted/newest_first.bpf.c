// SPDX-License-Identifier: GPL-2.0-only
/* planted: Everything is put at the head of the queue: last in, first out, and who waits longest
 * waits on.
 * stage: behaviour
 * caught-by: starvation, fairness
 */
/*
 * newest_first: most recently run first.
 *
 * The task that was queued last has the warmest cache, so it should be the first to get a CPU.
 * Everything else is left to the kernel's defaults.
 *
 * Good for: cache-hungry workloads.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define STACK	0

s32 BPF_STRUCT_OPS(newest_first_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(newest_first_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, STACK, slice_ns, enq_flags | SCX_ENQ_HEAD);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(newest_first_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(STACK);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(newest_first_init)
{
	return scx_bpf_create_dsq(STACK, -1);
}

void BPF_STRUCT_OPS(newest_first_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(newest_first_ops,
	       .select_cpu	= (void *)newest_first_select_cpu,
	       .enqueue		= (void *)newest_first_enqueue,
	       .dispatch	= (void *)newest_first_dispatch,
	       .init		= (void *)newest_first_init,
	       .exit		= (void *)newest_first_exit,
	       .name		= "newest_first");
