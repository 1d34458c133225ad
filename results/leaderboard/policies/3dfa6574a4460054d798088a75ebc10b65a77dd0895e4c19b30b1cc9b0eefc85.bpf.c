// SPDX-License-Identifier: GPL-2.0-only
/*
 * edf: earliest virtual deadline first, with deadlines that are nearer for who sleeps much.
 *
 * Virtual time is CPU time divided by weight, as in vtime. A task asks for one slice at a time; its
 * deadline is its own virtual time plus that slice by weight, of which a task that sleeps nearly all its
 * time has to wait sleeper_percent only. The earliest deadline goes next and, on wake-up, preempts one that
 * is much later. A deadline moves the order and not the share: what is used is paid for all the same.
 * A sleeper comes back at most lag_us behind the others.
 *
 * Good for: interactive tasks and request handlers beside CPU hogs, when shares must be by weight.
 * Bad for: throughput where wake-ups are many, each of which may cost a preemption. Requests of more
 * than a slice are cut up. One queue and one lock for all CPUs.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>
#include <schedcp/vclock.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 5000, "us", 500, 100000, log, "CPU time that a task asks for at a time.");
TUNABLE(u64, lag_us, 10000, "us", 0, 100000, linear, "Head start that a sleeper may have at most when it wakes up.");
TUNABLE(u32, sleeper_percent, 20, "percent", 1, 100, log, "How near the deadline of a task is that sleeps all the time.");
TUNABLE(u64, preempt_us, 3000, "us", 0, 100000, linear, "How much earlier a deadline must be to preempt.");

UEI_DEFINE(uei);

/* Times spent that a task is judged by; older ones count less and less. */
#define WINDOW_NS	(100 * NSEC_PER_MSEC)
/* Ranks are deadlines relative to the shared clock; this much above, so that none is 0. */
#define RANK_BASE	(1ULL << 40)

struct edf_task {
	u64 vtime;
	u64 charged_at;	/* CPU time that the task had when last charged */
	u64 ran_ns;	/* of late */
	u64 slept_ns;	/* of late */
	u64 slept_at;
	struct turn turn;	/* its key: the deadline */
};

TASK_DATA_DEFINE(edf, struct edf_task)

static void charge(struct task_struct *p, struct edf_task *t)
{
	u64 ran = p->se.sum_exec_runtime - t->charged_at;

	t->charged_at += ran;
	t->vtime += by_weight(p, ran);
	t->ran_ns += ran;
	if (t->ran_ns + t->slept_ns > WINDOW_NS) {
		t->ran_ns /= 2;
		t->slept_ns /= 2;
	}
}

/* What is left of the task's turn, after a new one with its deadline was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct edf_task *t)
{
	u64 left = turn_left(&t->turn, p, US_TO_NS(slice_us)), all = t->ran_ns + t->slept_ns + 1;
	u64 percent = 100 - (100 - sleeper_percent) * t->slept_ns / all;

	if (!t->turn.key)
		t->turn.key = (t->vtime + by_weight(p, US_TO_NS(slice_us)) * percent / 100) ?: 1;
	return left;
}

/* A deadline of a bound task in terms of the shared clock. */
static u64 shared_deadline(u64 dsq, u64 deadline)
{
	if (dsq == VCLOCK_SHARED)
		return deadline;
	return shifted_key(vclock_of(dsq), deadline, US_TO_NS(lag_us), US_TO_NS(lag_us + 2 * slice_us));
}

static u64 rank_of(u64 dsq, u64 deadline)
{
	s64 ahead = shared_deadline(dsq, deadline) - vclocks[VCLOCK_SHARED].now;

	return RANK_BASE + clamp(ahead, -(s64)(RANK_BASE / 2), (s64)RANK_BASE);
}

/* A task begins a slice: the clock is where it stands, unless it was there already. */
static void begin(struct task_struct *p, struct edf_task *t, s32 cpu)
{
	struct vclock *clock = vclock_of(vclock_dsq_of(p));

	clock->now = later(clock->now, t->vtime);
	set_rank(cpu, rank_of(vclock_dsq_of(p), t->turn.key));
}

s32 BPF_STRUCT_OPS(edf_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(edf_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct edf_task *t = data_of(p);
	u64 dsq = vclock_dsq_of(p), left;

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, dsq, left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP)
		preempt_above(p, rank_of(dsq, t->turn.key) + US_TO_NS(preempt_us));
}

