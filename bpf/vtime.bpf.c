// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtime: weighted fair sharing by virtual time.
 *
 * A task's virtual time advances by the CPU time it used, divided by its weight (nice value, 100 is
 * nice 0). Whoever has the least runs next, on any CPU. A task that slept comes back at most lag_us
 * behind the others, so sleep earns a head start of that much and no more.
 *
 * Good for: mixed loads that must share by weight, interactive tasks beside CPU hogs.
 * Bad for: tail latency at high load, since a request that needs more than one slice is cut up and
 * comes back between all the others. Wake-ups do not preempt: they wait up to a slice. One queue and
 * one lock for all CPUs.
 *
 * Tasks bound to one CPU have a virtual clock of their own there, shifted to stay near the shared one
 * when a CPU chooses between the two queues: bound and free tasks cannot starve each other.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 5000, "us", 100, 100000, log, "Time a task may run before the choice is made again.");
TUNABLE(u64, lag_us, 5000, "us", 0, 100000, linear, "Head start that a sleeper may have at most when it wakes up.");

UEI_DEFINE(uei);

/* A queue's virtual clock; the index is the queue's id. Races cost a little fairness, nothing else. */
struct clock {
	u64 now;	/* where the task that began last stood */
	u64 shift;	/* added to compare with the shared queue's */
};

static struct clock clocks[1 + MAX_CPUS];
/* CPU time that the task running on each CPU had when last charged. */
static u64 charged_at[MAX_CPUS];

enum vtime_dsq {
	VTIME_SHARED,
	VTIME_BOUND,	/* plus the CPU's number */
};

static u64 dsq_of(const struct task_struct *p)
{
	return is_bound(p) ? VTIME_BOUND + scx_bpf_task_cpu(p) : VTIME_SHARED;
}

static struct clock *clock_of(u64 dsq)
{
	return ARRAY_ELEM_PTR(clocks, dsq, ARRAY_SIZE(clocks)) ?: &clocks[VTIME_SHARED];
}

/*
 * Keeps a task's virtual time near its queue's clock and returns it. A sleeper loses what it saved up beyond the lag. A
 * task that comes from another queue, whose clock may be far ahead, has one turn of lead at most.
 */
static u64 limit(struct task_struct *p, const struct clock *clock)
{
	u64 least = clock->now - US_TO_NS(lag_us), most = clock->now + by_weight(p, US_TO_NS(slice_us));
	u64 vtime = p->scx.dsq_vtime;

	if (time_before(vtime, least))
		vtime = least;
	else if (time_after(vtime, most))
		vtime = most;
	if (vtime != p->scx.dsq_vtime)
		scx_bpf_task_set_dsq_vtime(p, vtime);
	return vtime;
}

static void begin(struct task_struct *p)
{
	struct clock *clock = clock_of(dsq_of(p));
	u64 vtime = limit(p, clock);

	clock->now = time_before(clock->now, vtime) ? vtime : clock->now;
}

/* Charges the running task for what it used since last time. */
static void charge(struct task_struct *p, s32 cpu)
{
	u64 *last = CPU_SLOT(charged_at, cpu);
	u64 total = p->se.sum_exec_runtime;

	if (!last || is_cpu_kthread(p))
		return;
	scx_bpf_task_set_dsq_vtime(p, p->scx.dsq_vtime + by_weight(p, total - *last));
	*last = total;
}

/*
 * Returns a bound task's virtual time in terms of the shared clock. The two clocks are kept within the lag of each other.
 * The clocks, not the task: a bound sleeper would else push the bound hog behind it ahead at each wake-up.
 */
static u64 shifted(struct clock *clock, const struct task_struct *p)
{
	u64 now = clock->now + clock->shift, lag = US_TO_NS(lag_us), shared = clocks[VTIME_SHARED].now;

	if (time_before(now, shared - lag))
		clock->shift += shared - lag - now;
	else if (time_after(now, shared + lag))
		clock->shift -= now - shared - lag;
	return p->scx.dsq_vtime + clock->shift;
}

s32 BPF_STRUCT_OPS(vtime_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(vtime_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = dsq_of(p);

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, dsq, US_TO_NS(slice_us), limit(p, clock_of(dsq)), enq_flags);
	wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(vtime_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 bound_dsq = VTIME_BOUND + cpu, dsq = VTIME_SHARED, least = 0;
	struct task_struct *bound = scx_bpf_dsq_peek(bound_dsq), *shared = scx_bpf_dsq_peek(VTIME_SHARED);
	struct clock *clock = clock_of(bound_dsq);

	prev = if_runnable(prev);
	if (shared)
		least = shared->scx.dsq_vtime;
	if (bound && (!shared || time_before(shifted(clock, bound), least))) {
		dsq = bound_dsq;
		least = bound->scx.dsq_vtime + clock->shift;
	}

	/* The task that ran is not in a queue: it goes on when it is still the one with the least. */
	if (prev && !is_cpu_kthread(prev) && (bound || shared)) {
		charge(prev, cpu);
		if (time_before(prev->scx.dsq_vtime + (is_bound(prev) ? clock->shift : 0), least))
			goto keep;
	}
	if (scx_bpf_dsq_move_to_local(dsq) ||
	    scx_bpf_dsq_move_to_local(dsq == VTIME_SHARED ? bound_dsq : VTIME_SHARED))
		return;
keep:
	if (prev) {
		begin(prev);
		scx_bpf_task_set_slice(prev, US_TO_NS(slice_us));
	}
}

void BPF_STRUCT_OPS(vtime_running, struct task_struct *p)
{
	u64 *last = CPU_SLOT(charged_at, scx_bpf_task_cpu(p));

	if (last)
		*last = p->se.sum_exec_runtime;
	if (!is_cpu_kthread(p))
		begin(p);
}

void BPF_STRUCT_OPS(vtime_stopping, struct task_struct *p, bool runnable)
{
	charge(p, scx_bpf_task_cpu(p));
}

/* A task may change queues with its affinity. */
void BPF_STRUCT_OPS(vtime_set_cpumask, struct task_struct *p, const struct cpumask *cpumask)
{
	limit(p, clock_of(dsq_of(p)));
}

void BPF_STRUCT_OPS(vtime_enable, struct task_struct *p)
{
	scx_bpf_task_set_dsq_vtime(p, clock_of(dsq_of(p))->now);
}

CPU_OPS_DEFINE(vtime, drain_dsqs(VTIME_BOUND, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(vtime_init)
{
	return create_dsqs(VTIME_BOUND);
}

void BPF_STRUCT_OPS(vtime_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(vtime_ops,
	       .select_cpu	= (void *)vtime_select_cpu,
	       .enqueue		= (void *)vtime_enqueue,
	       .dispatch	= (void *)vtime_dispatch,
	       .running		= (void *)vtime_running,
	       .stopping	= (void *)vtime_stopping,
	       .set_cpumask	= (void *)vtime_set_cpumask,
	       .enable		= (void *)vtime_enable,
	       CPU_OPS(vtime),
	       .init		= (void *)vtime_init,
	       .exit		= (void *)vtime_exit,
	       .name		= "vtime");
