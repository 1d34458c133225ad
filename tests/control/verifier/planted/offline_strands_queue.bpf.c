// SPDX-License-Identifier: GPL-2.0-only
/* planted: Tasks whose home is a CPU that went offline still go into its queue, and the others do
 * not take from an offline CPU's queue.
 * stage: behaviour
 * caught-by: CPU going offline
 */
/*
 * offline_strands_queue: per-CPU queues with work stealing, aware of hot-plugging.
 *
 * A task waits in the queue of its home, a CPU that follows from its process id, so that it mostly
 * runs there. A CPU takes the task that has waited longest, its own first among equals, from the
 * queues of those that are online.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 6 * NSEC_PER_MSEC;

static bool online[MAX_CPUS];

static s32 home_of(const struct task_struct *p)
{
	s32 cpu = (u32)p->pid % scx_bpf_nr_cpu_ids();

	return bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ? cpu : scx_bpf_task_cpu(p);
}

static void set_online(s32 cpu, bool is)
{
	bool *at = CPU_SLOT(online, cpu);

	if (at)
		*at = is;
}

s32 BPF_STRUCT_OPS(offline_strands_queue_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(offline_strands_queue_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, home_of(p), slice_ns, scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(offline_strands_queue_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 from, oldest = cpu, cpus = scx_bpf_nr_cpu_ids();
	u64 now = scx_bpf_now(), since = first_key(cpu, now);

	bpf_for(from, 0, cpus) {
		bool *is = CPU_SLOT(online, from);

		if (is && *is && time_before(first_key(from, now), since)) {
			since = first_key(from, now);
			oldest = from;
		}
	}
	/* What waits first there may be bound to its home. */
	if (!scx_bpf_dsq_move_to_local(oldest))
		scx_bpf_dsq_move_to_local(cpu);
}

void BPF_STRUCT_OPS(offline_strands_queue_cpu_online, s32 cpu)
{
	set_online(cpu, true);
}

void BPF_STRUCT_OPS(offline_strands_queue_cpu_offline, s32 cpu)
{
	set_online(cpu, false);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(offline_strands_queue_init)
{
	const struct cpumask *mask = scx_bpf_get_online_cpumask();
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	bpf_for(cpu, 0, cpus)
		set_online(cpu, bpf_cpumask_test_cpu(cpu, mask));
	scx_bpf_put_cpumask(mask);
	return create_dsqs(0);
}

void BPF_STRUCT_OPS(offline_strands_queue_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(offline_strands_queue_ops,
	       .select_cpu	= (void *)offline_strands_queue_select_cpu,
	       .enqueue		= (void *)offline_strands_queue_enqueue,
	       .dispatch	= (void *)offline_strands_queue_dispatch,
	       .cpu_online	= (void *)offline_strands_queue_cpu_online,
	       .cpu_offline	= (void *)offline_strands_queue_cpu_offline,
	       .init		= (void *)offline_strands_queue_init,
	       .exit		= (void *)offline_strands_queue_exit,
	       .name		= "offline_strands_queue");
