// SPDX-License-Identifier: GPL-2.0-only
/* planted: Exiting tasks are asked for (SCX_OPS_ENQ_EXITING) but looked up by process id, which
 * they have lost by then: they never finish to exit.
 * stage: behaviour
 * caught-by: exit under load
 */
/*
 * lost_exiting: two-level FIFO in BPF queues, nice first.
 *
 * Tasks of high weight wait in one queue, all others in another; out of five tasks that are taken,
 * four come from the first as long as it has any.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, u32);
} heavy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, u32);
} light SEC(".maps");

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

static u64 turns;

s32 BPF_STRUCT_OPS(lost_exiting_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lost_exiting_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = p->pid;
	long err;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (p->scx.weight > 100)
		err = bpf_map_push_elem(&heavy, &pid, 0);
	else
		err = bpf_map_push_elem(&light, &pid, 0);
	if (err)
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, enq_flags);
	else
		wake_idle_cpu(p);
}

static bool pop(u32 *pid)
{
	bool light_first = __sync_fetch_and_add(&turns, 1) % 5 == 0;

	if (light_first && !bpf_map_pop_elem(&light, pid))
		return true;
	if (!bpf_map_pop_elem(&heavy, pid))
		return true;
	return !light_first && !bpf_map_pop_elem(&light, pid);
}

void BPF_STRUCT_OPS(lost_exiting_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	u32 pid = 0, tries;

	bpf_for(tries, 0, 16) {
		if (!pop(&pid))
			return;
		p = bpf_task_from_pid(pid);
		if (!p)
			continue;
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, 0);
		bpf_task_release(p);
		return;
	}
}

void BPF_STRUCT_OPS(lost_exiting_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lost_exiting_ops,
	       .select_cpu	= (void *)lost_exiting_select_cpu,
	       .enqueue		= (void *)lost_exiting_enqueue,
	       .dispatch	= (void *)lost_exiting_dispatch,
	       .exit		= (void *)lost_exiting_exit,
	       .flags		= SCX_OPS_ENQ_EXITING,
	       .name		= "lost_exiting");
