// SPDX-License-Identifier: GPL-2.0-only
/* planted: A queue is created in enqueue, where sleeping is not allowed.
 * stage: kernel
 * caught-by: kernel verifier: kfunc not allowed here
 */
/*
 * queue_created_in_enqueue: one queue a session.
 *
 * Each session's tasks share a queue; a session's queue is made when its first task is queued. CPUs
 * visit the first 16 sessions' queues in turn.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define SESSIONS	16

static bool made[SESSIONS];
static u64 turn;

s32 BPF_STRUCT_OPS(queue_created_in_enqueue_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(queue_created_in_enqueue_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 session = (u32)p->tgid % SESSIONS;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (!made[session])
		made[session] = !scx_bpf_create_dsq(session, -1);
	scx_bpf_dsq_insert(p, session, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(queue_created_in_enqueue_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 first = __sync_fetch_and_add(&turn, 1);
	u32 i;

	bpf_for(i, 0, SESSIONS) {
		u32 session = (first + i) % SESSIONS;

		if (made[session] && scx_bpf_dsq_move_to_local(session))
			return;
	}
}

void BPF_STRUCT_OPS(queue_created_in_enqueue_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(queue_created_in_enqueue_ops,
	       .select_cpu	= (void *)queue_created_in_enqueue_select_cpu,
	       .enqueue		= (void *)queue_created_in_enqueue_enqueue,
	       .dispatch	= (void *)queue_created_in_enqueue_dispatch,
	       .exit		= (void *)queue_created_in_enqueue_exit,
	       .name		= "queue_created_in_enqueue");
