// SPDX-License-Identifier: GPL-2.0-only
/* Out of bounds. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,	/* <- timeout-out-of-bounds */
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .timeout_ms		= 30 * 1000 + 1,
	       .name		= "test");
