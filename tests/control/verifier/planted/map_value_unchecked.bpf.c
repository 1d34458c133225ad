// SPDX-License-Identifier: GPL-2.0-only
/* planted: What a map look-up returns is used without a look whether it is NULL.
 * stage: kernel
 * caught-by: kernel verifier: invalid mem access 'map_value_or_null'
 */
/*
 * map_value_unchecked: FIFO with per-CPU counters.
 *
 * Counts the tasks queued on each CPU in a map, to be read from user space.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} stats SEC(".maps");

static void count(u32 what)
{
	u64 *counter = bpf_map_lookup_elem(&stats, &what);

	*counter += 1;
}

s32 BPF_STRUCT_OPS(map_value_unchecked_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(map_value_unchecked_enqueue, struct task_struct *p, u64 enq_flags)
{
	count(0);
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(map_value_unchecked_stopping, struct task_struct *p, bool runnable)
{
	count(runnable ? 1 : 2);
}

void BPF_STRUCT_OPS(map_value_unchecked_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(map_value_unchecked_ops,
	       .select_cpu	= (void *)map_value_unchecked_select_cpu,
	       .enqueue		= (void *)map_value_unchecked_enqueue,
	       .stopping	= (void *)map_value_unchecked_stopping,
	       .exit		= (void *)map_value_unchecked_exit,
	       .name		= "map_value_unchecked");
