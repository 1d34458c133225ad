// SPDX-License-Identifier: GPL-2.0-only
/* planted: enqueue looks for an idle CPU until it finds one, with nothing that bounds the loop.
 * stage: source
 * caught-by: unbounded-loop (the kernel's verifier refuses it too)
 */
/*
 * endless_loop: never queue behind a busy CPU.
 *
 * Enqueue waits for a CPU to become idle and puts the task there, so no queues are needed at all.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

void BPF_STRUCT_OPS(endless_loop_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	while (true) {
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
		if (cpu >= 0)
			break;
	}
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(endless_loop_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(endless_loop_ops,
	       .enqueue		= (void *)endless_loop_enqueue,
	       .exit		= (void *)endless_loop_exit,
	       .name		= "endless_loop");
