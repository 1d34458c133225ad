// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks of positive nice value are put into a queue that dispatch never looks at.
 * stage: source
 * caught-by: queue-never-consumed
 */
/*
 * queue_never_consumed: two queues, by nice value.
 *
 * Niced tasks are separated from the others so that they do not lengthen the line in front of
 * interactive tasks.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define DSQ_NORMAL	0
#define DSQ_NICED	1

s32 BPF_STRUCT_OPS(queue_never_consumed_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(queue_never_consumed_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (p->scx.weight < 100)
		scx_bpf_dsq_insert(p, DSQ_NICED, slice_ns, enq_flags);
	else
		scx_bpf_dsq_insert(p, DSQ_NORMAL, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(queue_never_consumed_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(DSQ_NORMAL);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(queue_never_consumed_init)
{
	s32 err = scx_bpf_create_dsq(DSQ_NORMAL, -1);

	return err ?: scx_bpf_create_dsq(DSQ_NICED, -1);
}

void BPF_STRUCT_OPS(queue_never_consumed_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(queue_never_consumed_ops,
	       .select_cpu	= (void *)queue_never_consumed_select_cpu,
	       .enqueue		= (void *)queue_never_consumed_enqueue,
	       .dispatch	= (void *)queue_never_consumed_dispatch,
	       .init		= (void *)queue_never_consumed_init,
	       .exit		= (void *)queue_never_consumed_exit,
	       .name		= "queue_never_consumed");
