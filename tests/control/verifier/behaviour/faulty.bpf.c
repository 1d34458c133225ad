// SPDX-License-Identifier: GPL-2.0-only
/*
 * faulty: a plain queue for all CPUs, and a fault for each case of the battery.
 *
 * FAULT_<case> is defined to get the policy that the case has to find; with none it is a good one.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

enum faulty_dsq {
	FAULTY_SHARED,
	FAULTY_ASIDE,		/* served when nobody else wants the CPU */
	FAULTY_NOWHERE,	/* never served */
	FAULTY_OWN,		/* plus the CPU's number */
};

#if defined(FAULT_exits)
#define SLICE	NSEC_PER_MSEC	/* ends while tasks do */
#elif defined(FAULT_wakeups)
#define SLICE	(600 * NSEC_PER_MSEC)
#else
#define SLICE	(5 * NSEC_PER_MSEC)
#endif

u64 turns, born, choices;

#ifdef FAULT_account
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, u64);
} ever SEC(".maps");
#endif

/* The first CPU of the half of the machine that a CPU lies in. */
static __maybe_unused u32 half_of(u32 cpu)
{
	u32 half = scx_bpf_nr_cpu_ids() / 2;

	return cpu < half ? 0 : half;
}

/* Where a task waits. */
static u64 dsq_of(const struct task_struct *p)
{
#if defined(FAULT_affinity)
	/* The neighbour's queue, which only the neighbour serves. */
	return is_bound(p) ? FAULTY_OWN + (scx_bpf_task_cpu(p) + 1) % scx_bpf_nr_cpu_ids() : FAULTY_SHARED;
#elif defined(FAULT_llc_affinity)
	/* Who may use some of the CPUs, more than one. */
	return p->nr_cpus_allowed > 1 && p->nr_cpus_allowed < scx_bpf_nr_cpu_ids() ? FAULTY_ASIDE : FAULTY_SHARED;
#elif defined(FAULT_llc_conservation)
	/* A queue for each half of the machine, which only that half serves. */
	return FAULTY_OWN + half_of(scx_bpf_task_cpu(p));
#elif defined(FAULT_kernel_threads)
	return p->flags & PF_KTHREAD ? FAULTY_ASIDE : FAULTY_SHARED;
#elif defined(FAULT_starvation)
	return p->comm[0] == 'z' && p->comm[1] == 's' ? FAULTY_ASIDE : FAULTY_SHARED;
#elif defined(FAULT_identity) || defined(FAULT_crowd_identity)
	return BPF_CORE_READ(p, cred, uid.val) ? FAULTY_ASIDE : FAULTY_SHARED;
#elif defined(FAULT_bursts)
	return scx_bpf_dsq_nr_queued(FAULTY_SHARED) > 40 ? FAULTY_NOWHERE : FAULTY_SHARED;
#elif defined(FAULT_realtime) || defined(FAULT_cpu_offline)
	/* Whether that CPU is there, and free, or not. */
	return FAULTY_OWN + (is_bound(p) ? scx_bpf_task_cpu(p) : p->pid % scx_bpf_nr_cpu_ids());
#else
	return is_bound(p) ? FAULTY_OWN + scx_bpf_task_cpu(p) : FAULTY_SHARED;
#endif
}

/* What the queue is ordered by. */
static u64 key_of(const struct task_struct *p)
{
#if defined(FAULT_fairness)
	return -__sync_fetch_and_add(&turns, 1) + (1ULL << 40);
#elif defined(FAULT_weights) || defined(FAULT_crowd_weights)
	return 1000 - p->static_prio;
#elif defined(FAULT_inversion)
	return p->static_prio;
#else
	return __sync_fetch_and_add(&turns, 1);
#endif
}

s32 BPF_STRUCT_OPS(faulty_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
#if defined(FAULT_realtime) || defined(FAULT_cpu_offline)
	return prev_cpu;
#else
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SLICE, 0);
	return cpu;
#endif
}