void BPF_STRUCT_OPS(edf_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *bound = scx_bpf_dsq_peek(VCLOCK_BOUND + cpu), *shared = scx_bpf_dsq_peek(VCLOCK_SHARED);
	u64 first = VCLOCK_SHARED, second = VCLOCK_BOUND + cpu, least = shared ? shared->scx.dsq_vtime : 0;
	u64 left = US_TO_NS(slice_us);
	struct edf_task *t = NULL;

	if (bound) {
		u64 deadline = shared_deadline(second, bound->scx.dsq_vtime);

		if (!shared || time_before(deadline, least)) {
			first = second;
			second = VCLOCK_SHARED;
			least = deadline;
		}
	}
	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t) {
		charge(prev, t);
		left = left_ns(prev, t);
	}
	if (bound || shared) {
		if (!t || time_before(least, shared_deadline(vclock_dsq_of(prev), t->turn.key))) {
			if (scx_bpf_dsq_move_to_local(first) || scx_bpf_dsq_move_to_local(second))
				return;
		}
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		begin(prev, t, cpu);
}

void BPF_STRUCT_OPS(edf_runnable, struct task_struct *p, u64 enq_flags)
{
	struct edf_task *t = data_of(p);

	if (!t || !(enq_flags & SCX_ENQ_WAKEUP))
		return;
	t->slept_ns += min(scx_bpf_now() - t->slept_at, WINDOW_NS);
	t->vtime = later(t->vtime, vclock_of(vclock_dsq_of(p))->now - US_TO_NS(lag_us));
	end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(edf_running, struct task_struct *p)
{
	struct edf_task *t = data_of(p);

	if (!t || is_cpu_kthread(p))
		return;
	t->charged_at = p->se.sum_exec_runtime;
	left_ns(p, t);	/* a task that found an idle CPU has no deadline yet */
	begin(p, t, scx_bpf_task_cpu(p));
}

void BPF_STRUCT_OPS(edf_stopping, struct task_struct *p, bool runnable)
{
	struct edf_task *t = data_of(p);

	set_rank(scx_bpf_task_cpu(p), 0);
	if (t && !is_cpu_kthread(p))
		charge(p, t);
}

void BPF_STRUCT_OPS(edf_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct edf_task *t = data_of(p);

	if (t && deq_flags & SCX_DEQ_SLEEP)
		t->slept_at = scx_bpf_now();
}

/* A task may change queues with its affinity: it takes along one turn of lead at most. */
void BPF_STRUCT_OPS(edf_set_cpumask, struct task_struct *p, const struct cpumask *cpumask)
{
	u64 now = vclock_of(vclock_dsq_of(p))->now;
	struct edf_task *t = data_of(p);

	if (!t)
		return;
	t->vtime = later(t->vtime, now - US_TO_NS(lag_us));
	t->vtime = earlier(t->vtime, now + by_weight(p, US_TO_NS(slice_us)));
	end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(edf_enable, struct task_struct *p)
{
	struct edf_task *t = data_of(p);

	if (!t)
		return;
	t->vtime = vclock_of(vclock_dsq_of(p))->now;
	t->slept_at = scx_bpf_now();
	end_turn(&t->turn, p);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(edf_init)
{
	return create_dsqs(VCLOCK_BOUND);
}

void BPF_STRUCT_OPS(edf_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

CPU_OPS_DEFINE(edf, drain_dsqs(VCLOCK_BOUND, cpu))

SCX_OPS_DEFINE(edf_ops,
	       .select_cpu	= (void *)edf_select_cpu,
	       .enqueue		= (void *)edf_enqueue,
	       .dispatch	= (void *)edf_dispatch,
	       .runnable	= (void *)edf_runnable,
	       .running		= (void *)edf_running,
	       .stopping	= (void *)edf_stopping,
	       .quiescent	= (void *)edf_quiescent,
	       .set_cpumask	= (void *)edf_set_cpumask,
	       .init_task	= (void *)edf_init_task,
	       .enable		= (void *)edf_enable,
	       CPU_OPS(edf),
	       .init		= (void *)edf_init,
	       .exit		= (void *)edf_exit,
	       .name		= "edf");
