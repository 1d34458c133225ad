// SPDX-License-Identifier: GPL-2.0-only
/* planted: Every time a task is enqueued it is moved to the next CPU, which is preempted to take it
 * at once.
 * stage: performance
 * caught-by: throughput, migrations
 */
/*
 * migration_thrash: rotates tasks over all CPUs.
 *
 * To use all CPUs evenly, a task moves on to the next CPU it may use each time it is queued, and
 * starts there at once.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 2 * NSEC_PER_MSEC;

static s32 next_cpu(const struct task_struct *p)
{
	u32 i, cpus = scx_bpf_nr_cpu_ids(), cpu = scx_bpf_task_cpu(p);

	bpf_for(i, 1, cpus + 1)
		if (bpf_cpumask_test_cpu((cpu + i) % cpus, p->cpus_ptr))
			return (cpu + i) % cpus;
	return cpu;
}

s32 BPF_STRUCT_OPS(migration_thrash_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

void BPF_STRUCT_OPS(migration_thrash_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	if (is_bound(p) || p->migration_disabled) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	cpu = next_cpu(p);
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags | SCX_ENQ_PREEMPT);
	scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
}

void BPF_STRUCT_OPS(migration_thrash_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(migration_thrash_ops,
	       .select_cpu	= (void *)migration_thrash_select_cpu,
	       .enqueue		= (void *)migration_thrash_enqueue,
	       .exit		= (void *)migration_thrash_exit,
	       .name		= "migration_thrash");
