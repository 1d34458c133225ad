// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks of positive nice value run only when no other task waits: beside enough busy tasks
 * they starve.
 * stage: behaviour
 * caught-by: starvation, nice
 */
/*
 * starve_low_priority: interactive tasks before batch.
 *
 * Tasks of nice 0 and below are taken to be interactive and go first, in the order of their
 * arrival. Niced tasks are batch work and use what CPU time is left over.
 *
 * Good for: desktops and build machines where somebody is waiting for a shell.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

enum starve_low_priority_dsq {
	DSQ_INTERACTIVE,
	DSQ_BATCH,
};

static bool is_batch(const struct task_struct *p)
{
	return p->scx.weight < 100;
}

s32 BPF_STRUCT_OPS(starve_low_priority_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_low_priority_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, is_batch(p) ? DSQ_BATCH : DSQ_INTERACTIVE, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_low_priority_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(DSQ_INTERACTIVE))
		return;
	prev = if_runnable(prev);
	if (prev && !is_batch(prev)) {
		scx_bpf_task_set_slice(prev, slice_ns);
		return;
	}
	scx_bpf_dsq_move_to_local(DSQ_BATCH);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_low_priority_init)
{
	s32 err = scx_bpf_create_dsq(DSQ_INTERACTIVE, -1);

	return err ?: scx_bpf_create_dsq(DSQ_BATCH, -1);
}

void BPF_STRUCT_OPS(starve_low_priority_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_low_priority_ops,
	       .select_cpu	= (void *)starve_low_priority_select_cpu,
	       .enqueue		= (void *)starve_low_priority_enqueue,
	       .dispatch	= (void *)starve_low_priority_dispatch,
	       .init		= (void *)starve_low_priority_init,
	       .exit		= (void *)starve_low_priority_exit,
	       .name		= "starve_low_priority");
