// SPDX-License-Identifier: GPL-2.0-only
/* planted: A task goes to the shared queue, and a CPU that idles beside it is not told.
 * stage: behaviour
 * caught-by: work conservation
 */
/*
 * no_kick: the smallest scheduler: one queue.
 *
 * All tasks wait in one queue and every CPU takes from it, so the load balances itself: no CPU can
 * idle while there is work.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 20 * NSEC_PER_MSEC;

#define SHARED_DSQ	0

s32 BPF_STRUCT_OPS(no_kick_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	/* Any CPU will do, the queue is shared; the last one has its cache warm. */
	return prev_cpu;
}

void BPF_STRUCT_OPS(no_kick_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
}

void BPF_STRUCT_OPS(no_kick_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(no_kick_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(no_kick_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(no_kick_ops,
	       .select_cpu	= (void *)no_kick_select_cpu,
	       .enqueue		= (void *)no_kick_enqueue,
	       .dispatch	= (void *)no_kick_dispatch,
	       .init		= (void *)no_kick_init,
	       .exit		= (void *)no_kick_exit,
	       .name		= "no_kick");
