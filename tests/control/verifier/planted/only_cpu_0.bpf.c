// SPDX-License-Identifier: GPL-2.0-only
/* planted: All tasks that may run on CPU 0 are sent there; the other CPUs idle.
 * stage: behaviour
 * caught-by: work conservation
 */
/*
 * only_cpu_0: packs tasks on few CPUs to save power.
 *
 * Work goes to the first CPU that a task may use, so the others can stay in deep sleep. Bound tasks
 * go where they are bound.
 *
 * Good for: battery life at low load.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

static s32 first_allowed(const struct task_struct *p)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	bpf_for(cpu, 0, cpus)
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			return cpu;
	return scx_bpf_task_cpu(p);
}

s32 BPF_STRUCT_OPS(only_cpu_0_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return first_allowed(p);
}

void BPF_STRUCT_OPS(only_cpu_0_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = first_allowed(p);

	if (p->flags & PF_KTHREAD) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, cpu, slice_ns, enq_flags);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(only_cpu_0_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(only_cpu_0_init)
{
	return create_dsqs(0);
}

void BPF_STRUCT_OPS(only_cpu_0_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(only_cpu_0_ops,
	       .select_cpu	= (void *)only_cpu_0_select_cpu,
	       .enqueue		= (void *)only_cpu_0_enqueue,
	       .dispatch	= (void *)only_cpu_0_dispatch,
	       .init		= (void *)only_cpu_0_init,
	       .exit		= (void *)only_cpu_0_exit,
	       .name		= "only_cpu_0");
