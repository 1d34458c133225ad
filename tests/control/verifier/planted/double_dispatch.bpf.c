// SPDX-License-Identifier: GPL-2.0-only
/* planted: A woken task is put on its idle CPU and then, for want of a return, into the shared
 * queue as well.
 * stage: behaviour
 * caught-by: any case (ejected: already direct-dispatched)
 */
/*
 * double_dispatch: fast path for idle CPUs.
 *
 * A task that wakes up while the CPU it last ran on is idle is put there at once; all others wait
 * in a shared queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 15 * NSEC_PER_MSEC;

#define SHARED_DSQ	42

s32 BPF_STRUCT_OPS(double_dispatch_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

void BPF_STRUCT_OPS(double_dispatch_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (scx_bpf_test_and_clear_cpu_idle(cpu)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(double_dispatch_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(double_dispatch_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(double_dispatch_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(double_dispatch_ops,
	       .select_cpu	= (void *)double_dispatch_select_cpu,
	       .enqueue		= (void *)double_dispatch_enqueue,
	       .dispatch	= (void *)double_dispatch_dispatch,
	       .init		= (void *)double_dispatch_init,
	       .exit		= (void *)double_dispatch_exit,
	       .name		= "double_dispatch");
