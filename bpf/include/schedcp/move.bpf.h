/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving a task that runs and does not sleep: it is asked to leave its CPU, and enqueued, where it finds its
 * better place.
 *
 * The policy has the flag SCX_OPS_ENQ_LAST: a task that is the only one for its CPU is enqueued, too, unless
 * ops.dispatch gave it a slice. So ops.dispatch gives none while must_leave(), and ops.running calls arrived().
 */
#ifndef __SCHEDCP_MOVE_BPF_H
#define __SCHEDCP_MOVE_BPF_H

#include <schedcp/helpers.bpf.h>

static bool to_leave[MAX_CPUS];

/* ops.tick. */
static __always_inline __maybe_unused void ask_to_leave(struct task_struct *p)
{
	bool *leave = CPU_SLOT(to_leave, scx_bpf_task_cpu(p));

	if (!leave)
		return;
	*leave = true;
	scx_bpf_task_set_slice(p, 0);
}

static __always_inline __maybe_unused bool must_leave(s32 cpu)
{
	bool *leave = CPU_SLOT(to_leave, cpu);

	return leave && *leave;
}

static __always_inline __maybe_unused void arrived(s32 cpu)
{
	bool *leave = CPU_SLOT(to_leave, cpu);

	if (leave && *leave)
		*leave = false;
}

#endif /* __SCHEDCP_MOVE_BPF_H */
