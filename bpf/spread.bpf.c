// SPDX-License-Identifier: GPL-2.0-only
/*
 * spread: an idle core before an idle sibling, for processors whose cores run two threads at once.
 *
 * Two threads of a core share it, so a task beside a busy sibling is slow. Who wakes up goes to its own core if
 * all of that is idle, else to an idle core of its last-level cache (LLC), else to one anywhere, and only then
 * beside a sibling. When a core falls idle while elsewhere two tasks share one, the kernel's tick finds out, and
 * one of the two moves over. Who finds no CPU waits in the line of its LLC, first come, first served; a CPU
 * without work takes from the LLC with the longest wait, as in llc.
 *
 * Good for: machines with hyper-threads that are not full: as many tasks as cores run at full speed.
 * Bad for: few tasks that talk a lot and would gain from one core's caches, power (no core gets to rest), and
 * cold caches, since it takes a far idle core before a near sibling. On a full machine only the lines are left.
 * Without siblings it is llc with slices by nice value.
 *
 * Nice values count as longer or shorter slices, within a factor of 8.
 */
#include <scx/common.bpf.h>
#include <schedcp/domains.bpf.h>
#include <schedcp/move.bpf.h>
#include <schedcp/topology.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 200000, log, "Time a task of nice 0 may run while others wait.");
TUNABLE(bool, move_running, true, "", 0, 1, linear, "Whether a task beside a busy sibling moves to an idle core.");
TUNABLE(u64, patience_ms, 25, "ms", 1, 1000, log, "Wait after which other caches' CPUs serve a task before their own.");

UEI_DEFINE(uei);

static u64 slice_ns(const struct task_struct *p)
{
	return weighted_slice(p, US_TO_NS(slice_us));
}

/* Claims a core that is idle as a whole, or -EBUSY: the task's own, then one of its LLC, then any. */
static s32 claim_core(struct task_struct *p, s32 cpu)
{
	s32 found = claim_idle_in(p, cpu, llc_of(cpu), SCX_PICK_IDLE_CORE);

	return found >= 0 || nr_llcs() == 1 ? found : claim_idle(p, cpu, SCX_PICK_IDLE_CORE);
}

/* A core, or else an idle thread of one. */
static s32 claim(struct task_struct *p, s32 cpu)
{
	s32 found;

	if (is_bound(p))
		return scx_bpf_test_and_clear_cpu_idle(cpu) ? cpu : -EBUSY;
	found = claim_core(p, cpu);
	if (found < 0)
		found = claim_idle_in(p, cpu, llc_of(cpu), 0);
	return found >= 0 || nr_llcs() == 1 ? found : claim_idle(p, cpu, 0);
}

s32 BPF_STRUCT_OPS(spread_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = claim(p, prev_cpu);

	if (cpu < 0)
		return prev_cpu;
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), 0);
	return cpu;
}

void BPF_STRUCT_OPS(spread_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p), found;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), enq_flags);
		return;
	}
	/* Nobody else wants the CPU that it was asked to leave. */
	if (enq_flags & SCX_ENQ_LAST) {
		found = claim_core(p, cpu);
		scx_bpf_dsq_insert(p, found < 0 ? SCX_DSQ_LOCAL : SCX_DSQ_LOCAL_ON | found, slice_ns(p), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, domain_dsq(llc_of(cpu), p), slice_ns(p), scx_bpf_now(), enq_flags);
	found = claim(p, cpu);
	if (found >= 0)
		scx_bpf_kick_cpu(found, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(spread_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 llc = llc_of(cpu);

	if (serve_neglected(llc, nr_llcs(), cpu, MS_TO_NS(patience_ms)) || serve_domain(llc, cpu))
		return;
	if (!if_runnable(prev))
		steal(llc, nr_llcs(), 0);
	else if (!must_leave(cpu))
		scx_bpf_task_set_slice(prev, slice_ns(prev));
}

void BPF_STRUCT_OPS(spread_tick, struct task_struct *p)
{
	const struct cpumask *idle;

	if (!move_running || is_bound(p) || !is_sibling_busy(scx_bpf_task_cpu(p)))
		return;
	idle = scx_bpf_get_idle_smtmask();
	if (bpf_cpumask_intersects(idle, p->cpus_ptr))
		ask_to_leave(p);
	scx_bpf_put_idle_cpumask(idle);
}

void BPF_STRUCT_OPS(spread_running, struct task_struct *p)
{
	arrived(scx_bpf_task_cpu(p));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(spread_init)
{
	return read_topology() ?: create_domains();
}

void BPF_STRUCT_OPS(spread_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

PLACED_CPU_OPS_DEFINE(spread, drain_domains(nr_llcs(), cpu))

SCX_OPS_DEFINE(spread_ops,
	       .select_cpu	= (void *)spread_select_cpu,
	       .enqueue		= (void *)spread_enqueue,
	       .dispatch	= (void *)spread_dispatch,
	       .tick		= (void *)spread_tick,
	       .running		= (void *)spread_running,
	       CPU_OPS(spread),
	       .init		= (void *)spread_init,
	       .exit		= (void *)spread_exit,
	       .flags		= SCX_OPS_ENQ_LAST,
	       .name		= "spread");
