// SPDX-License-Identifier: GPL-2.0-only
/*
 * llc: one queue for each group of CPUs that share a cache, and stealing between them.
 *
 * A task waits with the CPUs whose last-level cache it used last, first come, first served there. A CPU
 * without work takes the task that has waited longest anywhere else. A CPU with work does so only for
 * one that has waited for patience_ms, so a domain that lost its CPUs to others is not left alone.
 *
 * Good for: machines with several last-level caches, and many CPUs that would fight for one queue's lock.
 * Bad for: fairness, since a crowded domain waits longer than its neighbour for up to patience_ms. Nice
 * values and weights are ignored. Nothing is preempted before its slice is used up.
 *
 * BPF can't ask the kernel which CPUs share a cache, so cpus_per_domain says it: CPUs whose numbers follow
 * one another. The virtual machine has no caches: here each CPU is a domain, and the locality earns nothing.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "Time a task may run before the next in line gets the CPU.");
TUNABLE(u32, cpus_per_domain, 1, "CPUs", 1, 256, log, "CPUs that share a last-level cache: consecutive numbers.");
TUNABLE(u64, patience_ms, 25, "ms", 1, 1000, log, "Wait after which other domains serve a task before their own.");

UEI_DEFINE(uei);

/* Each domain has a queue with its number; each CPU has one for the tasks bound to it. */
#define BOUND_OF(cpu)	((u64)MAX_CPUS + (cpu))

/* The domain that each CPU looked at last for tasks that have waited long. */
static u32 looked_at[MAX_CPUS];

static u32 domain_of(s32 cpu)
{
	return (u32)cpu / (cpus_per_domain ?: 1);
}

static u32 nr_domains(void)
{
	return domain_of(scx_bpf_nr_cpu_ids() - 1) + 1;
}

/* One other domain at a time, so that many domains cost no more than few. */
static bool serve_neglected(s32 cpu, u64 now)
{
	u32 *at = CPU_SLOT(looked_at, cpu), domains = nr_domains();

	if (!at || domains == 1)
		return false;
	*at = (*at + 1) % domains;
	if (*at == domain_of(cpu))
		*at = (*at + 1) % domains;
	if (time_before(now, first_key(*at, now) + MS_TO_NS(patience_ms)))
		return false;
	return scx_bpf_dsq_move_to_local(*at);
}

/* From the domain with the longest wait; from any if that one has nothing for this CPU. */
static bool steal(s32 cpu, u64 now)
{
	u32 id, victim = domain_of(cpu), domains = nr_domains();
	u64 oldest = now;

	bpf_for(id, 0, domains) {
		u64 since = first_key(id, now);

		if (time_before(since, oldest)) {
			oldest = since;
			victim = id;
		}
	}
	if (scx_bpf_dsq_move_to_local(victim))
		return true;
	bpf_for(id, 0, domains)
		if (scx_bpf_dsq_move_to_local(id))
			return true;
	return false;
}

s32 BPF_STRUCT_OPS(llc_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(llc_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 dsq = is_bound(p) ? BOUND_OF(cpu) : domain_of(cpu);

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(llc_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now();

	if (serve_neglected(cpu, now) || serve_lower(domain_of(cpu), BOUND_OF(cpu)))
		return;

	/* Who ran goes on before anything is fetched from another cache. */
	if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
	else
		steal(cpu, now);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(llc_init)
{
	u32 id, cpus = scx_bpf_nr_cpu_ids(), domains = nr_domains();
	s32 err = cpus > MAX_CPUS ? -E2BIG : 0;

	bpf_for(id, 0, domains)
		err = err ?: scx_bpf_create_dsq(id, -1);
	bpf_for(id, 0, cpus)
		err = err ?: scx_bpf_create_dsq(BOUND_OF(id), -1);
	return err;
}

void BPF_STRUCT_OPS(llc_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(llc, drain_dsq(domain_of(cpu), cpu); drain_dsq(BOUND_OF(cpu), cpu))

SCX_OPS_DEFINE(llc_ops,
	       .select_cpu	= (void *)llc_select_cpu,
	       .enqueue		= (void *)llc_enqueue,
	       .dispatch	= (void *)llc_dispatch,
	       CPU_OPS(llc),
	       .init		= (void *)llc_init,
	       .exit		= (void *)llc_exit,
	       .name		= "llc");
