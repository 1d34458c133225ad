// SPDX-License-Identifier: GPL-2.0-only
/* planted: The CPUs a task may use are noted when it is created and never again: after
 * sched_setaffinity() it is sent to a CPU it may not use.
 * stage: behaviour
 * caught-by: affinity (ejected)
 */
/*
 * stale_affinity: home CPUs.
 *
 * Every task has a home, one of the CPUs it may use, and goes there when its home is free; when it
 * is not, any idle CPU is taken. Tasks that find none wait in line.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 6 * NSEC_PER_MSEC;

#define LINE	0

struct home {
	u64	mask;	/* CPUs that the task may use, the first 64 */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct home);
} homes SEC(".maps");

static s32 idle_home(struct task_struct *p)
{
	struct home *home = bpf_task_storage_get(&homes, p, NULL, 0);
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	if (!home)
		return -1;
	bpf_for(cpu, 0, cpus) {
		/* Begin at another CPU for each task. */
		u32 at = (cpu + p->pid) % cpus;

		if (at < 64 && home->mask & (1ULL << at) && scx_bpf_test_and_clear_cpu_idle(at))
			return at;
	}
	return -1;
}

void BPF_STRUCT_OPS(stale_affinity_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	cpu = idle_home(p);
	if (cpu >= 0) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, enq_flags);
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
		return;
	}
	scx_bpf_dsq_insert(p, LINE, slice_ns, enq_flags);
}

void BPF_STRUCT_OPS(stale_affinity_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(LINE);
}

s32 BPF_STRUCT_OPS(stale_affinity_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct home *home = bpf_task_storage_get(&homes, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	u32 cpu;

	if (!home)
		return -ENOMEM;
	bpf_for(cpu, 0, 64)
		if (cpu < scx_bpf_nr_cpu_ids() && bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			home->mask |= 1ULL << cpu;
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(stale_affinity_init)
{
	return scx_bpf_create_dsq(LINE, -1);
}

void BPF_STRUCT_OPS(stale_affinity_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(stale_affinity_ops,
	       .enqueue		= (void *)stale_affinity_enqueue,
	       .dispatch	= (void *)stale_affinity_dispatch,
	       .init_task	= (void *)stale_affinity_init_task,
	       .init		= (void *)stale_affinity_init,
	       .exit		= (void *)stale_affinity_exit,
	       .name		= "stale_affinity");
