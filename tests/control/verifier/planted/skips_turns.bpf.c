// SPDX-License-Identifier: GPL-2.0-only
/* planted: Every CPU but the first takes nothing on three of four turns, and so goes idle with work
 * in the queue.
 * stage: behaviour
 * caught-by: work conservation
 */
/*
 * skips_turns: lets the first CPU lead.
 *
 * To lower contention for the shared queue, CPUs other than the first back off: they try for work
 * on every fourth turn only.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 6 * NSEC_PER_MSEC;

#define SHARED	0

static u64 turns[MAX_CPUS];

s32 BPF_STRUCT_OPS(skips_turns_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(skips_turns_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(skips_turns_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 *turn = CPU_SLOT(turns, cpu);

	if (cpu > 0 && turn && (*turn)++ % 4)
		return;
	scx_bpf_dsq_move_to_local(SHARED);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(skips_turns_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

void BPF_STRUCT_OPS(skips_turns_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(skips_turns_ops,
	       .select_cpu	= (void *)skips_turns_select_cpu,
	       .enqueue		= (void *)skips_turns_enqueue,
	       .dispatch	= (void *)skips_turns_dispatch,
	       .init		= (void *)skips_turns_init,
	       .exit		= (void *)skips_turns_exit,
	       .name		= "skips_turns");
