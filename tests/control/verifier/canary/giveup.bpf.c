// SPDX-License-Identifier: GPL-2.0-only
/* giveup: fine with a share of the tasks; half a second after it got them all the kernel ejects it for an error. */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

static u64 full_since;

void BPF_STRUCT_OPS(giveup_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (!full_since && (p->flags & PF_KTHREAD))
		full_since = bpf_ktime_get_ns();
	if (full_since && bpf_ktime_get_ns() - full_since > NSEC_PER_SEC / 2)
		scx_bpf_error("too many tasks: %s is one more", p->comm);
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(giveup_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(giveup_ops,
	       .enqueue		= (void *)giveup_enqueue,
	       .exit		= (void *)giveup_exit,
	       .name		= "giveup");
