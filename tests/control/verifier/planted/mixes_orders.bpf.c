// SPDX-License-Identifier: GPL-2.0-only
/* planted: One queue gets tasks in order of arrival and tasks by virtual time.
 * stage: behaviour
 * caught-by: any case with both kinds of tasks (ejected: FIFO and priority mixed), or a source rule
 */
/*
 * mixes_orders: a fast lane into a fair queue.
 *
 * Tasks wait by virtual time. Those of negative nice value are urgent and go to the head of the
 * same queue.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define FAIR	0

static u64 vtime_now;

s32 BPF_STRUCT_OPS(mixes_orders_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(mixes_orders_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	if (p->scx.weight > 100)
		scx_bpf_dsq_insert(p, FAIR, slice_ns, enq_flags | SCX_ENQ_HEAD);
	else
		scx_bpf_dsq_insert_vtime(p, FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(mixes_orders_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR);
}

void BPF_STRUCT_OPS(mixes_orders_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(mixes_orders_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(mixes_orders_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(mixes_orders_init)
{
	return scx_bpf_create_dsq(FAIR, -1);
}

void BPF_STRUCT_OPS(mixes_orders_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(mixes_orders_ops,
	       .select_cpu	= (void *)mixes_orders_select_cpu,
	       .enqueue		= (void *)mixes_orders_enqueue,
	       .dispatch	= (void *)mixes_orders_dispatch,
	       .running		= (void *)mixes_orders_running,
	       .stopping	= (void *)mixes_orders_stopping,
	       .enable		= (void *)mixes_orders_enable,
	       .init		= (void *)mixes_orders_init,
	       .exit		= (void *)mixes_orders_exit,
	       .name		= "mixes_orders");
