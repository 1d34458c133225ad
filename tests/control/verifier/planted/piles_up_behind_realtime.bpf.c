// SPDX-License-Identifier: GPL-2.0-only
/* planted: Load is judged by the tasks of this class that run on a CPU: one that a real-time task
 * occupies looks free, and work piles up behind it.
 * stage: behaviour
 * caught-by: real-time hog
 */
/*
 * piles_up_behind_realtime: least loaded CPU first.
 *
 * Every CPU has a queue of its own. A task goes to the CPU that runs and queues the fewest tasks,
 * among those it may use.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 5 * NSEC_PER_MSEC;

static bool busy[MAX_CPUS];

static void set_busy(bool is)
{
	bool *at = CPU_SLOT(busy, bpf_get_smp_processor_id());

	if (at)
		*at = is;
}

static s32 least_loaded(const struct task_struct *p)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	s64 least = 1LL << 40;
	s32 best = scx_bpf_task_cpu(p);

	bpf_for(cpu, 0, cpus) {
		bool *is = CPU_SLOT(busy, cpu);
		s64 load = is && *is ? 1000 : scx_bpf_dsq_nr_queued(cpu);

		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr) && load < least) {
			least = load;
			best = cpu;
		}
	}
	return best;
}

s32 BPF_STRUCT_OPS(piles_up_behind_realtime_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return least_loaded(p);
}

void BPF_STRUCT_OPS(piles_up_behind_realtime_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = least_loaded(p);

	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, cpu, slice_ns, enq_flags);
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(piles_up_behind_realtime_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 from, cpus = scx_bpf_nr_cpu_ids();

	if (scx_bpf_dsq_move_to_local(cpu))
		return;
	/* A neighbour's queue that has grown long is helped out with. */
	bpf_for(from, 0, cpus)
		if (scx_bpf_dsq_nr_queued(from) > 1 && scx_bpf_dsq_move_to_local(from))
			return;
}

void BPF_STRUCT_OPS(piles_up_behind_realtime_running, struct task_struct *p)
{
	set_busy(true);
}

void BPF_STRUCT_OPS(piles_up_behind_realtime_stopping, struct task_struct *p, bool runnable)
{
	set_busy(false);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(piles_up_behind_realtime_init)
{
	return create_dsqs(0);
}

void BPF_STRUCT_OPS(piles_up_behind_realtime_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(piles_up_behind_realtime_ops,
	       .select_cpu	= (void *)piles_up_behind_realtime_select_cpu,
	       .enqueue		= (void *)piles_up_behind_realtime_enqueue,
	       .dispatch	= (void *)piles_up_behind_realtime_dispatch,
	       .running		= (void *)piles_up_behind_realtime_running,
	       .stopping	= (void *)piles_up_behind_realtime_stopping,
	       .init		= (void *)piles_up_behind_realtime_init,
	       .exit		= (void *)piles_up_behind_realtime_exit,
	       .name		= "piles_up_behind_realtime");
