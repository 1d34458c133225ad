// SPDX-License-Identifier: GPL-2.0-only
/* Both queues are served, by a helper. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define QUEUE	1
#define OTHER	2
#define CPUS	10	/* plus the CPU's number */

static bool serve(u64 first, u64 second)
{
	return scx_bpf_dsq_move_to_local(first) || scx_bpf_dsq_move_to_local(second);
}

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = QUEUE;

	if (is_bound(p))
		dsq = OTHER;
	scx_bpf_dsq_insert(p, dsq, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 first = cpu & 1 ? QUEUE : OTHER;

	serve(first, first == QUEUE ? OTHER : QUEUE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(test_init)
{
	return scx_bpf_create_dsq(QUEUE, -1) ?: scx_bpf_create_dsq(OTHER, -1);
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .dispatch		= (void *)test_dispatch,
	       .init		= (void *)test_init,
	       .exit		= (void *)test_exit,
	       .name		= "test");
