// SPDX-License-Identifier: GPL-2.0-only
/* planted: exit sums up its statistics in a loop of billions of turns, so unloading does not end.
 * stage: behaviour
 * caught-by: unload and reload
 */
/*
 * hangs_on_unload: FIFO that leaves a summary.
 *
 * Counts the wake-ups of each kind; on exit, the table is folded into one checksum, to compare runs
 * with each other.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define SHARED_DSQ	0
#define ROUNDS	(1 << 22)

static u64 kinds[64];
static u64 checksum;

static long fold(u32 index, void *context)
{
	checksum = checksum * 31 + kinds[index & 63];
	return 0;
}

static long round(u32 index, void *context)
{
	bpf_loop(ROUNDS, fold, NULL, 0);
	return 0;
}

s32 BPF_STRUCT_OPS(hangs_on_unload_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(hangs_on_unload_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	__sync_fetch_and_add(&kinds[enq_flags & 63], 1);
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(hangs_on_unload_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(hangs_on_unload_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(hangs_on_unload_exit, struct scx_exit_info *ei)
{
	bpf_loop(ROUNDS, round, NULL, 0);
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(hangs_on_unload_ops,
	       .select_cpu	= (void *)hangs_on_unload_select_cpu,
	       .enqueue		= (void *)hangs_on_unload_enqueue,
	       .dispatch	= (void *)hangs_on_unload_dispatch,
	       .init		= (void *)hangs_on_unload_init,
	       .exit		= (void *)hangs_on_unload_exit,
	       .name		= "hangs_on_unload");
