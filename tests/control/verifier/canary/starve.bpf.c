// SPDX-License-Identifier: GPL-2.0-only
/* starve: ordinary tasks go to a queue that no CPU looks into; kernel threads run. Bad from the first canary on. */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define NOWHERE	1

void BPF_STRUCT_OPS(starve_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = p->flags & PF_KTHREAD ? SCX_DSQ_GLOBAL : NOWHERE;

	scx_bpf_dsq_insert(p, dsq, SCX_SLICE_DFL, enq_flags);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_init)
{
	return scx_bpf_create_dsq(NOWHERE, -1);
}

void BPF_STRUCT_OPS(starve_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_ops,
	       .enqueue		= (void *)starve_enqueue,
	       .init		= (void *)starve_init,
	       .exit		= (void *)starve_exit,
	       .name		= "starve");
