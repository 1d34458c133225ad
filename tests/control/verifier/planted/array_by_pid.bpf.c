// SPDX-License-Identifier: GPL-2.0-only
/* planted: An array of 1024 elements is indexed with a process id.
 * stage: kernel
 * caught-by: kernel verifier: access beyond the map's value
 */
/*
 * array_by_pid: remembers how long tasks ran.
 *
 * Each process's last burst is kept in an array; short bursts get to the front.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define BY_BURST	3

static u64 began[1024], burst[1024];

s32 BPF_STRUCT_OPS(array_by_pid_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(array_by_pid_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, BY_BURST, slice_ns, scx_bpf_now() + burst[p->pid], enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(array_by_pid_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(BY_BURST);
}

void BPF_STRUCT_OPS(array_by_pid_running, struct task_struct *p)
{
	began[p->pid] = scx_bpf_now();
}

void BPF_STRUCT_OPS(array_by_pid_stopping, struct task_struct *p, bool runnable)
{
	burst[p->pid] = scx_bpf_now() - began[p->pid];
}

s32 BPF_STRUCT_OPS_SLEEPABLE(array_by_pid_init)
{
	return scx_bpf_create_dsq(BY_BURST, -1);
}

void BPF_STRUCT_OPS(array_by_pid_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(array_by_pid_ops,
	       .select_cpu	= (void *)array_by_pid_select_cpu,
	       .enqueue		= (void *)array_by_pid_enqueue,
	       .dispatch	= (void *)array_by_pid_dispatch,
	       .running		= (void *)array_by_pid_running,
	       .stopping	= (void *)array_by_pid_stopping,
	       .init		= (void *)array_by_pid_init,
	       .exit		= (void *)array_by_pid_exit,
	       .name		= "array_by_pid");
