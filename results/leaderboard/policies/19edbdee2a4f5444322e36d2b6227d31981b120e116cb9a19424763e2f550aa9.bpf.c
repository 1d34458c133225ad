// SPDX-License-Identifier: GPL-2.0-only
/*
 * nest: keeps the work on few, warm CPUs and leaves the others asleep.
 *
 * CPUs used within the last cool_us are the nest. Who wakes up goes to an idle CPU of the nest: its own if
 * that is one, else the lowest-numbered. The nest grows by one CPU, the lowest-numbered, only when all of it
 * is busy and a task would have to wait; it shrinks by itself, as CPUs that nobody needed cool down. Who finds
 * no CPU at all waits in one line, first come, first served.
 *
 * Good for: light loads of many short tasks on machines with more CPUs than work: few busy cores clock
 * higher, stay out of deep sleep, and the others save power.
 * Bad for: memory-bound work that gains from many caches; full machines, where all CPUs are in the nest and
 * only the line is left. Nice values and weights are ignored.
 *
 * The virtual machine has neither clock rates nor deep sleep: what is gained elsewhere does not show here.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "Time a task may run before the next in line gets the CPU.");
TUNABLE(u64, cool_us, 20000, "us", 100, 1000000, log, "Time without work after which a CPU is no longer in the nest.");
TUNABLE(bool, stay, true, "", 0, 1, linear, "Whether a task prefers its last CPU in the nest to the lowest-numbered.");

UEI_DEFINE(uei);

enum nest_dsq {
	NEST_SHARED,
	NEST_BOUND,	/* plus the CPU's number */
};

/* When each CPU last began or ended to work for anyone. */
static u64 used_at[MAX_CPUS];

static bool is_warm(s32 cpu, u64 now)
{
	u64 *used = CPU_SLOT(used_at, cpu);

	return used && *used && time_before(now, *used + US_TO_NS(cool_us));
}

static void warm(s32 cpu)
{
	u64 *used = CPU_SLOT(used_at, cpu);

	if (used)
		*used = scx_bpf_now();
}

/* Claims the lowest-numbered idle CPU that the task may use, from within the nest or from without; or -1. */
static s32 claim(const struct task_struct *p, bool within, u64 now)
{
	const struct cpumask *idle = scx_bpf_get_idle_cpumask();
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	s32 found = -1;

	bpf_for(cpu, 0, cpus) {
		if (!bpf_cpumask_test_cpu(cpu, idle) || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ||
		    is_warm(cpu, now) != within || !scx_bpf_test_and_clear_cpu_idle(cpu))
			continue;
		found = cpu;
		break;
	}
	scx_bpf_put_idle_cpumask(idle);
	return found;
}

/* Claims an idle CPU for the task, and lets the nest grow if it must; or -1. */
static s32 find_cpu(const struct task_struct *p, s32 prev_cpu)
{
	u64 now = scx_bpf_now();
	s32 cpu;

	if (stay && is_warm(prev_cpu, now) && bpf_cpumask_test_cpu(prev_cpu, p->cpus_ptr) &&
	    scx_bpf_test_and_clear_cpu_idle(prev_cpu))
		return prev_cpu;
	cpu = claim(p, true, now);
	if (cpu < 0)
		cpu = claim(p, false, now);
	if (cpu >= 0)
		warm(cpu);
	return cpu;
}

s32 BPF_STRUCT_OPS(nest_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = find_cpu(p, prev_cpu);

	if (cpu < 0)
		return prev_cpu;
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), 0);
	return cpu;
}

void BPF_STRUCT_OPS(nest_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 dsq = is_bound(p) ? NEST_BOUND + cpu : NEST_SHARED;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), scx_bpf_now(), enq_flags);
	if (!is_bound(p))
		cpu = find_cpu(p, cpu);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(nest_dispatch, s32 cpu, struct task_struct *prev)
{
	if (serve_lower(NEST_SHARED, NEST_BOUND + cpu))
		return;
	if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(nest_running, struct task_struct *p)
{
	if (!is_cpu_kthread(p))
		warm(scx_bpf_task_cpu(p));
}

void BPF_STRUCT_OPS(nest_stopping, struct task_struct *p, bool runnable)
{
	if (!is_cpu_kthread(p))
		warm(scx_bpf_task_cpu(p));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(nest_init)
{
	return create_dsqs(NEST_BOUND);
}

void BPF_STRUCT_OPS(nest_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(nest, drain_dsqs(NEST_BOUND, cpu))

SCX_OPS_DEFINE(nest_ops,
	       .select_cpu	= (void *)nest_select_cpu,
	       .enqueue		= (void *)nest_enqueue,
	       .dispatch	= (void *)nest_dispatch,
	       .running		= (void *)nest_running,
	       .stopping	= (void *)nest_stopping,
	       CPU_OPS(nest),
	       .init		= (void *)nest_init,
	       .exit		= (void *)nest_exit,
	       .name		= "nest");
