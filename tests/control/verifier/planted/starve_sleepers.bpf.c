// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks that wake up queue below those that used up a slice: beside busy tasks a sleeper
 * starves.
 * stage: behaviour
 * caught-by: starvation of sleepers, wake-up storm
 */
/*
 * starve_sleepers: let who is running finish.
 *
 * A task whose slice ended has warm caches and half-done work, so it is put at the front class and
 * continues soon. A task that wakes up has been waiting for something anyway and can start a little
 * later: wake-ups wait in the second class.
 *
 * Good for: batch throughput with few context switches.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

#define TURN_NS	(8 * NSEC_PER_MSEC)

enum {
	CONTINUED = 1,
	WOKEN = 2,
};

s32 BPF_STRUCT_OPS(starve_sleepers_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, TURN_NS, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_sleepers_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq_id = enq_flags & SCX_ENQ_WAKEUP ? WOKEN : CONTINUED;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, TURN_NS, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, dsq_id, TURN_NS, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_sleepers_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(CONTINUED))
		return;
	/* Its slice is over, but it has work left and nobody of its class waits. */
	if (if_runnable(prev)) {
		scx_bpf_task_set_slice(prev, TURN_NS);
		return;
	}
	scx_bpf_dsq_move_to_local(WOKEN);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_sleepers_init)
{
	s32 err;

	err = scx_bpf_create_dsq(CONTINUED, -1);
	if (err)
		return err;
	return scx_bpf_create_dsq(WOKEN, -1);
}

void BPF_STRUCT_OPS(starve_sleepers_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_sleepers_ops,
	       .select_cpu	= (void *)starve_sleepers_select_cpu,
	       .enqueue		= (void *)starve_sleepers_enqueue,
	       .dispatch	= (void *)starve_sleepers_dispatch,
	       .init		= (void *)starve_sleepers_init,
	       .exit		= (void *)starve_sleepers_exit,
	       .name		= "starve_sleepers");
