/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A timer ends turns: tasks get an endless slice, and a BPF timer preempts each CPU beside a filled queue.
 */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

enum {
	FALLBACK_DSQ_ID		= 0,
	MS_TO_NS		= 1000LLU * 1000,
	TIMER_INTERVAL_NS	= 5 * MS_TO_NS,
	MAX_CPUS		= 512,
};

const volatile bool preempt = true;
const volatile u32 nr_cpu_ids = 0;	/* 0: ask the kernel */

struct cpu_state {
	u64 started_at;
	u64 nr_preempted;
} cpu_states[MAX_CPUS];

struct central_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct central_timer);
} central_timer SEC(".maps");

UEI_DEFINE(uei);

static u32 cpus(void)
{
	return nr_cpu_ids ?: scx_bpf_nr_cpu_ids();
}

s32 BPF_STRUCT_OPS(clocked_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = __COMPAT_scx_bpf_select_cpu_and(p, prev_cpu, wake_flags, p->cpus_ptr, 0);

	if (cpu >= 0) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, 0);
		return cpu;
	}
	return prev_cpu;
}

void BPF_STRUCT_OPS(clocked_enqueue, struct task_struct *p, u64 enq_flags)
{
	if ((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_INF, enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	scx_bpf_dsq_insert(p, FALLBACK_DSQ_ID, SCX_SLICE_INF, enq_flags);
}

void BPF_STRUCT_OPS(clocked_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(FALLBACK_DSQ_ID);
}

void BPF_STRUCT_OPS(clocked_running, struct task_struct *p)
{
	struct cpu_state *state = MEMBER_VPTR(cpu_states, [scx_bpf_task_cpu(p)]);

	if (state)
		state->started_at = scx_bpf_now() ?: 1;
}

void BPF_STRUCT_OPS(clocked_stopping, struct task_struct *p, bool runnable)
{
	struct cpu_state *state = MEMBER_VPTR(cpu_states, [scx_bpf_task_cpu(p)]);

	if (state)
		state->started_at = 0;
}

static int central_timerfn(void *map, int *key, struct bpf_timer *timer)
{
	u64 now = scx_bpf_now();
	s32 cpu;

	bpf_for(cpu, 0, cpus()) {
		struct cpu_state *state = ARRAY_ELEM_PTR(cpu_states, cpu, MAX_CPUS);

		if (!state || !state->started_at || time_delta(now, state->started_at) < TIMER_INTERVAL_NS)
			continue;
		if (!scx_bpf_dsq_nr_queued(FALLBACK_DSQ_ID) && !scx_bpf_dsq_nr_queued(SCX_DSQ_LOCAL_ON | cpu))
			continue;
		state->nr_preempted++;
		scx_bpf_kick_cpu(cpu, preempt ? SCX_KICK_PREEMPT : 0);
	}

	bpf_timer_start(timer, TIMER_INTERVAL_NS, 0);
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(clocked_init)
{
	struct bpf_timer *timer;
	u32 key = 0;
	int ret;

	ret = scx_bpf_create_dsq(FALLBACK_DSQ_ID, -1);
	if (ret)
		return ret;

	timer = bpf_map_lookup_elem(&central_timer, &key);
	if (!timer)
		return -ESRCH;

	bpf_timer_init(timer, &central_timer, CLOCK_MONOTONIC);
	bpf_timer_set_callback(timer, central_timerfn);
	ret = bpf_timer_start(timer, TIMER_INTERVAL_NS, 0);
	if (ret)
		scx_bpf_error("bpf_timer_start failed (%d)", ret);
	return ret;
}

void BPF_STRUCT_OPS(clocked_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(clocked_ops,
	       .select_cpu		= (void *)clocked_select_cpu,
	       .enqueue			= (void *)clocked_enqueue,
	       .dispatch		= (void *)clocked_dispatch,
	       .running			= (void *)clocked_running,
	       .stopping		= (void *)clocked_stopping,
	       .init			= (void *)clocked_init,
	       .exit			= (void *)clocked_exit,
	       .name			= "clocked");
