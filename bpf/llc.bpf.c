// SPDX-License-Identifier: GPL-2.0-only
/*
 * llc: one queue for each group of CPUs that share a cache, and stealing between them.
 *
 * A task waits with the CPUs whose last-level cache it used last, first come, first served there. A CPU
 * without work takes the task that has waited longest anywhere else. A CPU with work does so only for
 * one that has waited for patience_ms, so a group that lost its CPUs to others is not left alone.
 *
 * Good for: machines with several last-level caches, and many CPUs that would fight for one queue's lock.
 * Bad for: fairness, since a crowded group waits longer than its neighbour for up to patience_ms. Nice
 * values and weights are ignored. Nothing is preempted before its slice is used up.
 *
 * The kernel says which CPUs share a cache. Where all of them do there is one queue, and nothing to steal;
 * cpus_per_domain makes other groups.
 */
#include <scx/common.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u32, cpus_per_domain, 256, "CPUs", 1, 256, log, "CPUs of a group, in order; 256: those that share a cache.");

#define LLC_ID(cpu, id)	(cpus_per_domain < 256 ? (u32)(cpu) / cpus_per_domain : (id))

#include <schedcp/domains.bpf.h>
#include <schedcp/topology.bpf.h>

TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "Time a task may run before the next in line gets the CPU.");
TUNABLE(u64, patience_ms, 25, "ms", 1, 1000, log, "Wait after which other caches' CPUs serve a task before their own.");

UEI_DEFINE(uei);

s32 BPF_STRUCT_OPS(llc_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(llc_enqueue, struct task_struct *p, u64 enq_flags)
{
	u32 llc = llc_of(scx_bpf_task_cpu(p));

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, domain_dsq(llc, p), US_TO_NS(slice_us), scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(llc_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 llc = llc_of(cpu);

	if (serve_neglected(llc, nr_llcs(), cpu, MS_TO_NS(patience_ms)) || serve_domain(llc, cpu))
		return;

	/* Who ran goes on before anything is fetched from another cache. */
	if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
	else
		steal(llc, nr_llcs(), 0);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(llc_init)
{
	return read_topology() ?: create_domains();
}

void BPF_STRUCT_OPS(llc_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

PLACED_CPU_OPS_DEFINE(llc, drain_domains(nr_llcs(), cpu))

SCX_OPS_DEFINE(llc_ops,
	       .select_cpu	= (void *)llc_select_cpu,
	       .enqueue		= (void *)llc_enqueue,
	       .dispatch	= (void *)llc_dispatch,
	       CPU_OPS(llc),
	       .init		= (void *)llc_init,
	       .exit		= (void *)llc_exit,
	       .name		= "llc");
