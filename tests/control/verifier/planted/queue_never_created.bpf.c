// SPDX-License-Identifier: GPL-2.0-only
/* planted: The queue for bound tasks is used but never created.
 * stage: source
 * caught-by: queue-never-created (the kernel ejects it at the first bound task)
 */
/*
 * queue_never_created: shared vtime queue, bound tasks apart.
 *
 * Tasks that are bound to a CPU have a queue of their own, which every CPU checks first; the others
 * share one ordered by virtual time.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

enum queue_never_created_dsq {
	DSQ_BOUND = 100,
	DSQ_SHARED = 101,
};

static u64 vtime_now;

s32 BPF_STRUCT_OPS(queue_never_created_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(queue_never_created_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, DSQ_BOUND, slice_ns, enq_flags);
		wake_idle_cpu(p);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, DSQ_SHARED, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(queue_never_created_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!scx_bpf_dsq_move_to_local(DSQ_BOUND))
		scx_bpf_dsq_move_to_local(DSQ_SHARED);
}

void BPF_STRUCT_OPS(queue_never_created_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(queue_never_created_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(queue_never_created_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(queue_never_created_init)
{
	return scx_bpf_create_dsq(DSQ_SHARED, -1);
}

void BPF_STRUCT_OPS(queue_never_created_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(queue_never_created_ops,
	       .select_cpu	= (void *)queue_never_created_select_cpu,
	       .enqueue		= (void *)queue_never_created_enqueue,
	       .dispatch	= (void *)queue_never_created_dispatch,
	       .running		= (void *)queue_never_created_running,
	       .stopping	= (void *)queue_never_created_stopping,
	       .enable		= (void *)queue_never_created_enable,
	       .init		= (void *)queue_never_created_init,
	       .exit		= (void *)queue_never_created_exit,
	       .name		= "queue_never_created");
