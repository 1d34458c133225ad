// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks outside of the root cgroup run only when no task of the root wants to.
 * stage: behaviour
 * caught-by: cgroup weight, starvation
 */
/*
 * starve_cgroup: services before containers.
 *
 * Tasks of the root cgroup are the system's own and come first. Those in any other cgroup belong to
 * containers and share what is left.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 7 * NSEC_PER_MSEC;

enum starve_cgroup_dsq {
	DSQ_SYSTEM,
	DSQ_CONTAINERS,
};

/* Whether each CPU runs a container's task. */
static bool runs_contained[MAX_CPUS];

static bool is_contained(struct task_struct *p)
{
	struct cgroup *cgroup = scx_bpf_task_cgroup(p);
	bool contained = cgroup->level > 0;

	bpf_cgroup_release(cgroup);
	return contained;
}

s32 BPF_STRUCT_OPS(starve_cgroup_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_cgroup_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, is_contained(p) ? DSQ_CONTAINERS : DSQ_SYSTEM, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_cgroup_dispatch, s32 cpu, struct task_struct *prev)
{
	bool *contained = CPU_SLOT(runs_contained, cpu);

	if (scx_bpf_dsq_move_to_local(DSQ_SYSTEM))
		return;
	prev = if_runnable(prev);
	if (prev && contained && !*contained) {
		scx_bpf_task_set_slice(prev, slice_ns);
		return;
	}
	scx_bpf_dsq_move_to_local(DSQ_CONTAINERS);
}

void BPF_STRUCT_OPS(starve_cgroup_running, struct task_struct *p)
{
	bool *contained = CPU_SLOT(runs_contained, scx_bpf_task_cpu(p));

	if (contained)
		*contained = is_contained(p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_cgroup_init)
{
	s32 err = scx_bpf_create_dsq(DSQ_SYSTEM, -1);

	return err ?: scx_bpf_create_dsq(DSQ_CONTAINERS, -1);
}

void BPF_STRUCT_OPS(starve_cgroup_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_cgroup_ops,
	       .select_cpu	= (void *)starve_cgroup_select_cpu,
	       .enqueue		= (void *)starve_cgroup_enqueue,
	       .dispatch	= (void *)starve_cgroup_dispatch,
	       .running		= (void *)starve_cgroup_running,
	       .init		= (void *)starve_cgroup_init,
	       .exit		= (void *)starve_cgroup_exit,
	       .name		= "starve_cgroup");
