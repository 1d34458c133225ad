// SPDX-License-Identifier: GPL-2.0-only
/* planted: Partial mode: only tasks of class SCHED_EXT, of which there are none, are the policy's;
 * the kernel's own scheduler does the work.
 * stage: behaviour
 * caught-by: enabled but never called (a source rule may see SCX_OPS_SWITCH_PARTIAL)
 */
/*
 * schedules_nobody: fair and never worse than the kernel.
 *
 * Weighted virtual time in one shared queue, tuned to be at least as good as the kernel's own
 * scheduler on every load.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;

#define FAIR	0

static u64 vtime_now;

s32 BPF_STRUCT_OPS(schedules_nobody_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(schedules_nobody_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(schedules_nobody_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR);
}

void BPF_STRUCT_OPS(schedules_nobody_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(schedules_nobody_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(schedules_nobody_init)
{
	return scx_bpf_create_dsq(FAIR, -1);
}

void BPF_STRUCT_OPS(schedules_nobody_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(schedules_nobody_ops,
	       .select_cpu	= (void *)schedules_nobody_select_cpu,
	       .enqueue		= (void *)schedules_nobody_enqueue,
	       .dispatch	= (void *)schedules_nobody_dispatch,
	       .running		= (void *)schedules_nobody_running,
	       .stopping	= (void *)schedules_nobody_stopping,
	       .init		= (void *)schedules_nobody_init,
	       .exit		= (void *)schedules_nobody_exit,
	       .flags		= SCX_OPS_SWITCH_PARTIAL,
	       .name		= "schedules_nobody");
