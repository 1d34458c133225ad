// SPDX-License-Identifier: GPL-2.0-only
/* planted: The slice is what is left of a quota; once a task has used more, the difference wraps
 * round and its slice has no end.
 * stage: behaviour
 * caught-by: starvation, fairness
 */
/*
 * slice_underflow: shrinking slices.
 *
 * A task that wakes up has a quota of 30 ms; each slice is half of what is left of it, so long
 * bursts are cut finer and finer and make room for short ones.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 quota_ns = 30 * NSEC_PER_MSEC;

#define LINE	0

struct burst {
	u64	used_ns;
	u64	began_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct burst);
} bursts SEC(".maps");

static u64 slice_of(struct task_struct *p, bool wakeup)
{
	struct burst *burst = bpf_task_storage_get(&bursts, p, NULL, 0);

	if (!burst)
		return quota_ns / 2;
	if (wakeup)
		burst->used_ns = 0;
	return (quota_ns - burst->used_ns) / 2;
}

void BPF_STRUCT_OPS(slice_underflow_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, quota_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_of(p, enq_flags & SCX_ENQ_WAKEUP), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(slice_underflow_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(LINE);
}

void BPF_STRUCT_OPS(slice_underflow_running, struct task_struct *p)
{
	struct burst *burst = bpf_task_storage_get(&bursts, p, NULL, 0);

	if (burst)
		burst->began_at = p->se.sum_exec_runtime;
}

void BPF_STRUCT_OPS(slice_underflow_stopping, struct task_struct *p, bool runnable)
{
	struct burst *burst = bpf_task_storage_get(&bursts, p, NULL, 0);

	if (burst)
		burst->used_ns += p->se.sum_exec_runtime - burst->began_at;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(slice_underflow_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&bursts, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(slice_underflow_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(slice_underflow_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(slice_underflow_ops,
	       .enqueue		= (void *)slice_underflow_enqueue,
	       .dispatch	= (void *)slice_underflow_dispatch,
	       .running		= (void *)slice_underflow_running,
	       .stopping	= (void *)slice_underflow_stopping,
	       .init_task	= (void *)slice_underflow_init_task,
	       .init		= (void *)slice_underflow_init,
	       .exit		= (void *)slice_underflow_exit,
	       .name		= "slice_underflow");
