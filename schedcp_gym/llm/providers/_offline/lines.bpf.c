// SPDX-License-Identifier: GPL-2.0-only
/*
 * lines: tasks of a given name first, all others in one line behind them.
 *
 * A task whose process name begins with `favour` is served before all others and keeps its CPU as long as it has
 * work; the others share what is left, first come, first served. Who has not yet executed its program still has its
 * parent's name: it may go first for a moment, so that a favoured one is recognised soon.
 *
 * Good for: a batch whose end is decided by one long job among many short ones.
 * Bad for: everything where no name is known: then it is a plain line. Weights are ignored. As many favoured tasks
 * as CPUs leave the others nothing.
 */
#include <scx/common.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE_TEXT(favour, "Beginning of the process name of the tasks that go before all others.");
TUNABLE(u64, slice_us, $slice_us, "us", 100, 1000000, log, "Time a task may run before the next in line.");

UEI_DEFINE(uei);

#define FAVOURED	0
#define LINE		1
#define NEWBORN_NS	10000000ULL

static bool is_favoured(const struct task_struct *p)
{
	int i;

	if (!favour[0])
		return false;
#pragma unroll
	for (i = 0; i < 15; i++) {
		if (!favour[i])
			break;
		if (p->comm[i] != favour[i])
			return false;
	}
	return true;
}

s32 BPF_STRUCT_OPS(lines_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_us * 1000, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lines_enqueue, struct task_struct *p, u64 enq_flags)
{
	bool first = is_favoured(p) || ((p->flags & PF_FORKNOEXEC) && p->se.sum_exec_runtime < NEWBORN_NS);
	s32 cpu;

	/* Who may run on one CPU only waits there. */
	if (p->nr_cpus_allowed == 1) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_us * 1000, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, first ? FAVOURED : LINE, slice_us * 1000, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(lines_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(FAVOURED))
		return;
	/* A favoured task that still has work goes on. */
	if (prev && (prev->scx.flags & SCX_TASK_QUEUED) && is_favoured(prev))
		return;
	scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lines_init)
{
	s32 err = scx_bpf_create_dsq(FAVOURED, -1);

	return err ?: scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(lines_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lines_ops,
	       .select_cpu	= (void *)lines_select_cpu,
	       .enqueue		= (void *)lines_enqueue,
	       .dispatch	= (void *)lines_dispatch,
	       .init		= (void *)lines_init,
	       .exit		= (void *)lines_exit,
	       .name		= "lines");
