// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks are sent to the CPU with the fewest of them, whether they may run there or not.
 * stage: source
 * caught-by: affinity-ignored (the kernel ejects it in the affinity case at the latest)
 */
/*
 * ignores_affinity: balances by number of tasks.
 *
 * Each CPU counts the tasks that were sent to it and have not run yet; a task goes to the CPU with
 * the smallest count.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 8 * NSEC_PER_MSEC;

static s64 waiting[MAX_CPUS];

static s32 emptiest(void)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	s64 least = 1LL << 40;
	s32 best = 0;

	bpf_for(cpu, 0, cpus) {
		s64 *count = CPU_SLOT(waiting, cpu);

		if (count && *count < least) {
			least = *count;
			best = cpu;
		}
	}
	return best;
}

void BPF_STRUCT_OPS(ignores_affinity_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = emptiest();
	s64 *count = CPU_SLOT(waiting, cpu);

	if (p->flags & PF_KTHREAD) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(ignores_affinity_running, struct task_struct *p)
{
	s64 *count = CPU_SLOT(waiting, scx_bpf_task_cpu(p));

	if (count && *count > 0 && !(p->flags & PF_KTHREAD))
		__sync_fetch_and_add(count, -1);
}

void BPF_STRUCT_OPS(ignores_affinity_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(ignores_affinity_ops,
	       .enqueue		= (void *)ignores_affinity_enqueue,
	       .running		= (void *)ignores_affinity_running,
	       .exit		= (void *)ignores_affinity_exit,
	       .name		= "ignores_affinity");
