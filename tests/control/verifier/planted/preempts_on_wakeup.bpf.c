// SPDX-License-Identifier: GPL-2.0-only
/* planted: Each wake-up takes the CPU from whoever runs there and sends that one to the end of the
 * line.
 * stage: performance
 * caught-by: throughput, request latency
 */
/*
 * preempts_on_wakeup: wake-ups first.
 *
 * A task that wakes up has been waited for: it preempts what runs on its CPU. The preempted one
 * queues again.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define LINE	0

void BPF_STRUCT_OPS(preempts_on_wakeup_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (enq_flags & SCX_ENQ_WAKEUP) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(preempts_on_wakeup_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(preempts_on_wakeup_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(preempts_on_wakeup_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(preempts_on_wakeup_ops,
	       .enqueue		= (void *)preempts_on_wakeup_enqueue,
	       .dispatch	= (void *)preempts_on_wakeup_dispatch,
	       .init		= (void *)preempts_on_wakeup_init,
	       .exit		= (void *)preempts_on_wakeup_exit,
	       .name		= "preempts_on_wakeup");
