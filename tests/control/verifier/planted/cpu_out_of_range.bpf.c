// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks are spread over eight CPUs whether the machine has them or not.
 * stage: behaviour
 * caught-by: any case (ejected: invalid CPU)
 */
/*
 * cpu_out_of_range: spreads by process id.
 *
 * A hash of the process id chooses one of the machine's eight CPUs; bound tasks stay where they
 * are.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define CPUS	8

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

void BPF_STRUCT_OPS(cpu_out_of_range_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 cpu = ((u32)p->pid * 7 + 3) % CPUS;

	/* Only tasks that may run anywhere are spread. */
	if (p->nr_cpus_allowed < scx_bpf_nr_cpu_ids()) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(cpu_out_of_range_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(cpu_out_of_range_ops,
	       .enqueue		= (void *)cpu_out_of_range_enqueue,
	       .exit		= (void *)cpu_out_of_range_exit,
	       .name		= "cpu_out_of_range");
