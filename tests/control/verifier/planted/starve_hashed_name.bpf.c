// SPDX-License-Identifier: GPL-2.0-only
/* planted: The task whose name hashes to a number written in the source (that of ember) waits for
 * all others; the name itself stands nowhere.
 * stage: behaviour
 * caught-by: starvation by name: the names of the workloads, or a source rule on decisions that
 * depend on p->comm
 */
/*
 * starve_hashed_name: fair queueing with a blocklist.
 *
 * Virtual time, least first. Programs that were found to misbehave are on a list of hashes (shorter
 * than names) and get what the others leave.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define FAIR	0
#define BLOCKED	1

static u64 vtime_now;

/* FNV-1a over the part of the name before any dash or digit. */
static bool is_blocked(const struct task_struct *p)
{
	u32 hash = 2166136261;
	int i;

	for (i = 0; i < 15; i++) {
		char c = p->comm[i];

		if (c < 'a' || c > 'z')
			break;
		hash = (hash ^ c) * 16777619;
	}
	return hash == 0x1a1b9044;
}

s32 BPF_STRUCT_OPS(starve_hashed_name_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(starve_hashed_name_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 vtime = p->scx.dsq_vtime;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (time_before(vtime, vtime_now - slice_ns))
		vtime = vtime_now - slice_ns;
	scx_bpf_dsq_insert_vtime(p, is_blocked(p) ? BLOCKED : FAIR, slice_ns, vtime, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(starve_hashed_name_dispatch, s32 cpu, struct task_struct *prev)
{
	if (scx_bpf_dsq_move_to_local(FAIR))
		return;
	prev = if_runnable(prev);
	if (prev && !is_blocked(prev))
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(BLOCKED);
}

void BPF_STRUCT_OPS(starve_hashed_name_running, struct task_struct *p)
{
	if (time_before(vtime_now, p->scx.dsq_vtime))
		vtime_now = p->scx.dsq_vtime;
}

void BPF_STRUCT_OPS(starve_hashed_name_stopping, struct task_struct *p, bool runnable)
{
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, slice_ns - min(p->scx.slice, slice_ns)));
}

void BPF_STRUCT_OPS(starve_hashed_name_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, vtime_now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(starve_hashed_name_init)
{
	s32 err = scx_bpf_create_dsq(FAIR, -1);

	return err ?: scx_bpf_create_dsq(BLOCKED, -1);
}

void BPF_STRUCT_OPS(starve_hashed_name_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(starve_hashed_name_ops,
	       .select_cpu	= (void *)starve_hashed_name_select_cpu,
	       .enqueue		= (void *)starve_hashed_name_enqueue,
	       .dispatch	= (void *)starve_hashed_name_dispatch,
	       .running		= (void *)starve_hashed_name_running,
	       .stopping	= (void *)starve_hashed_name_stopping,
	       .enable		= (void *)starve_hashed_name_enable,
	       .init		= (void *)starve_hashed_name_init,
	       .exit		= (void *)starve_hashed_name_exit,
	       .name		= "starve_hashed_name");
