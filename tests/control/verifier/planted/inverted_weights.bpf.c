// SPDX-License-Identifier: GPL-2.0-only
/* planted: CPU time is multiplied by the weight instead of divided: the higher the priority, the
 * smaller the share.
 * stage: behaviour
 * caught-by: weights (nice)
 */
/*
 * inverted_weights: weighted fair sharing by virtual time.
 *
 * A task's virtual time advances with the CPU time it used, scaled by its weight; the task with the
 * least virtual time runs next. Sleep earns a credit of one slice at most.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define FAIR_DSQ	0

static u64 vtime_now;

s32 BPF_STRUCT_OPS(inverted_weights_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(inverted_weights_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, FAIR_DSQ, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(inverted_weights_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR_DSQ);
}

void BPF_STRUCT_OPS(inverted_weights_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(inverted_weights_stopping, struct task_struct *p, bool runnable)
{
	u64 used = slice_ns - min(p->scx.slice, slice_ns);

	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + used * p->scx.weight / 100);
}

void BPF_STRUCT_OPS(inverted_weights_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(inverted_weights_init)
{
	return scx_bpf_create_dsq(FAIR_DSQ, -1);
}

void BPF_STRUCT_OPS(inverted_weights_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(inverted_weights_ops,
	       .select_cpu	= (void *)inverted_weights_select_cpu,
	       .enqueue		= (void *)inverted_weights_enqueue,
	       .dispatch	= (void *)inverted_weights_dispatch,
	       .running		= (void *)inverted_weights_running,
	       .stopping	= (void *)inverted_weights_stopping,
	       .enable		= (void *)inverted_weights_enable,
	       .init		= (void *)inverted_weights_init,
	       .exit		= (void *)inverted_weights_exit,
	       .name		= "inverted_weights");
