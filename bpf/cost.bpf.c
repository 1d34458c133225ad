// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost: weighs how long a task would wait on each CPU against what it costs to move there.
 *
 * Each CPU has a line, first come, first served. The wait for a CPU is what its task has still to run, by the
 * average of that CPU's turns (one that has run for longer is taken to go on for as long again), and a turn for
 * each task in line. To move costs what a task has to fetch again: its share of the core's cache (core_us), of the
 * last-level cache (cache_us), and on another node memory_percent of its usual turn. What it left in a cache
 * fades in cool_us after it last ran. A busy sibling thread makes a turn longer by sibling_percent. Who wakes up
 * goes where the sum is least; a CPU without work takes a task where that saves more than the move costs. A CPU
 * with work serves who has waited longer elsewhere than its own first by more than the move costs, so nobody starves.
 *
 * Good for: machines with caches and nodes, and mixed loads of short and long turns, since each costs what it costs.
 * Bad for: turns whose lengths can't be foretold, and programs whose working sets are far from what the tunables
 * say: they move too often or wait too long. On each wake-up and at the end of each turn it looks at every CPU:
 * with many CPUs and short turns that takes a good part of the time.
 *
 * Nice values count as longer or shorter slices, within a factor of 8.
 */
#include <scx/common.bpf.h>
#include <schedcp/topology.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 200000, log, "Time a task of nice 0 may run while others wait.");
TUNABLE(u64, core_us, 40, "us", 0, 5000, linear, "Time to fetch again what a task left in its core's cache.");
TUNABLE(u64, cache_us, 200, "us", 0, 20000, linear, "Time to fetch again what a task left in its last-level cache.");
TUNABLE(u32, memory_percent, 30, "percent", 0, 400, linear, "How much longer a task's turn takes on another node.");
TUNABLE(u32, sibling_percent, 60, "percent", 0, 400, linear, "How much longer a turn takes beside a busy sibling.");
TUNABLE(u64, cool_us, 20000, "us", 100, 1000000, log, "Time in which what a task left in a cache fades.");

UEI_DEFINE(uei);

struct cost_task {
	u64 turn_ns;	/* usual length of its turns */
	u64 ended_at;	/* when the last one ended */
};

TASK_DATA_DEFINE(cost, struct cost_task)

/* What is known of each CPU. Its line has its number. */
struct cpu_load {
	u64 turn_ns;	/* usual length of turns there */
	u64 began_at;	/* when the turn began that goes on now; 0: nothing of ours runs */
	u32 looked_at;	/* the line it looked at last */
};

static struct cpu_load loads[MAX_CPUS];

static struct cpu_load *load_of(s32 cpu)
{
	return CPU_SLOT(loads, cpu) ?: &loads[0];
}

static u64 slice_ns(const struct task_struct *p)
{
	return weighted_slice(p, US_TO_NS(slice_us));
}

static u64 average(u64 before, u64 new)
{
	return before ? (7 * before + new) / 8 : new;
}

static u64 waited_ns(s32 cpu, u64 now)
{
	u64 since = first_key(cpu, now);

	return time_before(since, now) ? now - since : 0;
}

/* How long who joins a CPU's line now would wait, as things go there. */
static u64 wait_ns(s32 cpu, u64 now)
{
	const struct cpu_load *load = load_of(cpu);
	u64 began = load->began_at, rest = load->turn_ns, ran;

	if (began) {
		ran = time_before(began, now) ? now - began : 0;
		rest = ran < rest ? rest - ran : min(ran, US_TO_NS(slice_us));
	} else {
		/* It is about to begin something, or others have taken it: then the wait itself shows how long. */
		rest += 2 * waited_ns(cpu, now);
	}
	return rest + load->turn_ns * scx_bpf_dsq_nr_queued(cpu);
}

/* What a task pays that moves from where it ran last. */
static u64 move_ns(const struct cost_task *t, s32 from, s32 to, u64 now)
{
	enum cpu_distance far = cpu_distance(from, to);
	u64 away = time_before(t->ended_at, now) ? now - t->ended_at : 0, cool = US_TO_NS(cool_us), cost = 0;

	if (far <= SAME_CORE)
		return 0;
	if (away < cool)
		cost = US_TO_NS(far == SAME_LLC ? core_us : cache_us) * (cool - away) / cool;
	return far == OTHER_NODE ? cost + t->turn_ns * memory_percent / 100 : cost;
}

