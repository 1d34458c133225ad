/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue for each domain, which is a group of CPUs such as an LLC or a node, and one for the tasks bound to
 * each CPU. The key is the time at which a task began to wait: each queue is first come, first served, the
 * bound and the free do not starve each other, and it shows how long the first one has waited.
 *
 * The queues have the domains' numbers. A policy calls read_topology() and create_domains() in ops.init.
 */
#ifndef __SCHEDCP_DOMAINS_BPF_H
#define __SCHEDCP_DOMAINS_BPF_H

#include <schedcp/topology.bpf.h>
#include <schedcp/turn.bpf.h>

#define DOMAIN_BOUND(cpu)	((u64)MAX_CPUS + (cpu))

/* The domain that each CPU looked at last for tasks that have waited long. */
static u32 looked_at[MAX_CPUS];

static __always_inline __maybe_unused u64 domain_dsq(u32 domain, const struct task_struct *p)
{
	return is_bound(p) ? DOMAIN_BOUND(scx_bpf_task_cpu(p)) : domain;
}

/* CPUs of each domain that run tasks of the policy, for policies that call note_work(). */
static u32 at_work[MAX_CPUS];

/* ops.running and ops.stopping. */
static __always_inline __maybe_unused void note_work(u32 domain, bool begins)
{
	u32 *working = CPU_SLOT(at_work, domain);

	if (working)
		__sync_fetch_and_add(working, begins ? 1 : -1);
}

/* Whether a domain runs anything of ours. If not, real-time tasks may have taken it, and nobody knows until when. */
static __always_inline __maybe_unused bool is_at_work(u32 domain)
{
	u32 *working = CPU_SLOT(at_work, domain);

	return working && *working;
}

/* How long the first of a queue has waited; 0 when nobody does. */
static __always_inline __maybe_unused u64 waited_ns(u64 dsq, u64 now)
{
	u64 since = first_key(dsq, now);

	return time_before(since, now) ? now - since : 0;
}

/* ops.dispatch: the one who waited longest in the CPU's own domain, or of those bound to the CPU. */
static __always_inline __maybe_unused bool serve_domain(u32 domain, s32 cpu)
{
	return serve_lower(domain, DOMAIN_BOUND(cpu));
}

/*
 * ops.dispatch: who has waited so long in another domain that its CPUs must be busy with other things. Looks at
 * one domain at a time, so that many domains cost no more than few.
 */
static __always_inline __maybe_unused bool serve_neglected(u32 domain, u32 domains, s32 cpu, u64 patience_ns)
{
	u32 *at = CPU_SLOT(looked_at, cpu);

	if (!at || domains < 2)
		return false;
	*at = (*at + 1) % domains;
	if (*at == domain)
		*at = (*at + 1) % domains;
	return waited_ns(*at, scx_bpf_now()) > patience_ns && scx_bpf_dsq_move_to_local(*at);
}

/* Whether the first in a domain's queue has waited for so long, or waits where nothing runs. */
static __always_inline __maybe_unused bool is_overdue(u32 domain, u64 worth_ns, u64 now)
{
	return waited_ns(domain, now) > (is_at_work(domain) ? worth_ns : 0);
}

/* ops.dispatch: takes from another domain where the first has waited for so long; the longest wait first. */
static __always_inline __maybe_unused bool steal(u32 domain, u32 domains, u64 worth_ns)
{
	u64 now = scx_bpf_now(), longest = 0;
	u32 other, victim = domain;

	bpf_for(other, 0, domains) {
		u64 waited = other == domain ? 0 : waited_ns(other, now);

		if (waited > longest && is_overdue(other, worth_ns, now)) {
			longest = waited;
			victim = other;
		}
	}
	if (victim == domain)
		return false;
	if (scx_bpf_dsq_move_to_local(victim))
		return true;
	/* It was for other CPUs only. */
	bpf_for(other, 0, domains)
		if (other != domain && is_overdue(other, worth_ns, now) && scx_bpf_dsq_move_to_local(other))
			return true;
	return false;
}

/* For PLACED_CPU_OPS_DEFINE. */
static __always_inline __maybe_unused void drain_domains(u32 domains, s32 cpu)
{
	u32 domain;

	bpf_for(domain, 0, domains)
		drain_dsq(domain, cpu);
	drain_dsq(DOMAIN_BOUND(cpu), cpu);
}

/* For ops.init: there are at most as many domains as CPUs, and some may come with a CPU that comes later. */
static __always_inline __maybe_unused s32 create_domains(void)
{
	u32 id, cpus = scx_bpf_nr_cpu_ids();
	s32 err = cpus > MAX_CPUS ? -E2BIG : 0;

	bpf_for(id, 0, cpus) {
		err = err ?: scx_bpf_create_dsq(id, -1);
		err = err ?: scx_bpf_create_dsq(DOMAIN_BOUND(id), -1);
	}
	return err;
}

#endif /* __SCHEDCP_DOMAINS_BPF_H */
