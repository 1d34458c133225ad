// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks that have just been forked wait until nobody else wants a CPU.
 * stage: behaviour
 * caught-by: fork/exec storm, starvation
 */
/*
 * starve_newborn: protects running services from fork storms.
 *
 * A burst of new processes must not disturb those that are established: a task that has not run for
 * a millisecond yet is on probation and only uses CPU time that the others leave.
 *
 * Good for: servers that run cron jobs and health checks beside long-lived workers.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

TUNABLE(u64, slice_us, 6000, "us", 500, 100000, log, "Time a task may run before the next in line.");
TUNABLE(u64, probation_us, 1000, "us", 100, 100000, log, "CPU time after which a task counts as established.");

enum starve_newborn_dsq {
	ESTABLISHED,
	PROBATION,
};

static bool on_probation(const struct task_struct *p)
{
	return p->se.sum_exec_runtime < US_TO_NS(probation_us) && !(p->flags & PF_KTHREAD);
}

s32 BPF_STRUCT_OPS(starve_newborn_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_newborn_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = on_probation(p) ? PROBATION : ESTABLISHED;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, dsq, US_TO_NS(slice_us), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_newborn_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(ESTABLISHED))
		return;
	prev = if_runnable(prev);
	if (prev && !on_probation(prev)) {
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
		return;
	}
	scx_bpf_dsq_move_to_local(PROBATION);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_newborn_init)
{
	s32 err = scx_bpf_create_dsq(ESTABLISHED, -1);

	return err ?: scx_bpf_create_dsq(PROBATION, -1);
}

void BPF_STRUCT_OPS(starve_newborn_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_newborn_ops,
	       .select_cpu	= (void *)starve_newborn_select_cpu,
	       .enqueue		= (void *)starve_newborn_enqueue,
	       .dispatch	= (void *)starve_newborn_dispatch,
	       .init		= (void *)starve_newborn_init,
	       .exit		= (void *)starve_newborn_exit,
	       .name		= "starve_newborn");
