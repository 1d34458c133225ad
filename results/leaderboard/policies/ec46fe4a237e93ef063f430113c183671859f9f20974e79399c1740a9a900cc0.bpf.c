// SPDX-License-Identifier: GPL-2.0-only
/*
 * fifo: one queue for all CPUs, first come, first served.
 *
 * A task that finds no idle CPU goes to the end of the line; whichever CPU becomes free takes the
 * first. Nothing is preempted before its slice is used up, so with a long slice short requests run
 * to their end in one go, and nobody waits behind a CPU that happens to be crowded.
 *
 * Good for: many alike workers with short bursts (request latency at high load), batches of equal
 * jobs, and as the simplest thing to compare with.
 * Bad for: a few sleepers beside many CPU hogs, since who wakes up waits for the whole line, each
 * with a full slice. Nice values and weights are ignored. One lock and one line for all CPUs: caches
 * stay cold and the lock is fought over on large machines.
 *
 * Tasks bound to one CPU wait in a line of their own, and a CPU serves whichever of the two lines
 * has the older task first: the bound and the free cannot starve each other. The kernel's per-CPU
 * threads go straight to their CPU.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "Time a task may run before the next in line gets the CPU.");

UEI_DEFINE(uei);

/* Number that the next task in line draws. */
static u64 next_turn;

enum fifo_dsq {
	FIFO_SHARED,
	FIFO_BOUND,	/* plus the CPU's number */
};

s32 BPF_STRUCT_OPS(fifo_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(fifo_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? FIFO_BOUND + scx_bpf_task_cpu(p) : FIFO_SHARED;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), __sync_fetch_and_add(&next_turn, 1), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(fifo_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 bound = FIFO_BOUND + cpu, end = READ_ONCE(next_turn);

	if (time_before(first_key(bound, end), first_key(FIFO_SHARED, end)) && scx_bpf_dsq_move_to_local(bound))
		return;
	if (scx_bpf_dsq_move_to_local(FIFO_SHARED) || scx_bpf_dsq_move_to_local(bound))
		return;

	/* Nobody waits: who ran goes on. */
	if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
}

CPU_OPS_DEFINE(fifo, drain_dsqs(FIFO_BOUND, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(fifo_init)
{
	return create_dsqs(FIFO_BOUND);
}

void BPF_STRUCT_OPS(fifo_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(fifo_ops,
	       .select_cpu	= (void *)fifo_select_cpu,
	       .enqueue		= (void *)fifo_enqueue,
	       .dispatch	= (void *)fifo_dispatch,
	       CPU_OPS(fifo),
	       .init		= (void *)fifo_init,
	       .exit		= (void *)fifo_exit,
	       .name		= "fifo");
