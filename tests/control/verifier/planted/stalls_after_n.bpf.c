// SPDX-License-Identifier: GPL-2.0-only
/* planted: dispatch gives up for good after 4000 turns.
 * stage: behaviour
 * caught-by: starvation (stall), wake-up storm
 */
/*
 * stalls_after_n: round robin with a budget.
 *
 * A budget of turns bounds the time spent in dispatch; it is checked before anything is taken from
 * the queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 3 * NSEC_PER_MSEC;
const volatile u64 budget = 4000;

#define RR_DSQ	0

static u64 turns;

s32 BPF_STRUCT_OPS(stalls_after_n_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(stalls_after_n_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, RR_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(stalls_after_n_dispatch, s32 cpu, struct task_struct *prev)
{
	if (__sync_fetch_and_add(&turns, 1) >= budget)
		return;
	scx_bpf_dsq_move_to_local(RR_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(stalls_after_n_init)
{
	return scx_bpf_create_dsq(RR_DSQ, -1);
}

void BPF_STRUCT_OPS(stalls_after_n_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(stalls_after_n_ops,
	       .select_cpu	= (void *)stalls_after_n_select_cpu,
	       .enqueue		= (void *)stalls_after_n_enqueue,
	       .dispatch	= (void *)stalls_after_n_dispatch,
	       .init		= (void *)stalls_after_n_init,
	       .exit		= (void *)stalls_after_n_exit,
	       .name		= "stalls_after_n");
