/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Weights of cgroups: a task's vtime grows slower the more its cgroup weighs. One level only.
 */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

#define SHARED_DSQ 0

const volatile u64 cgrp_slice_ns = 5 * NSEC_PER_MSEC;

struct cgrp_ctx {
	u32	weight;
	u64	nr_moved;
};

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct cgrp_ctx);
} cgrp_ctx_stor SEC(".maps");

static u64 vtime_now;
UEI_DEFINE(uei);

static u32 cgrp_weight(struct task_struct *p)
{
	struct cgroup *cgrp = __COMPAT_scx_bpf_task_cgroup(p);
	struct cgrp_ctx *cgc;
	u32 weight = 100;

	cgc = bpf_cgrp_storage_get(&cgrp_ctx_stor, cgrp, 0, 0);
	if (cgc)
		weight = cgc->weight ?: 1;
	bpf_cgroup_release(cgrp);
	return weight;
}

void BPF_STRUCT_OPS(groups_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;
	s32 cpu;

	if ((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, cgrp_slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - cgrp_slice_ns))
		vtime = vtime_now - cgrp_slice_ns;
	scx_bpf_dsq_insert_vtime(p, SHARED_DSQ, cgrp_slice_ns, vtime, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(groups_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

void BPF_STRUCT_OPS(groups_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(groups_stopping, struct task_struct *p, bool runnable)
{
	u64 used = cgrp_slice_ns - min(p->scx.slice, cgrp_slice_ns);

	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + used * 100 / cgrp_weight(p));
}

void BPF_STRUCT_OPS(groups_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(groups_cgroup_init, struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	struct cgrp_ctx *cgc;

	cgc = bpf_cgrp_storage_get(&cgrp_ctx_stor, cgrp, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!cgc)
		return -ENOMEM;
	cgc->weight = args->weight;
	return 0;
}

void BPF_STRUCT_OPS(groups_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	struct cgrp_ctx *cgc = bpf_cgrp_storage_get(&cgrp_ctx_stor, cgrp, 0, 0);

	if (cgc)
		cgc->weight = weight;
}

void BPF_STRUCT_OPS(groups_cgroup_move, struct task_struct *p, struct cgroup *from, struct cgroup *to)
{
	struct cgrp_ctx *cgc = bpf_cgrp_storage_get(&cgrp_ctx_stor, to, 0, 0);

	if (cgc)
		__sync_fetch_and_add(&cgc->nr_moved, 1);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(groups_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(groups_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(groups_ops,
	       .enqueue			= (void *)groups_enqueue,
	       .dispatch		= (void *)groups_dispatch,
	       .running			= (void *)groups_running,
	       .stopping		= (void *)groups_stopping,
	       .enable			= (void *)groups_enable,
	       .cgroup_init		= (void *)groups_cgroup_init,
	       .cgroup_set_weight	= (void *)groups_cgroup_set_weight,
	       .cgroup_move		= (void *)groups_cgroup_move,
	       .init			= (void *)groups_init,
	       .exit			= (void *)groups_exit,
	       .flags			= SCX_OPS_ENQ_EXITING,
	       .name			= "groups");
