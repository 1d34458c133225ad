// SPDX-License-Identifier: GPL-2.0-only
/* planted: With more than 32 tasks waiting, the rest goes to an overflow queue that is served only
 * when the main one is empty.
 * stage: behaviour
 * caught-by: starvation or fairness with more than 32 tasks
 */
/*
 * overflow_starves: FIFO with a bounded main queue.
 *
 * The main queue is kept short so that its lock is held briefly; what does not fit goes to an
 * overflow queue and is taken from there when the main queue has run empty.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 3 * NSEC_PER_MSEC;

#define MAIN	0
#define OVERFLOW	1
#define MAIN_MAX	32

s32 BPF_STRUCT_OPS(overflow_starves_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(overflow_starves_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, scx_bpf_dsq_nr_queued(MAIN) < MAIN_MAX ? MAIN : OVERFLOW, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(overflow_starves_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!scx_bpf_dsq_move_to_local(MAIN))
		scx_bpf_dsq_move_to_local(OVERFLOW);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(overflow_starves_init)
{
	s32 err = scx_bpf_create_dsq(MAIN, -1);

	return err ?: scx_bpf_create_dsq(OVERFLOW, -1);
}

void BPF_STRUCT_OPS(overflow_starves_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(overflow_starves_ops,
	       .select_cpu	= (void *)overflow_starves_select_cpu,
	       .enqueue		= (void *)overflow_starves_enqueue,
	       .dispatch	= (void *)overflow_starves_dispatch,
	       .init		= (void *)overflow_starves_init,
	       .exit		= (void *)overflow_starves_exit,
	       .name		= "overflow_starves");