/* The CPU where the task is soonest done; says whether it is idle. */
static s32 cheapest(struct task_struct *p, const struct cost_task *t, s32 prev_cpu, bool *is_idle)
{
	const struct cpumask *idle = scx_bpf_get_idle_cpumask(), *idle_cores = scx_bpf_get_idle_smtmask();
	u64 now = scx_bpf_now(), least = ~0ULL;
	u32 i, cpus = scx_bpf_nr_cpu_ids();
	s32 best = prev_cpu;

	/* The CPU of before first: it wins when others are no better. */
	bpf_for(i, 0, 1 + cpus) {
		s32 cpu = i ? i - 1 : prev_cpu;
		u64 cost;
		bool free;

		if ((i && cpu == prev_cpu) || !is_placed(cpu) || is_leaving(cpu) || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		free = bpf_cpumask_test_cpu(cpu, idle);
		cost = move_ns(t, prev_cpu, cpu, now);
		if (cost >= least)
			continue;
		if (!free)
			cost += wait_ns(cpu, now);
		else if (!bpf_cpumask_test_cpu(cpu, idle_cores))
			cost += t->turn_ns * sibling_percent / 100;
		if (cost >= least)
			continue;
		least = cost;
		best = cpu;
		*is_idle = free;
		if (!cost)
			break;
	}
	scx_bpf_put_idle_cpumask(idle_cores);
	scx_bpf_put_idle_cpumask(idle);
	return best;
}

/* From the line where a move to this CPU saves most, or from where somebody has waited for longer than it costs. */
static bool steal(s32 cpu, u64 now)
{
	u32 from, cpus = scx_bpf_nr_cpu_ids();
	struct cost_task usual = { .ended_at = now };
	u64 most = 0;
	s32 victim = -1;

	bpf_for(from, 0, cpus) {
		u64 waited = from == cpu ? 0 : waited_ns(from, now), saved, costs;

		if (!waited)
			continue;
		usual.turn_ns = load_of(from)->turn_ns;
		saved = wait_ns(from, now);
		saved = max(saved, waited);
		costs = move_ns(&usual, from, cpu, now);
		if (saved <= costs + most)
			continue;
		most = saved - costs;
		victim = from;
	}
	if (victim < 0)
		return false;
	if (scx_bpf_dsq_move_to_local(victim))
		return true;
	/* That one was for other CPUs only. */
	bpf_for(from, 0, cpus)
		if (waited_ns(from, now) > US_TO_NS(cache_us) && scx_bpf_dsq_move_to_local(from))
			return true;
	return false;
}

static u32 next_line(s32 cpu)
{
	struct cpu_load *load = load_of(cpu);

	load->looked_at = (load->looked_at + 1) % scx_bpf_nr_cpu_ids();
	return load->looked_at;
}

/* Who has waited longer elsewhere than this CPU's own first, by more than the move costs. */
static bool serve_older(s32 cpu, u64 now)
{
	struct cost_task usual = { .ended_at = now, .turn_ns = load_of(cpu)->turn_ns };
	u32 other, cpus = scx_bpf_nr_cpu_ids();
	u64 most = waited_ns(cpu, now);
	s32 victim = -1;

	bpf_for(other, 0, cpus) {
		u64 waited = other == cpu ? 0 : waited_ns(other, now);

		if (waited <= most)
			continue;
		waited -= min(waited, move_ns(&usual, other, cpu, now));
		if (waited <= most)
			continue;
		most = waited;
		victim = other;
	}
	return victim >= 0 && scx_bpf_dsq_move_to_local(victim);
}

/* Wakes an idle CPU for a line: one near by, or another if the wait is long. It weighs the costs itself. */
static void call_help(s32 cpu, u64 now)
{
	struct task_struct *first = scx_bpf_dsq_peek(cpu);

	if (!first || kick_idle_in(llc_of(cpu)))
		return;
	if (max(wait_ns(cpu, now), waited_ns(cpu, now)) > US_TO_NS(cache_us))
		wake_idle_cpu(first);
}

s32 BPF_STRUCT_OPS(cost_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct cost_task *t = data_of(p);
	bool is_idle = false;
	s32 cpu;

	if (!t || is_bound(p))
		return take_idle_cpu(p, prev_cpu, wake_flags, slice_ns(p));
	cpu = cheapest(p, t, prev_cpu, &is_idle);
	if (is_idle && scx_bpf_test_and_clear_cpu_idle(cpu))
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), 0);
	return cpu;
}

void BPF_STRUCT_OPS(cost_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 now = scx_bpf_now();

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, cpu, slice_ns(p), now, enq_flags);
	if (scx_bpf_test_and_clear_cpu_idle(cpu))
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (!load_of(cpu)->began_at)
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(cost_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 now = scx_bpf_now();

	if (serve_older(cpu, now))
		return;
	if (scx_bpf_dsq_move_to_local(cpu))
		call_help(next_line(cpu), now);
	else if (if_runnable(prev))
		scx_bpf_task_set_slice(prev, slice_ns(prev));
	else
		steal(cpu, now);
}

/* Sees tasks that wait in this CPU's line, or in another, where the CPU may be busy with other things. */
void BPF_STRUCT_OPS(cost_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u64 now = scx_bpf_now();

	call_help(cpu, now);
	call_help(next_line(cpu), now);
}

void BPF_STRUCT_OPS(cost_running, struct task_struct *p)
{
	load_of(scx_bpf_task_cpu(p))->began_at = scx_bpf_now();
}

void BPF_STRUCT_OPS(cost_stopping, struct task_struct *p, bool runnable)
{
	struct cpu_load *load = load_of(scx_bpf_task_cpu(p));
	struct cost_task *t = data_of(p);
	u64 now = scx_bpf_now(), ran = now - load->began_at;

	if (!load->began_at)
		return;
	load->began_at = 0;
	if (is_cpu_kthread(p))
		return;
	load->turn_ns = average(load->turn_ns, ran);
	if (!t)
		return;
	t->turn_ns = average(t->turn_ns, ran);
	t->ended_at = now;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(cost_init)
{
	return read_topology() ?: create_dsqs(0);
}

void BPF_STRUCT_OPS(cost_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

PLACED_CPU_OPS_DEFINE(cost, drain_dsq(cpu, cpu))

SCX_OPS_DEFINE(cost_ops,
	       .select_cpu	= (void *)cost_select_cpu,
	       .enqueue		= (void *)cost_enqueue,
	       .dispatch	= (void *)cost_dispatch,
	       .tick		= (void *)cost_tick,
	       .running		= (void *)cost_running,
	       .stopping	= (void *)cost_stopping,
	       .init_task	= (void *)cost_init_task,
	       CPU_OPS(cost),
	       .init		= (void *)cost_init,
	       .exit		= (void *)cost_exit,
	       .name		= "cost");
