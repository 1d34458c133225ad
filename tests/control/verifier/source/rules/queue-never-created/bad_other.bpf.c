// SPDX-License-Identifier: GPL-2.0-only
/* One is made, another used. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define QUEUE	1
#define OTHER	2
#define CPUS	10	/* plus the CPU's number */

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, QUEUE, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_dispatch, s32 cpu, struct task_struct *prev)
{
	if (!scx_bpf_dsq_move_to_local(QUEUE))
		scx_bpf_dsq_move_to_local(OTHER);	/* <- queue-never-created */
}

s32 BPF_STRUCT_OPS_SLEEPABLE(test_init)
{
	return scx_bpf_create_dsq(QUEUE, -1);
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
