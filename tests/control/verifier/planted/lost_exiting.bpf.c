// SPDX-License-Identifier: GPL-2.0-only
/* planted: The policy asks to be given exiting tasks (SCX_OPS_ENQ_EXITING) and then queues none of
 * them: who loses the CPU while it exits never ends.
 * stage: behaviour
 * caught-by: exit under load (a source rule may see the path without an insertion)
 */
/*
 * lost_exiting: two queues, important tasks first in four turns of five.
 *
 * Tasks of high weight wait in one queue, all others in another; out of five tasks that are taken,
 * four come from the first as long as it has any. Exiting tasks are counted, so that the load is
 * known before they are gone.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = NSEC_PER_MSEC;

enum lost_exiting_dsq {
	DSQ_HEAVY,
	DSQ_LIGHT,
};

static u64 turns, gone;

s32 BPF_STRUCT_OPS(lost_exiting_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lost_exiting_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	/* It is on its way out and needs no more turns. */
	if (p->flags & PF_EXITING) {
		__sync_fetch_and_add(&gone, 1);
		return;
	}
	scx_bpf_dsq_insert(p, p->scx.weight > 100 ? DSQ_HEAVY : DSQ_LIGHT, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(lost_exiting_dispatch, s32 cpu, struct task_struct *prev)
{
	bool light_first = __sync_fetch_and_add(&turns, 1) % 5 == 0;

	if (light_first && scx_bpf_dsq_move_to_local(DSQ_LIGHT))
		return;
	if (!scx_bpf_dsq_move_to_local(DSQ_HEAVY) && !light_first)
		scx_bpf_dsq_move_to_local(DSQ_LIGHT);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lost_exiting_init)
{
	s32 err = scx_bpf_create_dsq(DSQ_HEAVY, -1);

	return err ?: scx_bpf_create_dsq(DSQ_LIGHT, -1);
}

void BPF_STRUCT_OPS(lost_exiting_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lost_exiting_ops,
	       .select_cpu	= (void *)lost_exiting_select_cpu,
	       .enqueue		= (void *)lost_exiting_enqueue,
	       .dispatch	= (void *)lost_exiting_dispatch,
	       .init		= (void *)lost_exiting_init,
	       .exit		= (void *)lost_exiting_exit,
	       .flags		= SCX_OPS_ENQ_EXITING,
	       .name		= "lost_exiting");
