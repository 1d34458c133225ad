// SPDX-License-Identifier: GPL-2.0-only
/* Each task in the queue of its own CPU. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define QUEUE	1
#define OTHER	2
#define CPUS	10	/* plus the CPU's number */

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, CPUS + scx_bpf_task_cpu(p), SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(CPUS + cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(test_init)
{
	return create_dsqs(CPUS);
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
