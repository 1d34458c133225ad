// SPDX-License-Identifier: GPL-2.0-only
/* planted: A bound task is put into the queue of the CPU that wakes it up, not of the one it is
 * bound to, and may never be found there.
 * stage: behaviour
 * caught-by: affinity, pinned tasks (stall)
 */
/*
 * bound_in_wrong_queue: local queues without locks.
 *
 * A bound task goes into the private queue of its CPU; only that CPU takes from it, so the queue's
 * lock is never fought over. All others share one.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

enum bound_in_wrong_queue_dsq {
	DSQ_SHARED,
	DSQ_PRIVATE,	/* plus the CPU's number */
};

s32 BPF_STRUCT_OPS(bound_in_wrong_queue_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(bound_in_wrong_queue_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = bpf_get_smp_processor_id();

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	/* The key is the time of arrival: queues can be compared by who came first. */
	scx_bpf_dsq_insert_vtime(p, is_bound(p) ? DSQ_PRIVATE + cpu : DSQ_SHARED, slice_ns, scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(bound_in_wrong_queue_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now(), private = DSQ_PRIVATE + cpu;

	if (time_before(first_key(private, now), first_key(DSQ_SHARED, now)) && scx_bpf_dsq_move_to_local(private))
		return;
	if (!scx_bpf_dsq_move_to_local(DSQ_SHARED))
		scx_bpf_dsq_move_to_local(private);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bound_in_wrong_queue_init)
{
	return create_dsqs(DSQ_PRIVATE);
}

void BPF_STRUCT_OPS(bound_in_wrong_queue_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(bound_in_wrong_queue_ops,
	       .select_cpu	= (void *)bound_in_wrong_queue_select_cpu,
	       .enqueue		= (void *)bound_in_wrong_queue_enqueue,
	       .dispatch	= (void *)bound_in_wrong_queue_dispatch,
	       .init		= (void *)bound_in_wrong_queue_init,
	       .exit		= (void *)bound_in_wrong_queue_exit,
	       .name		= "bound_in_wrong_queue");
