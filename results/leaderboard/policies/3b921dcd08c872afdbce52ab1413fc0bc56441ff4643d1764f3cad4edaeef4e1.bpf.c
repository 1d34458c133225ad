// SPDX-License-Identifier: GPL-2.0-only
/*
 * lottery: each turn is drawn by lot, and a task's weight is its number of tickets.
 *
 * All who wait, and the task that just ran, take part in each draw; what a CPU may not run does not count
 * there. Over many turns the shares come out by weight, with no clock to keep and no history of any task,
 * and nobody can be kept out for good. Who has waited for patience_ms gets the turn without a draw.
 *
 * Good for: sharing by weight among tasks that come and go, and whenever a policy must not be gamed:
 * no pattern of sleeping and waking gains anything.
 * Bad for: tail latency, since luck decides: some waits are several times the mean. A draw reads the whole
 * line, so it gets dear with hundreds of waiting tasks. Sleepers get no compensation.
 *
 * The random numbers are the policy's own, from seed: the same load draws the same lots.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 10000, "us", 500, 100000, log, "Time a task may run before the next draw.");
TUNABLE(u64, patience_ms, 500, "ms", 10, 1500, log, "Wait after which a task needs no luck any more.");
TUNABLE(u64, seed, 1, "", 1, 1000000, log, "Where the sequence of random numbers begins.");

UEI_DEFINE(uei);

/* One queue for all: the draw leaves out what a CPU may not run. Ordered by age. */
#define LOTTERY_DSQ	0

/* State of each CPU's random numbers; 0: not begun. */
static u64 states[MAX_CPUS];
/* Sum of tickets of a draw. In memory: as a local variable it makes the kernel's verifier walk loops without end. */
static u64 sums[MAX_CPUS];

/* The golden ratio in 64 bits: sends neighbouring seeds and CPUs far apart. */
#define SPREAD	0x9e3779b97f4a7c15ULL

/* A random number below the limit (xorshift; the high half is the better one). */
static u64 draw(s32 cpu, u64 limit)
{
	u64 *state = CPU_SLOT(states, cpu), x;

	if (!state || !limit)
		return 0;
	x = *state ?: (seed + ((u64)cpu << 32)) * SPREAD;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x >> 32) % limit;
}

static bool may_run(const struct task_struct *p, s32 cpu)
{
	return bpf_cpumask_test_cpu(cpu, p->cpus_ptr);
}

/* Tickets of all who wait and may run here. */
static u64 count_tickets(s32 cpu)
{
	u64 *sum = CPU_SLOT(sums, cpu);
	struct task_struct *p;

	if (!sum)
		return 0;
	*sum = 0;
	bpf_for_each(scx_dsq, p, LOTTERY_DSQ, 0)
		if (may_run(p, cpu))
			*sum += p->scx.weight;
	return *sum;
}

/* Gives this CPU the task that holds a ticket; the first has the tickets from 0. */
static bool serve_holder(s32 cpu, u64 ticket)
{
	u64 *sum = CPU_SLOT(sums, cpu);
	struct task_struct *p;

	if (!sum)
		return false;
	*sum = 0;
	bpf_for_each(scx_dsq, p, LOTTERY_DSQ, 0) {
		if (!may_run(p, cpu))
			continue;
		*sum += p->scx.weight;
		if (ticket < *sum)
			return scx_bpf_dsq_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL, 0);
	}
	return false;
}

/* Gives this CPU the first it may run, if that one has waited for too long. */
static bool serve_impatient(s32 cpu)
{
	u64 now = scx_bpf_now();
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, LOTTERY_DSQ, 0) {
		if (time_before(now, p->scx.dsq_vtime + MS_TO_NS(patience_ms)))
			break;
		if (may_run(p, cpu))
			return scx_bpf_dsq_move(BPF_FOR_EACH_ITER, p, SCX_DSQ_LOCAL, 0);
	}
	return false;
}

s32 BPF_STRUCT_OPS(lottery_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(lottery_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, LOTTERY_DSQ, US_TO_NS(slice_us), scx_bpf_now(), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(lottery_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 tickets, own = 0, drawn;

	if (serve_impatient(cpu))
		return;
	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		own = prev->scx.weight;
	tickets = count_tickets(cpu);
	drawn = tickets ? draw(cpu, tickets + own) : 0;

	/* Tickets from 0 are those of the line; who ran has the last. Another CPU may have been quicker. */
	if (drawn < tickets && (serve_holder(cpu, drawn) || scx_bpf_dsq_move_to_local(LOTTERY_DSQ)))
		return;
	if (prev)
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
}

s32 BPF_STRUCT_OPS_SLEEPABLE(lottery_init)
{
	return scx_bpf_nr_cpu_ids() > MAX_CPUS ? -E2BIG : scx_bpf_create_dsq(LOTTERY_DSQ, -1);
}

void BPF_STRUCT_OPS(lottery_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(lottery, drain_dsq(LOTTERY_DSQ, cpu))

SCX_OPS_DEFINE(lottery_ops,
	       .select_cpu	= (void *)lottery_select_cpu,
	       .enqueue		= (void *)lottery_enqueue,
	       .dispatch	= (void *)lottery_dispatch,
	       CPU_OPS(lottery),
	       .init		= (void *)lottery_init,
	       .exit		= (void *)lottery_exit,
	       .name		= "lottery");
