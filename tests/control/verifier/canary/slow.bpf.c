// SPDX-License-Identifier: GPL-2.0-only
/* slow: first come, first served, with slices of a second: who wakes up beside CPU hogs waits for seconds. */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

void BPF_STRUCT_OPS(slow_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, NSEC_PER_SEC, enq_flags);
}

void BPF_STRUCT_OPS(slow_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(slow_ops,
	       .enqueue		= (void *)slow_enqueue,
	       .exit		= (void *)slow_exit,
	       .name		= "slow");
