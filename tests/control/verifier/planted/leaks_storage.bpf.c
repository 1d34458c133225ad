// SPDX-License-Identifier: GPL-2.0-only
/* planted: A hash map by process id is never emptied: once it holds 512 tasks that ever ran, new
 * ones are not queued any more.
 * stage: behaviour
 * caught-by: fork/exec storm (a source rule may see the map that is never deleted from)
 */
/*
 * leaks_storage: shortest burst first.
 *
 * For each task the average length of its bursts is kept in a hash map; the queue is ordered by the
 * estimate, plus the time of arrival so that long ones are not starved.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

#define BY_BURST	0
#define MAX_TASKS	512

struct burst {
	u64	average_ns;
	u64	began_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, u32);
	__type(value, struct burst);
} bursts SEC(".maps");

static struct burst *burst_of(const struct task_struct *p)
{
	struct burst *found, fresh = { .average_ns = NSEC_PER_MSEC };
	u32 pid = p->pid;

	found = bpf_map_lookup_elem(&bursts, &pid);
	if (found)
		return found;
	bpf_map_update_elem(&bursts, &pid, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&bursts, &pid);
}

s32 BPF_STRUCT_OPS(leaks_storage_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(leaks_storage_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct burst *burst;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	burst = burst_of(p);
	if (!burst)
		return;
	scx_bpf_dsq_insert_vtime(p, BY_BURST, slice_ns, scx_bpf_now() + min(burst->average_ns, slice_ns), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(leaks_storage_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(BY_BURST);
}

void BPF_STRUCT_OPS(leaks_storage_running, struct task_struct *p)
{
	struct burst *burst = burst_of(p);

	if (burst)
		burst->began_at = scx_bpf_now();
}

void BPF_STRUCT_OPS(leaks_storage_stopping, struct task_struct *p, bool runnable)
{
	struct burst *burst = burst_of(p);

	if (burst)
		burst->average_ns = (3 * burst->average_ns + scx_bpf_now() - burst->began_at) / 4;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(leaks_storage_init)
{
	return scx_bpf_create_dsq(BY_BURST, -1);
}

void BPF_STRUCT_OPS(leaks_storage_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(leaks_storage_ops,
	       .select_cpu	= (void *)leaks_storage_select_cpu,
	       .enqueue		= (void *)leaks_storage_enqueue,
	       .dispatch	= (void *)leaks_storage_dispatch,
	       .running		= (void *)leaks_storage_running,
	       .stopping	= (void *)leaks_storage_stopping,
	       .init		= (void *)leaks_storage_init,
	       .exit		= (void *)leaks_storage_exit,
	       .name		= "leaks_storage");
