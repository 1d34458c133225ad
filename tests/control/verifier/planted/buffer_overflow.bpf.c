// SPDX-License-Identifier: GPL-2.0-only
/* planted: dispatch moves all waiting tasks at once; above 32 the dispatch buffer overflows.
 * stage: behaviour
 * caught-by: many tasks, fork/exec storm (ejected: dispatch buffer overflow)
 */
/*
 * buffer_overflow: batched dispatch.
 *
 * Taking the queue's lock once for many tasks is cheaper than once for each. A CPU that needs work
 * takes all that wait and hands them to the global queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, u32);
} inbox SEC(".maps");

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

s32 BPF_STRUCT_OPS(buffer_overflow_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(buffer_overflow_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = p->pid;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (bpf_map_push_elem(&inbox, &pid, 0))
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, enq_flags);
	else
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(buffer_overflow_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	u32 pid, n;

	bpf_for(n, 0, 4096) {
		if (bpf_map_pop_elem(&inbox, &pid))
			break;
		p = bpf_task_from_pid(pid);
		if (!p)
			continue;
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, 0);
		bpf_task_release(p);
	}
}

void BPF_STRUCT_OPS(buffer_overflow_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(buffer_overflow_ops,
	       .select_cpu	= (void *)buffer_overflow_select_cpu,
	       .enqueue		= (void *)buffer_overflow_enqueue,
	       .dispatch	= (void *)buffer_overflow_dispatch,
	       .exit		= (void *)buffer_overflow_exit,
	       .name		= "buffer_overflow");
