// SPDX-License-Identifier: GPL-2.0-only
/* planted: The last CPU is kept free for tasks of negative nice value and idles beside any amount
 * of other work.
 * stage: behaviour
 * caught-by: work conservation
 */
/*
 * reserved_cpu: one CPU stays ready for the important.
 *
 * Tasks of negative nice value must never wait. The last CPU is reserved for them and for what is
 * bound to it; all other tasks share the remaining CPUs.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

enum reserved_cpu_dsq {
	DSQ_IMPORTANT,
	DSQ_COMMON,
	DSQ_BOUND,	/* plus the CPU's number */
};

static bool is_reserved(s32 cpu)
{
	return cpu > 0 && cpu == scx_bpf_nr_cpu_ids() - 1;
}

void BPF_STRUCT_OPS(reserved_cpu_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (is_bound(p)) {
		scx_bpf_dsq_insert(p, DSQ_BOUND + scx_bpf_task_cpu(p), slice_ns, enq_flags);
		scx_bpf_kick_cpu(scx_bpf_task_cpu(p), SCX_KICK_IDLE);
		return;
	}
	if (p->scx.weight > 100) {
		scx_bpf_dsq_insert(p, DSQ_IMPORTANT, slice_ns, enq_flags);
		wake_idle_cpu(p);
		return;
	}
	scx_bpf_dsq_insert(p, DSQ_COMMON, slice_ns, enq_flags);
	bpf_for(cpu, 0, cpus) {
		if (!is_reserved(cpu) && bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
		    scx_bpf_test_and_clear_cpu_idle(cpu)) {
			scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
			break;
		}
	}
}

s32 BPF_STRUCT_OPS(reserved_cpu_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

void BPF_STRUCT_OPS(reserved_cpu_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(DSQ_BOUND + cpu) || scx_bpf_dsq_move_to_local(DSQ_IMPORTANT))
		return;
	if (!is_reserved(cpu))
		scx_bpf_dsq_move_to_local(DSQ_COMMON);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(reserved_cpu_init)
{
	return create_dsqs(DSQ_BOUND);
}

void BPF_STRUCT_OPS(reserved_cpu_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(reserved_cpu_ops,
	       .select_cpu	= (void *)reserved_cpu_select_cpu,
	       .enqueue		= (void *)reserved_cpu_enqueue,
	       .dispatch	= (void *)reserved_cpu_dispatch,
	       .init		= (void *)reserved_cpu_init,
	       .exit		= (void *)reserved_cpu_exit,
	       .name		= "reserved_cpu");
