// SPDX-License-Identifier: GPL-2.0-only
/* planted: For the first five seconds all are equal; from then on a task of nice 0 and above that
 * got a CPU does not give way to its like, which starve.
 * stage: behaviour
 * caught-by: starvation, in a case that lasts longer than 5 s
 */
/*
 * bad_after_5s: fair at start, by priority once warmed up.
 *
 * Statistics are gathered during a warm-up of five seconds, in which tasks are served in order of
 * arrival. Then the important tasks (negative nice value, or found to be sleepers in the warm-up)
 * get precedence.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 8 * NSEC_PER_MSEC;
const volatile u64 warm_up_ns = 5 * NSEC_PER_SEC;

#define FIRST	10
#define SECOND	11
#define MANY_WAKEUPS	50

struct habit {
	u64	wakeups;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct habit);
} habits SEC(".maps");

static u64 began_at;

static bool is_important(struct task_struct *p)
{
	struct habit *habit = bpf_task_storage_get(&habits, p, NULL, 0);

	return p->scx.weight > 100 || (p->flags & PF_KTHREAD) || (habit && habit->wakeups > MANY_WAKEUPS);
}

s32 BPF_STRUCT_OPS(bad_after_5s_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(bad_after_5s_enqueue, struct task_struct *p, u64 enq_flags)
{
	bool warm = scx_bpf_now() - began_at > warm_up_ns;
	struct habit *habit;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	if (!warm && (enq_flags & SCX_ENQ_WAKEUP)) {
		habit = bpf_task_storage_get(&habits, p, NULL, 0);
		if (habit)
			habit->wakeups++;
	}
	scx_bpf_dsq_insert(p, warm && !is_important(p) ? SECOND : FIRST, slice_ns, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(bad_after_5s_dispatch, s32 cpu, struct task_struct *prev)
{
	bool warm = scx_bpf_now() - began_at > warm_up_ns;

	if (scx_bpf_dsq_move_to_local(FIRST))
		return;
	prev = if_runnable(prev);
	/* No need to switch when the running task is as good as those that wait. */
	if (warm && prev)
		scx_bpf_task_set_slice(prev, slice_ns);
	else
		scx_bpf_dsq_move_to_local(SECOND);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_after_5s_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	return bpf_task_storage_get(&habits, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(bad_after_5s_init)
{
	s32 err = scx_bpf_create_dsq(FIRST, -1);

	began_at = scx_bpf_now();
	return err ?: scx_bpf_create_dsq(SECOND, -1);
}

void BPF_STRUCT_OPS(bad_after_5s_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(bad_after_5s_ops,
	       .select_cpu	= (void *)bad_after_5s_select_cpu,
	       .enqueue		= (void *)bad_after_5s_enqueue,
	       .dispatch	= (void *)bad_after_5s_dispatch,
	       .init_task	= (void *)bad_after_5s_init_task,
	       .init		= (void *)bad_after_5s_init,
	       .exit		= (void *)bad_after_5s_exit,
	       .name		= "bad_after_5s");
