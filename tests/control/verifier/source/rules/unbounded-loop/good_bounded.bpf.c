// SPDX-License-Identifier: GPL-2.0-only
/* Counted in one way or another. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

static volatile u64 spins;

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 i, turns = 0;

	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	bpf_for(i, 0, 100)
		spins++;
	for (i = 0; i < 8; i++)
		spins++;
	while (true) {
		if (turns++ > 10)
			break;
	}
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .name		= "test");
