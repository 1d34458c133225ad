// SPDX-License-Identifier: GPL-2.0-only
/* planted: An array of 700 MiB is allocated when the policy is loaded; the machine has 1 GiB.
 * stage: behaviour
 * caught-by: memory left, out of memory (a source rule may add up the maps)
 */
/*
 * eats_memory: remembers every task's history.
 *
 * A ring of bursts for each possible process id, so that the next burst can be predicted well;
 * tasks are served in order of the prediction plus their arrival.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 10 * NSEC_PER_MSEC;

#define BY_BURST	0
#define MAX_PID	(1 << 22)

struct history {
	u64	began_at;
	u64	average_ns;
	u64	bursts_ns[19];
	u64	next;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PID);
	__type(key, u32);
	__type(value, struct history);
} histories SEC(".maps");

static struct history *history_of(const struct task_struct *p)
{
	u32 pid = p->pid;

	return bpf_map_lookup_elem(&histories, &pid);
}

s32 BPF_STRUCT_OPS(eats_memory_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(eats_memory_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct history *history;
	u64 burst;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	history = history_of(p);
	burst = history ? min(history->average_ns, slice_ns) : slice_ns;
	scx_bpf_dsq_insert_vtime(p, BY_BURST, slice_ns, scx_bpf_now() + burst, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(eats_memory_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(BY_BURST);
}

void BPF_STRUCT_OPS(eats_memory_running, struct task_struct *p)
{
	struct history *history = history_of(p);

	if (history)
		history->began_at = scx_bpf_now();
}

void BPF_STRUCT_OPS(eats_memory_stopping, struct task_struct *p, bool runnable)
{
	struct history *history = history_of(p);
	u64 burst, *slot;

	if (!history)
		return;
	burst = scx_bpf_now() - history->began_at;
	slot = ARRAY_ELEM_PTR(history->bursts_ns, history->next++ % 19, 19);
	if (slot)
		*slot = burst;
	history->average_ns = (7 * history->average_ns + burst) / 8;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(eats_memory_init)
{
	return scx_bpf_create_dsq(BY_BURST, -1);
}

void BPF_STRUCT_OPS(eats_memory_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(eats_memory_ops,
	       .select_cpu	= (void *)eats_memory_select_cpu,
	       .enqueue		= (void *)eats_memory_enqueue,
	       .dispatch	= (void *)eats_memory_dispatch,
	       .running		= (void *)eats_memory_running,
	       .stopping	= (void *)eats_memory_stopping,
	       .init		= (void *)eats_memory_init,
	       .exit		= (void *)eats_memory_exit,
	       .name		= "eats_memory");
