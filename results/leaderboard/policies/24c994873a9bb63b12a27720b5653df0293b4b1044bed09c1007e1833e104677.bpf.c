// SPDX-License-Identifier: GPL-2.0-only
/*
 * central: one CPU decides for all; the others run what they are given, without end.
 *
 * A CPU that runs out of work, or whose task has had its turn while others wait, is entered as wanting
 * work. The central CPU hands each of them the task that has waited longest, then serves itself. Turns are
 * ended by one timer instead of every CPU's tick, so the others can run undisturbed, tickless.
 *
 * Good for: many CPUs that run user code for long times (virtual machines, number crunching), where
 * every interruption and every lock shared by all costs.
 * Bad for: few CPUs, and many short bursts: each wake-up interrupts the central CPU's own task, and each
 * decision waits for that CPU. Nice values and weights are ignored.
 *
 * When the central CPU is unplugged, the next one becomes it; so it is when a real-time task keeps it from
 * answering for takeover_us, and who waited serves itself. Tasks bound to a CPU wait in a line of their own.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 500, 1000000, log, "Time a task may run while others wait.");
TUNABLE(u64, period_us, 2000, "us", 500, 50000, log, "Time between two looks of the timer at whose turn is over.");
TUNABLE(u64, takeover_us, 10000, "us", 1000, 200000, log, "Wait for the central CPU after which others help themselves.");

UEI_DEFINE(uei);

enum central_dsq {
	CENTRAL_SHARED,
	CENTRAL_BOUND,	/* plus the CPU's number */
};

static s32 central_cpu;

/* When each CPU began to want work and when its task began to run; 0: it does not. */
static struct cpu_state {
	u64 wants;
	u64 runs;
} cpu_states[MAX_CPUS];

struct clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clock);
} central_clock SEC(".maps");

static struct cpu_state *state_of(s32 cpu)
{
	return CPU_SLOT(cpu_states, cpu) ?: &cpu_states[0];
}

static void want(s32 cpu)
{
	struct cpu_state *state = state_of(cpu);

	state->wants = state->wants ?: scx_bpf_now();
	scx_bpf_kick_cpu(central_cpu, SCX_KICK_PREEMPT);
}

/* Another CPU becomes the central one, if this is it. */
static void succeed(s32 cpu)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	u32 i, cpus = cpu == central_cpu ? scx_bpf_nr_cpu_ids() : 0;

	bpf_for(i, 1, cpus) {
		u32 next = ((u32)cpu + i) % cpus;

		if (bpf_cpumask_test_cpu(next, online)) {
			central_cpu = next;
			scx_bpf_kick_cpu(next, SCX_KICK_PREEMPT);
			break;
		}
	}
	scx_bpf_put_cpumask(online);
}

/* Whether anyone in the shared line may run on a CPU. */
static bool anyone_for(s32 cpu)
{
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, CENTRAL_SHARED, 0)
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			return true;
	return false;
}

/* Hands a CPU who has waited longest; what runs there is put back into the line. */
static void feed(s32 cpu)
{
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, CENTRAL_SHARED, 0) {
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		if (scx_bpf_dsq_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL_ON | cpu, SCX_ENQ_PREEMPT))
			return;
	}
	/* Nobody left: an idle CPU has to look once more, to count as idle again. */
	scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

static void feed_all(s32 self)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	bpf_for(cpu, 0, cpus) {
		if (!state_of(cpu)->wants)
			continue;
		state_of(cpu)->wants = 0;
		if (cpu != self)
			feed(cpu);
	}
}

static bool turn_over(s32 cpu, u64 now)
{
	return state_of(cpu)->runs && time_before(state_of(cpu)->runs + US_TO_NS(slice_us), now);
}

/* Whether a CPU has waited for the central one for too long. */
static bool is_forgotten(s32 cpu, u64 now)
{
	u64 wants = state_of(cpu)->wants;

	return wants && time_before(wants + US_TO_NS(takeover_us), now);
}

