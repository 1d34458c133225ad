// SPDX-License-Identifier: GPL-2.0-only
/* planted: Static priorities are taken the wrong way round, so nice -20 is served after nice 19.
 * stage: behaviour
 * caught-by: weights (nice), starvation
 */
/*
 * nice_runs_last: strict priorities with aging.
 *
 * The queue is ordered by static priority. A task that waits moves up by one priority every 100 ms,
 * so that nobody starves.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;

#define PRIO_DSQ	5
#define AGING_NS	(100 * NSEC_PER_MSEC)
#define MAX_PRIO	140

s32 BPF_STRUCT_OPS(nice_runs_last_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

/* The smallest key is served first: an early arrival, or a good priority. */
static u64 key_of(const struct task_struct *p)
{
	return scx_bpf_now() + (u64)(MAX_PRIO - p->static_prio) * AGING_NS;
}

void BPF_STRUCT_OPS(nice_runs_last_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, PRIO_DSQ, slice_ns, key_of(p), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(nice_runs_last_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(PRIO_DSQ);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(nice_runs_last_init)
{
	return scx_bpf_create_dsq(PRIO_DSQ, -1);
}

void BPF_STRUCT_OPS(nice_runs_last_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(nice_runs_last_ops,
	       .select_cpu	= (void *)nice_runs_last_select_cpu,
	       .enqueue		= (void *)nice_runs_last_enqueue,
	       .dispatch	= (void *)nice_runs_last_dispatch,
	       .init		= (void *)nice_runs_last_init,
	       .exit		= (void *)nice_runs_last_exit,
	       .name		= "nice_runs_last");
