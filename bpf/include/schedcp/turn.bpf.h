/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns: what a task that is interrupted must not lose.
 *
 * A turn is one slice of CPU time, asked for with a key, the lower the sooner. A task that is preempted
 * in the middle waits for the rest of its turn under its old key, so it comes before all that asked later.
 * Sleep, or the slice's end, ends the turn.
 *
 * And what runs now: each CPU's rank, the higher the sooner to be preempted, mostly the key of its turn.
 */
#ifndef __SCHEDCP_TURN_BPF_H
#define __SCHEDCP_TURN_BPF_H

#include <schedcp/helpers.bpf.h>

/* A rest not worth a context switch of its own. */
#define LEAST_TURN_NS	(100 * NSEC_PER_USEC)

struct turn {
	u64 key;	/* 0: over */
	u64 began_at;	/* CPU time that the task had */
};

/*
 * A map of what the policy keeps of each task, data_of(p) that finds it (or NULL: the kernel's tasks of
 * early boot, no memory), and <name>_init_task that makes it.
 */
#define TASK_DATA_DEFINE(name, data)								\
struct {											\
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);						\
	__uint(map_flags, BPF_F_NO_PREALLOC);							\
	__type(key, int);									\
	__type(value, data);									\
} name##_tasks SEC(".maps");									\
												\
static __always_inline data *data_of(struct task_struct *p)					\
{												\
	return bpf_task_storage_get(&name##_tasks, p, NULL, 0);					\
}												\
												\
s32 BPF_STRUCT_OPS(name##_init_task, struct task_struct *p, struct scx_init_task_args *args)	\
{												\
	return bpf_task_storage_get(&name##_tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM; \
}

static __always_inline __maybe_unused void end_turn(struct turn *turn, const struct task_struct *p)
{
	turn->key = 0;
	turn->began_at = p->se.sum_exec_runtime;
}

/* What is left of a turn of so many ns; a turn that is over, or as good as, is ended. */
static __always_inline __maybe_unused u64 turn_left(struct turn *turn, const struct task_struct *p, u64 slice_ns)
{
	u64 used = p->se.sum_exec_runtime - turn->began_at;

	if (turn->key && used + LEAST_TURN_NS < slice_ns)
		return slice_ns - used;
	end_turn(turn, p);
	return slice_ns;
}

/* A slice longer or shorter by the task's weight, within a factor of 8: turns that share a CPU by nice value. */
static __always_inline __maybe_unused u64 weighted_slice(const struct task_struct *p, u64 slice_ns)
{
	return slice_ns * clamp(p->scx.weight, 12, 800) / 100;
}

/* 0 where no task of the policy runs that may be preempted. */
static u64 ranks[MAX_CPUS];

static __always_inline __maybe_unused void set_rank(s32 cpu, u64 rank)
{
	u64 *slot = CPU_SLOT(ranks, cpu);

	if (slot && *slot != rank)
		*slot = rank;
}

/* Preempts the task of the highest rank on a CPU that p may use, if it is above the limit. */
static __always_inline __maybe_unused void preempt_above(const struct task_struct *p, u64 limit)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	u64 highest = limit;
	s32 found = -1;

	bpf_for(cpu, 0, cpus) {
		u64 *rank = CPU_SLOT(ranks, cpu);

		if (rank && *rank > highest && bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			highest = *rank;
			found = cpu;
		}
	}
	if (found < 0)
		return;
	set_rank(found, 0);	/* one is enough */
	scx_bpf_kick_cpu(found, SCX_KICK_PREEMPT);
}

/* The lowest key in two queues. */
static __always_inline __maybe_unused u64 lowest_key(u64 a, u64 b)
{
	u64 first = first_key(a, ~0ULL), second = first_key(b, ~0ULL);

	return min(first, second);
}

/* ops.dispatch: takes the task with the lower key from two queues, or one that this CPU may run. */
static __always_inline __maybe_unused bool serve_lower(u64 a, u64 b)
{
	u64 first = first_key(a, ~0ULL), second = first_key(b, ~0ULL);

	if (second < first)
		return scx_bpf_dsq_move_to_local(b) || scx_bpf_dsq_move_to_local(a);
	return scx_bpf_dsq_move_to_local(a) || scx_bpf_dsq_move_to_local(b);
}

#endif /* __SCHEDCP_TURN_BPF_H */
