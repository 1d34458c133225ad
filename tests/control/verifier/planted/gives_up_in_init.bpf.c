// SPDX-License-Identifier: GPL-2.0-only
/* planted: init ends the policy at once; the kernel goes back to its own scheduler.
 * stage: kernel
 * caught-by: load: not in charge
 */
/*
 * gives_up_in_init: NUMA-aware FIFO.
 *
 * One queue for each node. Needs a machine with at least 4 CPUs a node, and leaves at once if there
 * are fewer.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define CPUS_PER_NODE	4
#define MIN_CPUS	(2 * CPUS_PER_NODE)

static u64 node_of(const struct task_struct *p)
{
	return (u64)scx_bpf_task_cpu(p) / CPUS_PER_NODE;
}

s32 BPF_STRUCT_OPS(gives_up_in_init_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(gives_up_in_init_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, node_of(p), slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(gives_up_in_init_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 node, nodes = scx_bpf_nr_cpu_ids() / CPUS_PER_NODE;

	bpf_for(node, 0, nodes)
		if (scx_bpf_dsq_move_to_local((node + (u32)cpu / CPUS_PER_NODE) % nodes))
			break;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(gives_up_in_init_init)
{
	u32 node, cpus = scx_bpf_nr_cpu_ids();
	s32 err;

	if (cpus < MIN_CPUS) {
		scx_bpf_exit(0, "needs %d CPUs, there are %d", MIN_CPUS, cpus);
		return 0;
	}
	bpf_for(node, 0, cpus / CPUS_PER_NODE) {
		err = scx_bpf_create_dsq(node, -1);
		if (err)
			return err;
	}
	return 0;
}

void BPF_STRUCT_OPS(gives_up_in_init_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(gives_up_in_init_ops,
	       .select_cpu	= (void *)gives_up_in_init_select_cpu,
	       .enqueue		= (void *)gives_up_in_init_enqueue,
	       .dispatch	= (void *)gives_up_in_init_dispatch,
	       .init		= (void *)gives_up_in_init_init,
	       .exit		= (void *)gives_up_in_init_exit,
	       .name		= "gives_up_in_init");
