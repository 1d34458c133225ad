// SPDX-License-Identifier: GPL-2.0-only
/* planted: A cgroup's weight multiplies the CPU time that its tasks are charged: the heavier the
 * cgroup, the smaller its share.
 * stage: behaviour
 * caught-by: cgroup weight
 */
/*
 * inverted_cgroup_weights: fair sharing between cgroups.
 *
 * Tasks wait by virtual time. What a task uses is charged by its own weight and by that of its
 * cgroup (cpu.weight), so that containers share as they were told to.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define FAIR	0

struct share {
	u32	weight;		/* cpu.weight, 100 is usual */
};

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct share);
} shares SEC(".maps");

static u64 vtime_now;

static void note(struct cgroup *cgroup, u32 weight)
{
	struct share *share = bpf_cgrp_storage_get(&shares, cgroup, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (share)
		share->weight = weight;
}

static u64 charge(struct task_struct *p, u64 used)
{
	struct cgroup *cgroup = scx_bpf_task_cgroup(p);
	struct share *share = bpf_cgrp_storage_get(&shares, cgroup, NULL, 0);
	u64 weight = share && share->weight ? share->weight : 100;

	bpf_cgroup_release(cgroup);
	return by_weight(p, used) * weight / 100;
}

s32 BPF_STRUCT_OPS(inverted_cgroup_weights_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR);
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + charge(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(inverted_cgroup_weights_cgroup_init, struct cgroup *cgroup, struct scx_cgroup_init_args *args)
{
	note(cgroup, args->weight);
	return 0;
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_cgroup_set_weight, struct cgroup *cgroup, u32 weight)
{
	note(cgroup, weight);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(inverted_cgroup_weights_init)
{
	return scx_bpf_create_dsq(FAIR, -1);
}

void BPF_STRUCT_OPS(inverted_cgroup_weights_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(inverted_cgroup_weights_ops,
	       .select_cpu	= (void *)inverted_cgroup_weights_select_cpu,
	       .enqueue		= (void *)inverted_cgroup_weights_enqueue,
	       .dispatch	= (void *)inverted_cgroup_weights_dispatch,
	       .running		= (void *)inverted_cgroup_weights_running,
	       .stopping	= (void *)inverted_cgroup_weights_stopping,
	       .enable		= (void *)inverted_cgroup_weights_enable,
	       .cgroup_init	= (void *)inverted_cgroup_weights_cgroup_init,
	       .cgroup_set_weight	= (void *)inverted_cgroup_weights_cgroup_set_weight,
	       .init		= (void *)inverted_cgroup_weights_init,
	       .exit		= (void *)inverted_cgroup_weights_exit,
	       .name		= "inverted_cgroup_weights");
