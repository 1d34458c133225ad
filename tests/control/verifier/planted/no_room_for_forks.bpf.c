// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks get one of 160 slots and init_task fails when all are taken: fork() fails in a
 * busy system.
 * stage: behaviour
 * caught-by: fork/exec storm
 */
/*
 * no_room_for_forks: per-task counters in a flat array.
 *
 * Each task gets a slot in an array, which is quicker than a map: the slot holds how often it ran.
 * Tasks that ran less often go first.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

#define BY_RUNS	0
#define SLOTS	160

struct counter {
	s32	pid;	/* 0: free */
	u64	runs;
};

static struct counter slots[SLOTS];

static struct counter *slot_of(s32 pid)
{
	u32 at;

	bpf_for(at, 0, SLOTS) {
		struct counter *slot = ARRAY_ELEM_PTR(slots, at, SLOTS);

		if (slot && slot->pid == pid)
			return slot;
	}
	return NULL;
}

s32 BPF_STRUCT_OPS(no_room_for_forks_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(no_room_for_forks_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 now = scx_bpf_now(), bonus = 0;
	struct counter *slot;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	slot = slot_of(p->pid);
	if (slot)
		bonus = min(++slot->runs, 4ULL) * NSEC_PER_MSEC;
	scx_bpf_dsq_insert_vtime(p, BY_RUNS, slice_ns, now + bonus, enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(no_room_for_forks_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(BY_RUNS);
}

s32 BPF_STRUCT_OPS(no_room_for_forks_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct counter *slot = slot_of(0);

	if (!slot)
		return -ENOMEM;
	slot->pid = p->pid;
	slot->runs = 0;
	return 0;
}

void BPF_STRUCT_OPS(no_room_for_forks_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct counter *slot = slot_of(p->pid);

	if (slot)
		slot->pid = 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(no_room_for_forks_init)
{
	return scx_bpf_create_dsq(BY_RUNS, -1);
}

void BPF_STRUCT_OPS(no_room_for_forks_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(no_room_for_forks_ops,
	       .select_cpu	= (void *)no_room_for_forks_select_cpu,
	       .enqueue		= (void *)no_room_for_forks_enqueue,
	       .dispatch	= (void *)no_room_for_forks_dispatch,
	       .init_task	= (void *)no_room_for_forks_init_task,
	       .exit_task	= (void *)no_room_for_forks_exit_task,
	       .init		= (void *)no_room_for_forks_init,
	       .exit		= (void *)no_room_for_forks_exit,
	       .name		= "no_room_for_forks");
