/* SPDX-License-Identifier: GPL-2.0-only */
/* What the policies of this folder have in common. */
#ifndef __SCHEDCP_HELPERS_BPF_H
#define __SCHEDCP_HELPERS_BPF_H

#include <scx/common.bpf.h>

/* Length of arrays with an element for each CPU: CPU_SLOT(array, cpu) is its address or NULL. */
#define MAX_CPUS	1024
#define CPU_SLOT(array, cpu)	ARRAY_ELEM_PTR(array, cpu, MAX_CPUS)

#define US_TO_NS(us)	((u64)(us) * NSEC_PER_USEC)
#define MS_TO_NS(ms)	((u64)(ms) * NSEC_PER_MSEC)

/* Whether the task may run on one CPU only. It must not wait where that CPU may never look. */
static __always_inline __maybe_unused bool is_bound(const struct task_struct *p)
{
	return p->nr_cpus_allowed == 1;
}

/* Per-CPU kernel threads have short, urgent work, often on behalf of all others. */
static __always_inline __maybe_unused bool is_cpu_kthread(const struct task_struct *p)
{
	return is_bound(p) && (p->flags & PF_KTHREAD);
}

/* Whether the task's name begins with the text of a TUNABLE_TEXT. An empty text is the beginning of none. */
static __always_inline __maybe_unused bool name_begins(const struct task_struct *p, const volatile char text[16])
{
	int i;

	if (!text[0])
		return false;
#pragma unroll
	for (i = 0; i < 15; i++) {
		if (!text[i])
			break;
		if (p->comm[i] != text[i])
			return false;
	}
	return true;
}

/* Whether the task has forked another within so many ns. */
static __always_inline __maybe_unused bool starts_others(const struct task_struct *p, u64 within)
{
	struct list_head *last = p->children.prev;
	struct task_struct *child = container_of(last, struct task_struct, sibling);

	return last != &p->children && time_after(BPF_CORE_READ(child, start_time) + within, bpf_ktime_get_ns());
}

/* CPU time divided by weight: what weighted sharing keeps equal. */
static __always_inline __maybe_unused u64 by_weight(const struct task_struct *p, u64 ns)
{
	return ns * 100 / (p->scx.weight ?: 1);
}

/* ops.dispatch: the task that ran so far, or NULL when it does not want to go on. */
static __always_inline __maybe_unused struct task_struct *if_runnable(struct task_struct *prev)
{
	return prev && (prev->scx.flags & SCX_TASK_QUEUED) ? prev : NULL;
}

/* Wakes a CPU that sleeps beside the queue the task was put into. Returns whether there was any. */
static __always_inline __maybe_unused bool wake_idle_cpu(const struct task_struct *p)
{
	s32 cpu = is_bound(p) ? scx_bpf_task_cpu(p) : scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (cpu < 0)
		return false;
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	return !is_bound(p);
}

/* Key of the first task of a queue ordered by vtime, or the given one when the queue is empty. */
static __always_inline __maybe_unused u64 first_key(u64 dsq, u64 otherwise)
{
	struct task_struct *p = scx_bpf_dsq_peek(dsq);

	return p ? p->scx.dsq_vtime : otherwise;
}

/* Creates the queues 0 to shared - 1, and from there one for each CPU. For ops.init. */
static __always_inline __maybe_unused s32 create_dsqs(u32 shared)
{
	u32 id, cpus = scx_bpf_nr_cpu_ids();
	s32 err = cpus > MAX_CPUS ? -E2BIG : 0;

	bpf_for(id, 0, shared + cpus) {
		if (err)
			break;
		err = scx_bpf_create_dsq(id, -1);
	}
	return err;
}

#endif /* __SCHEDCP_HELPERS_BPF_H */