/* Is called on any CPU: ends turns, and wakes CPUs that the central one has forgotten. */
static int look(void *map, int *key, struct clock *clock)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();
	u64 now = scx_bpf_now();

	bpf_for(cpu, 0, cpus) {
		bool over = turn_over(cpu, now), forgotten = is_forgotten(cpu, now);

		if (forgotten)
			succeed(central_cpu);
		if (forgotten || (over && (scx_bpf_dsq_nr_queued(CENTRAL_BOUND + cpu) > 0 ||
					   scx_bpf_dsq_nr_queued(SCX_DSQ_LOCAL_ON | cpu) > 0)))
			scx_bpf_kick_cpu(cpu, SCX_KICK_PREEMPT);
		else if (over && anyone_for(cpu))
			want(cpu);
	}
	bpf_timer_start(&clock->timer, US_TO_NS(period_us), 0);
	return 0;
}

s32 BPF_STRUCT_OPS(central_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

void BPF_STRUCT_OPS(central_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, SCX_SLICE_DFL, enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, is_bound(p) ? CENTRAL_BOUND + cpu : CENTRAL_SHARED, SCX_SLICE_INF,
				 scx_bpf_now(), enq_flags);
	if (!is_bound(p))
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (is_bound(p) || cpu == central_cpu)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	else if (cpu >= 0)
		want(cpu);
}

void BPF_STRUCT_OPS(central_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 bound = CENTRAL_BOUND + cpu, now = scx_bpf_now();
	bool helps_itself = is_forgotten(cpu, now);

	prev = if_runnable(prev);
	if (cpu == central_cpu)
		feed_all(cpu);
	/* Whom the central CPU's own work interrupted goes on until its turn is over. */
	if (prev && !turn_over(cpu, now) && !helps_itself)
		goto keep;
	if (cpu == central_cpu || helps_itself) {
		state_of(cpu)->wants = 0;
		if (serve_lower(CENTRAL_SHARED, bound))
			return;
	} else if (first_key(bound, now) < first_key(CENTRAL_SHARED, now) && scx_bpf_dsq_move_to_local(bound)) {
		return;
	} else if (anyone_for(cpu)) {
		want(cpu);
	} else if (scx_bpf_dsq_move_to_local(bound)) {
		return;
	}
	if (prev)
		state_of(cpu)->runs = now;
keep:
	if (prev)
		scx_bpf_task_set_slice(prev, SCX_SLICE_INF);
}

void BPF_STRUCT_OPS(central_running, struct task_struct *p)
{
	state_of(scx_bpf_task_cpu(p))->runs = scx_bpf_now();
}

void BPF_STRUCT_OPS(central_stopping, struct task_struct *p, bool runnable)
{
	state_of(scx_bpf_task_cpu(p))->runs = 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(central_init)
{
	s32 err = create_dsqs(CENTRAL_BOUND);
	u32 key = 0;
	struct clock *clock = bpf_map_lookup_elem(&central_clock, &key);

	if (err || !clock)
		return err ?: -ESRCH;
	err = bpf_timer_init(&clock->timer, &central_clock, CLOCK_MONOTONIC);
	err = err ?: bpf_timer_set_callback(&clock->timer, look);
	return err ?: bpf_timer_start(&clock->timer, US_TO_NS(period_us), 0);
}

void BPF_STRUCT_OPS(central_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(central, state_of(cpu)->wants = 0; succeed(cpu); drain_dsqs(CENTRAL_BOUND, cpu))

SCX_OPS_DEFINE(central_ops,
	       .select_cpu	= (void *)central_select_cpu,
	       .enqueue		= (void *)central_enqueue,
	       .dispatch	= (void *)central_dispatch,
	       .running		= (void *)central_running,
	       .stopping	= (void *)central_stopping,
	       CPU_OPS(central),
	       .init		= (void *)central_init,
	       .exit		= (void *)central_exit,
	       .name		= "central");
