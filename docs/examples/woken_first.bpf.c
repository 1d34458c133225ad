// SPDX-License-Identifier: GPL-2.0-only
/*
 * woken_first: one queue for all CPUs. Tasks that wake up go before tasks that had to give up their CPU.
 *
 * Good for: servers beside batch work. Bad for: large machines, where all CPUs contend for the one queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 5000, "us", 100, 100000, log, "Time a task may run before others get the CPU.");
TUNABLE(u64, behind_us, 20000, "us", 0, 1000000, linear, "How far behind woken tasks the others queue.");

UEI_DEFINE(uei);

enum { ALL_TASKS, BOUND_TASKS };	/* one queue for all; from BOUND_TASKS on, one for each CPU's bound tasks */

s32 BPF_STRUCT_OPS(woken_first_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(woken_first_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 key = bpf_ktime_get_ns() + (enq_flags & SCX_ENQ_WAKEUP ? 0 : US_TO_NS(behind_us));
	u64 line = is_bound(p) ? BOUND_TASKS + scx_bpf_task_cpu(p) : ALL_TASKS;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, line, US_TO_NS(slice_us), key, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(woken_first_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 bound = BOUND_TASKS + cpu, end = bpf_ktime_get_ns() + NSEC_PER_SEC * 10;
	u64 first = time_before(first_key(bound, end), first_key(ALL_TASKS, end)) ? bound : ALL_TASKS;

	if (!scx_bpf_dsq_move_to_local(first) && !scx_bpf_dsq_move_to_local(ALL_TASKS) &&
	    !scx_bpf_dsq_move_to_local(bound) && if_runnable(prev))
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));	/* no task waits: the last one continues */
}

CPU_OPS_DEFINE(woken_first, drain_dsqs(BOUND_TASKS, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(woken_first_init) { return create_dsqs(BOUND_TASKS); }

void BPF_STRUCT_OPS(woken_first_exit, struct scx_exit_info *ei) { UEI_RECORD(uei, ei); }

SCX_OPS_DEFINE(woken_first_ops, .select_cpu = (void *)woken_first_select_cpu,
	       .enqueue = (void *)woken_first_enqueue, .dispatch = (void *)woken_first_dispatch,
	       CPU_OPS(woken_first), .init = (void *)woken_first_init,
	       .exit = (void *)woken_first_exit, .name = "woken_first");
