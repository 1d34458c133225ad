// SPDX-License-Identifier: GPL-2.0-only
/* By call, and disallow, which may be written; fields of its own. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct mine {
	u64	weight;
	u64	slice;
};

static struct mine mine;

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct mine *m = &mine;

	m->weight = p->scx.weight;
	m->slice++;
	scx_bpf_task_set_dsq_vtime(p, 5);
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
}

s32 BPF_STRUCT_OPS(test_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	p->scx.disallow = false;
	return 0;
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .init_task		= (void *)test_init_task,
	       .name		= "test");
