// SPDX-License-Identifier: GPL-2.0-only
/* planted: Writes to p->scx.weight, which a policy must not change.
 * stage: source
 * caught-by: a rule on fields that kernels refuse to have written (the kernel's verifier refuses it
 * too)
 */
/*
 * writes_weight: interactive boost.
 *
 * A task that sleeps a lot gets twice its weight while it is awake, so it is served sooner; the
 * boost is taken back when it used a whole slice.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define FAIR	0

static u64 vtime_now;

s32 BPF_STRUCT_OPS(writes_weight_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(writes_weight_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(writes_weight_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FAIR);
}

void BPF_STRUCT_OPS(writes_weight_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(writes_weight_stopping, struct task_struct *p, bool runnable)
{
	u64 used = slice_ns - min(p->scx.slice, slice_ns);

	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, used));
	if (!runnable && p->scx.weight < 5000)
		p->scx.weight *= 2;
	else if (used == slice_ns)
		p->scx.weight = 100;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(writes_weight_init)
{
	return scx_bpf_create_dsq(FAIR, -1);
}

void BPF_STRUCT_OPS(writes_weight_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(writes_weight_ops,
	       .select_cpu	= (void *)writes_weight_select_cpu,
	       .enqueue		= (void *)writes_weight_enqueue,
	       .dispatch	= (void *)writes_weight_dispatch,
	       .running		= (void *)writes_weight_running,
	       .stopping	= (void *)writes_weight_stopping,
	       .init		= (void *)writes_weight_init,
	       .exit		= (void *)writes_weight_exit,
	       .name		= "writes_weight");
