// SPDX-License-Identifier: GPL-2.0-only
/* One branch inserts nothing. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (p->flags & PF_EXITING)
		return;	/* <- lost-task */
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, 0);
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .name		= "test");
