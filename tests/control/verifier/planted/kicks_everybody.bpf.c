// SPDX-License-Identifier: GPL-2.0-only
/* planted: Every enqueue preempts all CPUs.
 * stage: performance
 * caught-by: throughput
 */
/*
 * kicks_everybody: instant reaction.
 *
 * Whenever a task becomes ready, all CPUs look at the queue anew, so that the best decision is
 * taken at every moment.
 *
 * Good for: latency.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define SHARED_DSQ	0

s32 BPF_STRUCT_OPS(kicks_everybody_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(kicks_everybody_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	bpf_for(cpu, 0, cpus)
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
}

void BPF_STRUCT_OPS(kicks_everybody_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(kicks_everybody_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(kicks_everybody_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(kicks_everybody_ops,
	       .select_cpu	= (void *)kicks_everybody_select_cpu,
	       .enqueue		= (void *)kicks_everybody_enqueue,
	       .dispatch	= (void *)kicks_everybody_dispatch,
	       .init		= (void *)kicks_everybody_init,
	       .exit		= (void *)kicks_everybody_exit,
	       .name		= "kicks_everybody");
