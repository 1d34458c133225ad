// SPDX-License-Identifier: GPL-2.0-only
/* planted: Each task has a queue by its process id, served by one CPU only: a CPU idles while
 * another one's queue is long.
 * stage: behaviour
 * caught-by: work conservation
 */
/*
 * never_stolen: scalable queues, one a CPU.
 *
 * A shared queue's lock does not scale. Here each CPU has a queue of its own, filled by a hash of
 * the process id, so that no two CPUs ever touch the same one.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;

static s32 home(const struct task_struct *p)
{
	s32 cpu = p->pid % scx_bpf_nr_cpu_ids();

	return bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ? cpu : (s32)bpf_cpumask_first(p->cpus_ptr);
}

s32 BPF_STRUCT_OPS(never_stolen_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return home(p);
}

void BPF_STRUCT_OPS(never_stolen_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, home(p), slice_ns, enq_flags);
	scx_bpf_kick_cpu(home(p), SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(never_stolen_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(cpu);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(never_stolen_init)
{
	return create_dsqs(0);
}

void BPF_STRUCT_OPS(never_stolen_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(never_stolen_ops,
	       .select_cpu	= (void *)never_stolen_select_cpu,
	       .enqueue		= (void *)never_stolen_enqueue,
	       .dispatch	= (void *)never_stolen_dispatch,
	       .init		= (void *)never_stolen_init,
	       .exit		= (void *)never_stolen_exit,
	       .name		= "never_stolen");
