// SPDX-License-Identifier: GPL-2.0-only
/* planted: Reports an error, and so ends itself, when it has enqueued 3000 times.
 * stage: behaviour
 * caught-by: any case that lasts long enough (ejected)
 */
/*
 * ejects_itself: FIFO with a self-check.
 *
 * Counts what goes in and out and stops with an error when the two differ by too much, rather than
 * let a bug go on unseen.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 8 * NSEC_PER_MSEC;

#define SHARED_DSQ	0
#define MAX_DIFFERENCE	3000

static u64 in, out;

s32 BPF_STRUCT_OPS(ejects_itself_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(ejects_itself_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (__sync_fetch_and_add(&in, 1) - READ_ONCE(out) > MAX_DIFFERENCE) {
		scx_bpf_error("%llu tasks in, %llu out", in, out);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(ejects_itself_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(ejects_itself_init)
{
	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(ejects_itself_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(ejects_itself_ops,
	       .select_cpu	= (void *)ejects_itself_select_cpu,
	       .enqueue		= (void *)ejects_itself_enqueue,
	       .dispatch	= (void *)ejects_itself_dispatch,
	       .init		= (void *)ejects_itself_init,
	       .exit		= (void *)ejects_itself_exit,
	       .name		= "ejects_itself");
