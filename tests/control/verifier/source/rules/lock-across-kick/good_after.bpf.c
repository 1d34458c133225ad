// SPDX-License-Identifier: GPL-2.0-only
/* After the lock. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

private(LOCK) struct bpf_spin_lock lock;
static u64 counter;

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
	bpf_spin_lock(&lock);
	if (counter > 5) {
		counter = 0;
		bpf_spin_unlock(&lock);
		scx_bpf_kick_cpu(1, SCX_KICK_IDLE);
		return;
	}
	counter++;
	bpf_spin_unlock(&lock);
	scx_bpf_kick_cpu(0, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .name		= "test");
