// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks with an even process id are charged an eighth of the CPU time they use.
 * stage: behaviour
 * caught-by: fairness
 */
/*
 * unfair_even_pids: fair sharing by virtual time.
 *
 * Whoever has used the least CPU time, divided by its weight, runs next. Tasks alternate between
 * two cost classes so that neighbours do not run in lock step.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

TUNABLE(u64, slice_us, 5000, "us", 100, 100000, log, "Time a task may run before the choice is made again.");

#define SHARED_DSQ	0

static u64 vtime_now;

static u64 cost(const struct task_struct *p, u64 used)
{
	u64 jitter = (p->pid & 1) ? 0 : 3;

	return by_weight(p, used) >> jitter;
}

s32 BPF_STRUCT_OPS(unfair_even_pids_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), 0);
	return cpu;
}

void BPF_STRUCT_OPS(unfair_even_pids_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime, slice = US_TO_NS(slice_us);

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice))
		vtime = vtime_now - slice;
	scx_bpf_dsq_insert_vtime(p, SHARED_DSQ, slice, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(unfair_even_pids_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

void BPF_STRUCT_OPS(unfair_even_pids_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(unfair_even_pids_stopping, struct task_struct *p, bool runnable)
{
	u64 slice = US_TO_NS(slice_us);
	u64 used = slice - min(p->scx.slice, slice);

	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + cost(p, used));
}

void BPF_STRUCT_OPS(unfair_even_pids_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(unfair_even_pids_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(unfair_even_pids_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(unfair_even_pids_ops,
	       .select_cpu	= (void *)unfair_even_pids_select_cpu,
	       .enqueue		= (void *)unfair_even_pids_enqueue,
	       .dispatch	= (void *)unfair_even_pids_dispatch,
	       .running		= (void *)unfair_even_pids_running,
	       .stopping	= (void *)unfair_even_pids_stopping,
	       .enable		= (void *)unfair_even_pids_enable,
	       .init		= (void *)unfair_even_pids_init,
	       .exit		= (void *)unfair_even_pids_exit,
	       .name		= "unfair_even_pids");
