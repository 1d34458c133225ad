// SPDX-License-Identifier: GPL-2.0-only
/* planted: A task taken by its process id is not given back on one way out.
 * stage: kernel
 * caught-by: kernel verifier: unreleased reference
 */
/*
 * task_not_released: a FIFO of process ids.
 *
 * Ids wait in a BPF queue; ids of tasks that are gone, or that may not run here, are passed over
 * for the next CPU.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 2048);
	__type(value, u32);
} ids SEC(".maps");

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

void BPF_STRUCT_OPS(task_not_released_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = p->pid;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_bound(p) || bpf_map_push_elem(&ids, &pid, 0))
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
	else
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(task_not_released_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	u32 pid;

	if (bpf_map_pop_elem(&ids, &pid))
		return;
	p = bpf_task_from_pid(pid);
	if (!p)
		return;
	if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
		bpf_map_push_elem(&ids, &pid, 0);
		return;
	}
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	bpf_task_release(p);
}

void BPF_STRUCT_OPS(task_not_released_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(task_not_released_ops,
	       .enqueue		= (void *)task_not_released_enqueue,
	       .dispatch	= (void *)task_not_released_dispatch,
	       .exit		= (void *)task_not_released_exit,
	       .name		= "task_not_released");
