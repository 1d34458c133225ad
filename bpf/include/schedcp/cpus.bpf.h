/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that come, go, and are taken by others.
 *
 * A policy without cpu_online and cpu_offline is ejected when the kernel takes a CPU off or brings one
 * up. With CPU_OPS_DEFINE(name, drain_dsqs(SHARED, cpu)) and CPU_OPS(name) in the table it stays:
 *
 * - A CPU on its way out asks the policy no more, but waits until none of its tasks is queued. So
 *   drain_dsqs() puts those on the CPU's own queue, from where the kernel moves them to another CPU, and
 *   goes_local() sends there what comes later.
 * - When a real-time task takes a CPU, the tasks on that CPU's own queue go back to the policy, which
 *   lets other CPUs have them.
 */
#ifndef __SCHEDCP_CPUS_BPF_H
#define __SCHEDCP_CPUS_BPF_H

#include <schedcp/helpers.bpf.h>

static bool cpu_leaves[MAX_CPUS];

/* Whether ops.enqueue has to put the task on its CPU's own queue, SCX_DSQ_LOCAL. */
static __always_inline __maybe_unused bool goes_local(const struct task_struct *p)
{
	bool *leaves = CPU_SLOT(cpu_leaves, scx_bpf_task_cpu(p));

	return is_cpu_kthread(p) || (leaves && *leaves);
}

/* ops.select_cpu: a task that finds an idle CPU is put there, and ops.enqueue is not called. */
static __always_inline __maybe_unused s32 take_idle_cpu(struct task_struct *p, s32 prev_cpu, u64 wake_flags, u64 slice_ns)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

/* Puts a queue's tasks that are with a CPU on that CPU's own queue. Not for ops.dispatch. */
static __always_inline __maybe_unused void drain_dsq(u64 dsq, s32 cpu)
{
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, dsq, 0)
		if (scx_bpf_task_cpu(p) == cpu)
			scx_bpf_dsq_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL_ON | cpu, 0);
}

/* For queues made by create_dsqs(shared). */
static __always_inline __maybe_unused void drain_dsqs(u32 shared, s32 cpu)
{
	u32 id;

	bpf_for(id, 0, shared)
		drain_dsq(id, cpu);
	drain_dsq(shared + cpu, cpu);
}

static __always_inline __maybe_unused void set_cpu_leaves(s32 cpu, bool leaves)
{
	bool *slot = CPU_SLOT(cpu_leaves, cpu);

	if (slot)
		*slot = leaves;
}

static __always_inline __maybe_unused void give_back_local(void)
{
	if (bpf_ksym_exists(scx_bpf_reenqueue_local___v2___new))
		scx_bpf_reenqueue_local___v2___new();
	else if (bpf_ksym_exists(scx_bpf_reenqueue_local))
		scx_bpf_reenqueue_local();
}

#define CPU_OPS_DEFINE(name, drain...)								\
void BPF_STRUCT_OPS(name##_cpu_online, s32 cpu)							\
{												\
	set_cpu_leaves(cpu, false);								\
}												\
												\
void BPF_STRUCT_OPS(name##_cpu_offline, s32 cpu)						\
{												\
	set_cpu_leaves(cpu, true);								\
	drain;											\
}												\
												\
void BPF_STRUCT_OPS(name##_cpu_release, s32 cpu, struct scx_cpu_release_args *args)		\
{												\
	give_back_local();									\
}

#define CPU_OPS(name)										\
	.cpu_online	= (void *)name##_cpu_online,						\
	.cpu_offline	= (void *)name##_cpu_offline,						\
	.cpu_release	= (void *)name##_cpu_release

#endif /* __SCHEDCP_CPUS_BPF_H */
