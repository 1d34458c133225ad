/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of queues: one set for each class of tasks, and in each set a queue for all CPUs and one for the
 * tasks bound to each CPU. Both are ordered by key, and within a set the lower key goes first, so the
 * bound and the free do not starve each other.
 */
#ifndef __SCHEDCP_SETS_BPF_H
#define __SCHEDCP_SETS_BPF_H

#include <schedcp/cpus.bpf.h>
#include <schedcp/turn.bpf.h>

#define SHARED_OF(set)		((u64)(set) * (1 + MAX_CPUS))
#define BOUND_OF(set, cpu)	(SHARED_OF(set) + 1 + (cpu))

static __always_inline __maybe_unused u64 set_dsq(u32 set, const struct task_struct *p)
{
	return is_bound(p) ? BOUND_OF(set, scx_bpf_task_cpu(p)) : SHARED_OF(set);
}

/* Key of who is next in a set, as a CPU sees it; the greatest number when nobody is. */
static __always_inline __maybe_unused u64 set_key(u32 set, s32 cpu)
{
	return lowest_key(SHARED_OF(set), BOUND_OF(set, cpu));
}

static __always_inline __maybe_unused bool serve_set(u32 set, s32 cpu)
{
	return serve_lower(SHARED_OF(set), BOUND_OF(set, cpu));
}

/* For CPU_OPS_DEFINE. */
static __always_inline __maybe_unused void drain_sets(u32 sets, s32 cpu)
{
	u32 set;

	bpf_for(set, 0, sets) {
		drain_dsq(SHARED_OF(set), cpu);
		drain_dsq(BOUND_OF(set, cpu), cpu);
	}
}

/* For ops.init. */
static __always_inline __maybe_unused s32 create_sets(u32 sets)
{
	u32 set, at, cpus = scx_bpf_nr_cpu_ids();
	s32 err = cpus > MAX_CPUS ? -E2BIG : 0;

	bpf_for(set, 0, sets) {
		bpf_for(at, 0, 1 + cpus) {
			if (!err)
				err = scx_bpf_create_dsq(SHARED_OF(set) + at, -1);
		}
	}
	return err;
}

#endif /* __SCHEDCP_SETS_BPF_H */
