// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks whose name begins with schbench run only when nobody else wants the CPU.
 * stage: behaviour
 * caught-by: starvation by name, or a source rule on names compared with literals
 */
/*
 * starve_named: weighted fair queueing with a class for heavy background jobs.
 *
 * Virtual time advances with CPU time over weight; the least goes first. Known background jobs are
 * kept in a queue of their own so that their large footprint does not disturb the rest.
 *
 * Good for: servers that run a few well-known heavy jobs beside interactive load.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

/* Jobs that are known to be heavy. */
static const char heavy[] = "schbench";

#define DSQ_FAIR	0
#define DSQ_HEAVY	1

static u64 vtime_now;

static bool is_heavy(const struct task_struct *p)
{
	int i;

#pragma unroll
	for (i = 0; i < sizeof(heavy) - 1; i++)
		if (p->comm[i] != heavy[i])
			return false;
	return true;
}

s32 BPF_STRUCT_OPS(starve_named_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_named_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	/* Sleep earns one slice of credit at most. */
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, is_heavy(p) ? DSQ_HEAVY : DSQ_FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_named_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(DSQ_FAIR))
		return;
	prev = if_runnable(prev);
	if (prev && !is_heavy(prev))
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(DSQ_HEAVY);
}

void BPF_STRUCT_OPS(starve_named_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(starve_named_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(starve_named_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_named_init)
{
	s32 err = scx_bpf_create_dsq(DSQ_FAIR, -1);

	return err ?: scx_bpf_create_dsq(DSQ_HEAVY, -1);
}

void BPF_STRUCT_OPS(starve_named_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_named_ops,
	       .select_cpu	= (void *)starve_named_select_cpu,
	       .enqueue		= (void *)starve_named_enqueue,
	       .dispatch	= (void *)starve_named_dispatch,
	       .running		= (void *)starve_named_running,
	       .stopping	= (void *)starve_named_stopping,
	       .enable		= (void *)starve_named_enable,
	       .init		= (void *)starve_named_init,
	       .exit		= (void *)starve_named_exit,
	       .name		= "starve_named");
