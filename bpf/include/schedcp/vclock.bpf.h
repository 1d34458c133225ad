/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time: CPU time divided by weight. Whoever has the least is the one that is owed most.
 *
 * The queue for all CPUs has a clock, and each CPU's queue of bound tasks one of its own, shifted to
 * stay near the shared one when a CPU chooses between the two: the bound and the free cannot starve each other.
 * Races cost a little fairness, nothing else.
 */
#ifndef __SCHEDCP_VCLOCK_BPF_H
#define __SCHEDCP_VCLOCK_BPF_H

#include <schedcp/helpers.bpf.h>

/* Ids of the queues, made by create_dsqs(VCLOCK_BOUND); they are the clocks' indices too. */
enum vclock_dsq {
	VCLOCK_SHARED,
	VCLOCK_BOUND,	/* plus the CPU's number */
};

struct vclock {
	u64 now;	/* where the task that began last stood */
	u64 shift;	/* added to compare with the shared queue's */
};

static struct vclock vclocks[1 + MAX_CPUS];

static __always_inline __maybe_unused u64 vclock_dsq_of(const struct task_struct *p)
{
	return is_bound(p) ? VCLOCK_BOUND + scx_bpf_task_cpu(p) : VCLOCK_SHARED;
}

static __always_inline __maybe_unused struct vclock *vclock_of(u64 dsq)
{
	return ARRAY_ELEM_PTR(vclocks, dsq, ARRAY_SIZE(vclocks)) ?: &vclocks[VCLOCK_SHARED];
}

static __always_inline __maybe_unused u64 later(u64 a, u64 b)
{
	return time_before(a, b) ? b : a;
}

static __always_inline __maybe_unused u64 earlier(u64 a, u64 b)
{
	return time_before(a, b) ? a : b;
}

/* A key of a bound task in terms of the shared clock: at most so much behind it or ahead of it. */
static __always_inline __maybe_unused u64 shifted_key(struct vclock *clock, u64 key, u64 behind, u64 ahead)
{
	u64 at = key + clock->shift;
	u64 least = vclocks[VCLOCK_SHARED].now - behind, most = vclocks[VCLOCK_SHARED].now + ahead;

	if (time_before(at, least))
		clock->shift += least - at;
	else if (time_after(at, most))
		clock->shift -= at - most;
	return key + clock->shift;
}

#endif /* __SCHEDCP_VCLOCK_BPF_H */
