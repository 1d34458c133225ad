// SPDX-License-Identifier: GPL-2.0-only
/* planted: A spin lock is held while CPUs are kicked.
 * stage: source
 * caught-by: lock-across-kick (the kernel's verifier refuses the call under a lock)
 */
/*
 * lock_across_kick: FIFO with exact statistics.
 *
 * Counts of what was queued and kicked are kept under a spin lock so that they always agree with
 * each other.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

#define SHARED_DSQ	0

struct statistics {
	struct bpf_spin_lock	lock;
	u64			queued;
	u64			kicked;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct statistics);
} totals SEC(".maps");

s32 BPF_STRUCT_OPS(lock_across_kick_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(lock_across_kick_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct statistics *total;
	u32 zero = 0;
	s32 cpu;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	total = bpf_map_lookup_elem(&totals, &zero);
	if (!total)
		return;
	bpf_spin_lock(&total->lock);
	total->queued++;
	if (cpu >= 0) {
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
		total->kicked++;
	}
	bpf_spin_unlock(&total->lock);
}

void BPF_STRUCT_OPS(lock_across_kick_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lock_across_kick_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(lock_across_kick_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(lock_across_kick_ops,
	       .select_cpu	= (void *)lock_across_kick_select_cpu,
	       .enqueue		= (void *)lock_across_kick_enqueue,
	       .dispatch	= (void *)lock_across_kick_dispatch,
	       .init		= (void *)lock_across_kick_init,
	       .exit		= (void *)lock_across_kick_exit,
	       .name		= "lock_across_kick");
