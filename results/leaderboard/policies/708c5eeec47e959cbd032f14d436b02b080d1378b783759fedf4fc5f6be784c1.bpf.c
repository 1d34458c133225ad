// SPDX-License-Identifier: GPL-2.0-only
/*
 * line-in-one-go: one line for all CPUs, first come, first served, with turns longer than a burst.
 *
 * Who finds no idle CPU goes to the end of the line, and who has a CPU keeps it until its burst ends or its
 * turn is over. Nobody is preempted by one of its like, so what was begun is ended in one go.
 *
 * Good for: many alike workers with short bursts, request latency at high load; messages between like tasks.
 * Bad for: sleepers beside CPU hogs, since a wake-up waits for the whole line. Weights are ignored.
 */
#include <scx/common.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 80000, "us", 100, 1000000, log, "Time a task may run before the next in line.");

UEI_DEFINE(uei);

#define LINE	0

s32 BPF_STRUCT_OPS(line_in_one_go_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_us * 1000, 0);
	return cpu;
}

void BPF_STRUCT_OPS(line_in_one_go_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	/* Who may run on one CPU only waits there. */
	if (p->nr_cpus_allowed == 1) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_us * 1000, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_us * 1000, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(line_in_one_go_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(line_in_one_go_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(line_in_one_go_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(line_in_one_go_ops,
	       .select_cpu	= (void *)line_in_one_go_select_cpu,
	       .enqueue		= (void *)line_in_one_go_enqueue,
	       .dispatch	= (void *)line_in_one_go_dispatch,
	       .init		= (void *)line_in_one_go_init,
	       .exit		= (void *)line_in_one_go_exit,
	       .name		= "line_in_one_go");
