// SPDX-License-Identifier: GPL-2.0-only
/* planted: A task popped from the queue that may not run on this CPU is dropped instead of being
 * put back.
 * stage: behaviour
 * caught-by: affinity, starvation (stall)
 */
/*
 * lost_when_popped: a plain FIFO in a BPF queue.
 *
 * Process ids wait in a BPF queue, a CPU that needs work pops the first. Keeping the queue in BPF
 * rather than in a dispatch queue makes it easy to change the order later.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, u32);
} waiting SEC(".maps");

const volatile u64 slice_ns = 20 * NSEC_PER_MSEC;

s32 BPF_STRUCT_OPS(lost_when_popped_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lost_when_popped_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = p->pid;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (bpf_map_push_elem(&waiting, &pid, 0)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, enq_flags);
		return;
	}
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(lost_when_popped_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	u32 pid, tries;

	bpf_for(tries, 0, 16) {
		if (bpf_map_pop_elem(&waiting, &pid))
			return;
		p = bpf_task_from_pid(pid);
		if (!p)
			continue;
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
			bpf_task_release(p);
			return;
		}
		bpf_task_release(p);
	}
}

void BPF_STRUCT_OPS(lost_when_popped_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lost_when_popped_ops,
	       .select_cpu	= (void *)lost_when_popped_select_cpu,
	       .enqueue		= (void *)lost_when_popped_enqueue,
	       .dispatch	= (void *)lost_when_popped_dispatch,
	       .exit		= (void *)lost_when_popped_exit,
	       .name		= "lost_when_popped");
