// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch: tasks run until they block, and turns are only as short as the line is long.
 *
 * As long as nobody waits, a task runs without end. When others do, first come, first served, each gets a
 * turn of such a length that the last in line waits for about longest_wait_ms: with few waiters turns are
 * tens of milliseconds, with many they shrink, down to least_turn_us. No wake-up ever preempts.
 *
 * Good for: throughput of CPU-bound jobs that outnumber the CPUs: builds, number crunching, and requests
 * that are best answered in one go. The fewest context switches that still bound the wait.
 * Bad for: anything interactive beside busy tasks: a wake-up waits for whole turns, longest_wait_ms if need be.
 * Nice values and weights are ignored. One queue and one lock for all CPUs.
 *
 * The end of a turn is seen by the timer tick. On CPUs that run without ticks (nohz_full) a task that
 * began when nobody waited would keep its CPU until it blocks.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, longest_wait_ms, 150, "ms", 10, 5000, log, "Wait of the last in line that the length of turns aims at.");
TUNABLE(u64, least_turn_us, 5000, "us", 500, 100000, log, "Turns are never shorter than this, however many wait.");

UEI_DEFINE(uei);

enum batch_dsq {
	BATCH_SHARED,
	BATCH_BOUND,	/* plus the CPU's number */
};

/* When the turn of the task that runs on each CPU began. */
static u64 began_at[MAX_CPUS];

/* Length of a turn on a CPU, given who waits; SCX_SLICE_INF when nobody does. */
static u64 turn_ns(s32 cpu)
{
	s32 shared = scx_bpf_dsq_nr_queued(BATCH_SHARED), bound = scx_bpf_dsq_nr_queued(BATCH_BOUND + cpu);
	u64 cpus = scx_bpf_nr_cpu_ids(), ns;

	if (shared <= 0 && bound <= 0)
		return SCX_SLICE_INF;
	/* All CPUs work off the shared line, this one alone that of its own. */
	ns = MS_TO_NS(longest_wait_ms) * cpus / (u32)(max(shared, 0) + max(bound, 0) * cpus);
	return clamp(ns, US_TO_NS(least_turn_us), MS_TO_NS(longest_wait_ms));
}

s32 BPF_STRUCT_OPS(batch_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, SCX_SLICE_INF);
}

void BPF_STRUCT_OPS(batch_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? BATCH_BOUND + scx_bpf_task_cpu(p) : BATCH_SHARED;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, dsq, SCX_SLICE_INF, scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(batch_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 *began = CPU_SLOT(began_at, cpu);

	if (serve_lower(BATCH_SHARED, BATCH_BOUND + cpu) || !if_runnable(prev))
		return;
	scx_bpf_task_set_slice(prev, SCX_SLICE_INF);
	if (began)
		*began = scx_bpf_now();
}

/* Waiting per-CPU kernel threads end a turn as well: they are on the CPU's own queue. */
void BPF_STRUCT_OPS(batch_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 *began = CPU_SLOT(began_at, cpu), now = scx_bpf_now();
	u64 turn = scx_bpf_dsq_nr_queued(SCX_DSQ_LOCAL_ON | cpu) > 0 ? US_TO_NS(least_turn_us) : turn_ns(cpu);

	if (began && turn != SCX_SLICE_INF && time_before(*began + turn, now))
		scx_bpf_task_set_slice(p, 0);
}

void BPF_STRUCT_OPS(batch_running, struct task_struct *p)
{
	u64 *began = CPU_SLOT(began_at, scx_bpf_task_cpu(p));

	if (began)
		*began = scx_bpf_now();
}

s32 BPF_STRUCT_OPS_SLEEPABLE(batch_init)
{
	return create_dsqs(BATCH_BOUND);
}

void BPF_STRUCT_OPS(batch_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(batch, drain_dsqs(BATCH_BOUND, cpu))

SCX_OPS_DEFINE(batch_ops,
	       .select_cpu	= (void *)batch_select_cpu,
	       .enqueue		= (void *)batch_enqueue,
	       .dispatch	= (void *)batch_dispatch,
	       .tick		= (void *)batch_tick,
	       .running		= (void *)batch_running,
	       CPU_OPS(batch),
	       .init		= (void *)batch_init,
	       .exit		= (void *)batch_exit,
	       .name		= "batch");
