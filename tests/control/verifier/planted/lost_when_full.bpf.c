// SPDX-License-Identifier: GPL-2.0-only
/* planted: The BPF queue holds 24 tasks and nobody looks at what push returns: the 25th waiting
 * task is lost.
 * stage: behaviour
 * caught-by: starvation (stall) with many tasks, fork/exec storm
 */
/*
 * lost_when_full: round robin over a ring of process ids.
 *
 * A small ring keeps the working set in one cache line or two; whoever used up its slice goes to
 * the end.
 *
 * Good for: a handful of equal workers.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 24);
	__type(value, u32);
} ring SEC(".maps");

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;

s32 BPF_STRUCT_OPS(lost_when_full_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lost_when_full_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = p->pid;

	/* Bound tasks can't be taken by just any CPU. */
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	bpf_map_push_elem(&ring, &pid, 0);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(lost_when_full_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	u32 pid, tries;

	bpf_for(tries, 0, 24) {
		if (bpf_map_pop_elem(&ring, &pid))
			break;
		p = bpf_task_from_pid(pid);
		if (!p)
			continue;
		/* From the global queue, any CPU that may takes it. */
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, 0);
		bpf_task_release(p);
		break;
	}
}

void BPF_STRUCT_OPS(lost_when_full_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lost_when_full_ops,
	       .select_cpu	= (void *)lost_when_full_select_cpu,
	       .enqueue		= (void *)lost_when_full_enqueue,
	       .dispatch	= (void *)lost_when_full_dispatch,
	       .exit		= (void *)lost_when_full_exit,
	       .name		= "lost_when_full");
