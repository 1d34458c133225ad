/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of 6.12: dispatch for insert, consume for move_to_local, the iterator's *_from_dsq calls.
 * Tasks that wake up go to a second queue and are moved from there one by one.
 */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

const volatile u64 slice_ns = SCX_SLICE_DFL;

enum {
	LOW_DSQ		= 0,
	HIGH_DSQ	= 1,
};

static u64 vtime_now;
u64 nr_woken, nr_turns;
UEI_DEFINE(uei);

static bool vtime_is_old(u64 vtime)
{
	return vtime_before(vtime, vtime_now - slice_ns);
}

s32 BPF_STRUCT_OPS(oldnames_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool direct = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &direct);

	if (direct)
		scx_bpf_dispatch(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(oldnames_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if ((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1) {
		scx_bpf_dispatch(p, SCX_DSQ_LOCAL, slice_ns, enq_flags | SCX_ENQ_HEAD);
		return;
	}
	if (vtime_is_old(vtime))
		vtime = vtime_now - slice_ns;
	scx_bpf_dispatch_vtime(p, (enq_flags & SCX_ENQ_WAKEUP) ? HIGH_DSQ : LOW_DSQ, slice_ns, vtime, enq_flags);
}

static bool consume_high(s32 cpu)
{
	struct task_struct *p;

	if (!scx_bpf_dsq_nr_queued(HIGH_DSQ))
		return false;

	bpf_for_each(scx_dsq, p, HIGH_DSQ, 0) {
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		__COMPAT_scx_bpf_dispatch_from_dsq_set_slice(BPF_FOR_EACH_ITER, slice_ns / 2);
		if (__COMPAT_scx_bpf_dispatch_from_dsq(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL, 0)) {
			__sync_fetch_and_add(&nr_woken, 1);
			return true;
		}
	}
	return false;
}

void BPF_STRUCT_OPS(oldnames_dispatch, s32 cpu, struct task_struct *prev)
{
	/* every fourth turn belongs to the rest */
	if (__sync_fetch_and_add(&nr_turns, 1) % 4 == 0 && scx_bpf_consume(LOW_DSQ))
		return;
	if (consume_high(cpu))
		return;
	if (scx_bpf_consume(LOW_DSQ))
		return;
	if (prev && (prev->scx.flags & SCX_TASK_QUEUED))
		prev->scx.slice = slice_ns;
}

void BPF_STRUCT_OPS(oldnames_running, struct task_struct *p)
{
	if (vtime_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(oldnames_stopping, struct task_struct *p, bool runnable)
{
	p->scx.dsq_vtime += (slice_ns - min(p->scx.slice, slice_ns)) * 100 / p->scx.weight;
}

void BPF_STRUCT_OPS(oldnames_enable, struct task_struct *p)
{
	p->scx.dsq_vtime = vtime_now;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(oldnames_init)
{
	s32 ret;

	ret = scx_bpf_create_dsq(LOW_DSQ, NUMA_NO_NODE);
	if (ret)
		return ret;
	return scx_bpf_create_dsq(HIGH_DSQ, NUMA_NO_NODE);
}

void BPF_STRUCT_OPS(oldnames_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(oldnames_ops,
	       .select_cpu		= (void *)oldnames_select_cpu,
	       .enqueue			= (void *)oldnames_enqueue,
	       .dispatch		= (void *)oldnames_dispatch,
	       .running			= (void *)oldnames_running,
	       .stopping		= (void *)oldnames_stopping,
	       .enable			= (void *)oldnames_enable,
	       .init			= (void *)oldnames_init,
	       .exit			= (void *)oldnames_exit,
	       .flags			= SCX_OPS_KEEP_BUILTIN_IDLE,
	       .name			= "oldnames");
