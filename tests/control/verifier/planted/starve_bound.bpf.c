// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks bound to one CPU wait in a queue that is looked at only when the shared one is
 * empty.
 * stage: behaviour
 * caught-by: pinned tasks, starvation
 */
/*
 * starve_bound: global vtime queue, with side queues for bound tasks.
 *
 * Tasks that may run anywhere share one queue ordered by virtual time. The few that are bound to a
 * CPU wait in that CPU's side queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define SHARED	0
#define SIDE	1	/* plus the CPU's number */

static u64 vtime_now;

s32 BPF_STRUCT_OPS(starve_bound_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_bound_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, SIDE + scx_bpf_task_cpu(p), slice_ns, enq_flags);
		wake_idle_cpu(p);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, SHARED, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_bound_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(SHARED))
		return;
	prev = if_runnable(prev);
	if (prev && !is_bound(prev))
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(SIDE + cpu);
}

void BPF_STRUCT_OPS(starve_bound_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(starve_bound_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(starve_bound_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_bound_init)
{
	return create_dsqs(SIDE);
}

void BPF_STRUCT_OPS(starve_bound_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_bound_ops,
	       .select_cpu	= (void *)starve_bound_select_cpu,
	       .enqueue		= (void *)starve_bound_enqueue,
	       .dispatch	= (void *)starve_bound_dispatch,
	       .running		= (void *)starve_bound_running,
	       .stopping	= (void *)starve_bound_stopping,
	       .enable		= (void *)starve_bound_enable,
	       .init		= (void *)starve_bound_init,
	       .exit		= (void *)starve_bound_exit,
	       .name		= "starve_bound");