void BPF_STRUCT_OPS(faulty_enqueue, struct task_struct *p, u64 enq_flags)
{
#ifdef FAULT_exits
	if (p->flags & PF_EXITING)
		return;
#endif
#ifndef FAULT_kernel_threads
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SLICE, enq_flags);
		return;
	}
#endif
	scx_bpf_dsq_insert_vtime(p, dsq_of(p), SLICE, key_of(p), enq_flags);
	wake_idle_cpu(p);
}

static bool serve_shared(s32 cpu)
{
#if defined(FAULT_conservation)
	if (cpu)
		return false;
#elif defined(FAULT_smt_siblings)
	if (cpu % 2)
		return false;
#elif defined(FAULT_llc_conservation)
	if (scx_bpf_dsq_move_to_local(FAULTY_OWN + half_of(cpu)))
		return true;
#endif
	return scx_bpf_dsq_move_to_local(FAULTY_SHARED) || scx_bpf_dsq_move_to_local(FAULTY_ASIDE);
}

void BPF_STRUCT_OPS(faulty_dispatch, s32 cpu, struct task_struct *prev)
{
#ifdef FAULT_slices
	/* Each choice makes the neighbour choose anew. */
	scx_bpf_kick_cpu((cpu + 1) % scx_bpf_nr_cpu_ids(), SCX_KICK_PREEMPT);
#endif
	/* In turns: else the bound tasks of a CPU and all others would starve each other. */
	if (__sync_fetch_and_add(&choices, 1) % 2 && scx_bpf_dsq_move_to_local(FAULTY_OWN + cpu))
		return;
	if (!serve_shared(cpu))
		scx_bpf_dsq_move_to_local(FAULTY_OWN + cpu);
}

s32 BPF_STRUCT_OPS(faulty_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	u64 __maybe_unused number = __sync_fetch_and_add(&born, 1);

#ifdef FAULT_account
	bpf_map_update_elem(&ever, &number, &number, BPF_ANY);
#endif
#ifdef FAULT_forks
	if (number > 2000)
		return -ENOMEM;
#endif
	return 0;
}

#ifdef FAULT_cpu_offline
/* The queue of a CPU that goes stays as it is. */
void BPF_STRUCT_OPS(faulty_cpu_online, s32 cpu)
{
}

void BPF_STRUCT_OPS(faulty_cpu_offline, s32 cpu)
{
}
#endif

#ifdef FAULT_group_offline
/* It is ready for one CPU to be gone at a time, and gives up at the second. */
u32 gone;

void BPF_STRUCT_OPS(faulty_cpu_online, s32 cpu)
{
	__sync_fetch_and_sub(&gone, 1);
}

void BPF_STRUCT_OPS(faulty_cpu_offline, s32 cpu)
{
	if (__sync_fetch_and_add(&gone, 1))
		scx_bpf_error("CPU %d is one too many", cpu);
}
#endif

s32 BPF_STRUCT_OPS_SLEEPABLE(faulty_init)
{
	return create_dsqs(FAULTY_OWN);
}

void BPF_STRUCT_OPS(faulty_exit, struct scx_exit_info *ei)
{
#ifdef FAULT_reload
	u32 i, j;

	bpf_for(i, 0, 60)
		bpf_for(j, 0, 2000000)
			turns += j;
#endif
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(faulty_ops,
	       .select_cpu	= (void *)faulty_select_cpu,
	       .enqueue		= (void *)faulty_enqueue,
	       .dispatch	= (void *)faulty_dispatch,
	       .init_task	= (void *)faulty_init_task,
#if defined(FAULT_cpu_offline) || defined(FAULT_group_offline)
	       .cpu_online	= (void *)faulty_cpu_online,
	       .cpu_offline	= (void *)faulty_cpu_offline,
#endif
#ifdef FAULT_exits
	       .flags		= SCX_OPS_ENQ_EXITING,
#endif
	       .init		= (void *)faulty_init,
	       .exit		= (void *)faulty_exit,
	       .name		= "faulty");
