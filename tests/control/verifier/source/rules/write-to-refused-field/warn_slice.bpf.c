// SPDX-License-Identifier: GPL-2.0-only
/* Allowed, and deprecated. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_enable, struct task_struct *p)
{
	p->scx.slice = 1000000;	/* <- write-to-refused-field */
	p->scx.dsq_vtime += 5;	/* <- write-to-refused-field */
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .enable		= (void *)test_enable,
	       .name		= "test");
