// SPDX-License-Identifier: GPL-2.0-only
/* planted: Every enqueue walks a table of 16384 samples to find an average: hundreds of
 * microseconds each.
 * stage: performance
 * caught-by: throughput
 */
/*
 * burns_in_enqueue: predicts the next burst from history.
 *
 * The lengths of the last 16384 bursts are kept in a ring. A task's slice is one and a half times
 * their average, so that most bursts end within it.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 min_slice_ns = 2 * NSEC_PER_MSEC;
const volatile u64 max_slice_ns = 20 * NSEC_PER_MSEC;

#define SHARED_DSQ	0
#define SAMPLES	16384

static u64 samples[SAMPLES];
static u64 next, began[MAX_CPUS];

static u64 slice_ns(void)
{
	u64 sum = 0, slice;
	u32 i;

	bpf_for(i, 0, SAMPLES)
		sum += samples[i & (SAMPLES - 1)];
	slice = sum / SAMPLES * 3 / 2;
	return clamp(slice, min_slice_ns, max_slice_ns);
}

s32 BPF_STRUCT_OPS(burns_in_enqueue_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(), 0);
	return cpu;
}

void BPF_STRUCT_OPS(burns_in_enqueue_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(), enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(burns_in_enqueue_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

void BPF_STRUCT_OPS(burns_in_enqueue_running, struct task_struct *p)
{
	u64 *at = CPU_SLOT(began, scx_bpf_task_cpu(p));

	if (at)
		*at = scx_bpf_now();
}

void BPF_STRUCT_OPS(burns_in_enqueue_stopping, struct task_struct *p, bool runnable)
{
	u64 *at = CPU_SLOT(began, scx_bpf_task_cpu(p));

	if (at)
		samples[__sync_fetch_and_add(&next, 1) & (SAMPLES - 1)] = scx_bpf_now() - *at;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(burns_in_enqueue_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(burns_in_enqueue_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(burns_in_enqueue_ops,
	       .select_cpu	= (void *)burns_in_enqueue_select_cpu,
	       .enqueue		= (void *)burns_in_enqueue_enqueue,
	       .dispatch	= (void *)burns_in_enqueue_dispatch,
	       .running		= (void *)burns_in_enqueue_running,
	       .stopping	= (void *)burns_in_enqueue_stopping,
	       .init		= (void *)burns_in_enqueue_init,
	       .exit		= (void *)burns_in_enqueue_exit,
	       .name		= "burns_in_enqueue");
