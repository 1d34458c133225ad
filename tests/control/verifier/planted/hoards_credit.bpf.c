// SPDX-License-Identifier: GPL-2.0-only
/* planted: A task's virtual time is never brought up to the others': one that slept, or is new,
 * shuts them out until it has used as much as they did.
 * stage: behaviour
 * caught-by: starvation of running tasks by a late starter
 */
/*
 * hoards_credit: completely fair by virtual time.
 *
 * Each task's virtual time is all the CPU time it ever used, divided by its weight. The least runs
 * first, so in the long run all get the same, no matter when they came.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

TUNABLE(u64, slice_us, 5000, "us", 100, 100000, log, "Time a task may run before the choice is made again.");

#define FAIR	0

s32 BPF_STRUCT_OPS(hoards_credit_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), 0);
	return cpu;
}

void BPF_STRUCT_OPS(hoards_credit_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, FAIR, US_TO_NS(slice_us), p->scx.dsq_vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(hoards_credit_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR);
}

void BPF_STRUCT_OPS(hoards_credit_stopping, struct task_struct *p, bool runnable)
{
	u64 slice = US_TO_NS(slice_us);

	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice - min(p->scx.slice, slice)));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(hoards_credit_init)
{
	return scx_bpf_create_dsq(FAIR, -1);
}

void BPF_STRUCT_OPS(hoards_credit_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(hoards_credit_ops,
	       .select_cpu	= (void *)hoards_credit_select_cpu,
	       .enqueue		= (void *)hoards_credit_enqueue,
	       .dispatch	= (void *)hoards_credit_dispatch,
	       .stopping	= (void *)hoards_credit_stopping,
	       .init		= (void *)hoards_credit_init,
	       .exit		= (void *)hoards_credit_exit,
	       .name		= "hoards_credit");
