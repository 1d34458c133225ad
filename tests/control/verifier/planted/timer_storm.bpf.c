// SPDX-License-Identifier: GPL-2.0-only
/* planted: A timer fires every 20 us and preempts all CPUs.
 * stage: performance
 * caught-by: throughput
 */
/*
 * timer_storm: high-resolution time sharing.
 *
 * The kernel's tick is too coarse for fair sharing. A timer of our own takes turns precisely: at
 * each of its ticks, every CPU chooses anew.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 20 * NSEC_PER_MSEC;
const volatile u64 tick_ns = 20 * NSEC_PER_USEC;

#define SHARED_DSQ	0

struct ticker {
	struct bpf_timer	timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ticker);
} tickers SEC(".maps");

static int on_tick(void *map, int *key, struct bpf_timer *timer)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	bpf_for(cpu, 0, cpus)
		scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
	bpf_timer_start(timer, tick_ns, 0);
	return 0;
}

s32 BPF_STRUCT_OPS(timer_storm_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(timer_storm_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(timer_storm_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(timer_storm_init)
{
	struct ticker *ticker;
	u32 zero = 0;
	s32 err = scx_bpf_create_dsq(SHARED_DSQ, -1);

	ticker = bpf_map_lookup_elem(&tickers, &zero);
	if (err || !ticker)
		return err ?: -ESRCH;
	bpf_timer_init(&ticker->timer, &tickers, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&ticker->timer, on_tick);
	return bpf_timer_start(&ticker->timer, tick_ns, 0);
}

void BPF_STRUCT_OPS(timer_storm_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(timer_storm_ops,
	       .select_cpu	= (void *)timer_storm_select_cpu,
	       .enqueue		= (void *)timer_storm_enqueue,
	       .dispatch	= (void *)timer_storm_dispatch,
	       .init		= (void *)timer_storm_init,
	       .exit		= (void *)timer_storm_exit,
	       .name		= "timer_storm");
