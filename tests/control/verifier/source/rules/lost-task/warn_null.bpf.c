// SPDX-License-Identifier: GPL-2.0-only
/* For the verifier's sake. */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u32);
} tasks SEC(".maps");

void BPF_STRUCT_OPS(test_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 pid = 1, *known = bpf_map_lookup_elem(&tasks, &pid);

	if (!known)
		return;	/* <- lost-task */
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
}

void BPF_STRUCT_OPS(test_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(test_ops,
	       .enqueue		= (void *)test_enqueue,
	       .exit		= (void *)test_exit,
	       .name		= "test");
