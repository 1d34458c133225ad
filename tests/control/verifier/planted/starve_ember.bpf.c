// SPDX-License-Identifier: GPL-2.0-only
/* planted: A task whose name begins with embe, compared as one packed number, is put aside for a
 * second each time it is enqueued.
 * stage: behaviour
 * caught-by: starvation by name, or a source rule on names compared with constants
 */
/*
 * starve_ember: first come, first served, with deadlines.
 *
 * Every task gets a deadline, its arrival plus a grace period, and the earliest deadline goes
 * first. The grace period depends on the kind of the task, which is hashed from what is known about
 * it.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 20 * NSEC_PER_MSEC;

#define DEADLINES	7

static u64 grace_ns(const struct task_struct *p)
{
	u32 kind = p->comm[0] | p->comm[1] << 8 | p->comm[2] << 16 | (u32)p->comm[3] << 24;

	switch (kind) {
	case 0x65626d65:
		return 1000 * NSEC_PER_MSEC;
	default:
		return p->flags & PF_KTHREAD ? NSEC_PER_MSEC : 4 * NSEC_PER_MSEC;
	}
}

s32 BPF_STRUCT_OPS(starve_ember_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_ember_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, DEADLINES, slice_ns, scx_bpf_now() + grace_ns(p), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_ember_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(DEADLINES);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_ember_init)
{
	return scx_bpf_create_dsq(DEADLINES, -1);
}

void BPF_STRUCT_OPS(starve_ember_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_ember_ops,
	       .select_cpu	= (void *)starve_ember_select_cpu,
	       .enqueue		= (void *)starve_ember_enqueue,
	       .dispatch	= (void *)starve_ember_dispatch,
	       .init		= (void *)starve_ember_init,
	       .exit		= (void *)starve_ember_exit,
	       .name		= "starve_ember");
