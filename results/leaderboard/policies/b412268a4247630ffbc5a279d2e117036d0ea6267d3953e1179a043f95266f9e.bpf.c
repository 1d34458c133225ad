// SPDX-License-Identifier: GPL-2.0-only
/*
 * woken-first-12: who runs shortly each time goes first when it wakes up; a favoured name does so at any length.
 *
 * A task's bursts are averaged. One whose burst is short joins the line as if it had come head_start_us earlier; above
 * long_us that becomes less, and at twice that nothing. On wake-up it preempts whose bursts are above long_us, and longer than
 * its own by preempt_us.
 * A turn that is interrupted is gone on with in its old place, and waiting counts: nobody starves.
 *
 * Good for: interactive tasks and request handlers beside CPU hogs, servers whose short bursts wait behind long ones.
 * Bad for: batches without wake-ups, where it is a plain line. Weights are ignored. One line and one lock for all CPUs.
 */
#include <scx/common.bpf.h>
#include <schedcp/cpus.bpf.h>
#include <schedcp/helpers.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE_TEXT(favour, "Beginning of the process name of the tasks that go first, however long they run.");
TUNABLE(u64, slice_us, 5000, "us", 500, 1000000, log, "Time a task may run before the next in line.");
TUNABLE(u64, head_start_us, 200000, "us", 500, 1000000, log, "How much earlier the shortest burst's place in line is.");
TUNABLE(u64, long_us, 3000, "us", 200, 100000, log, "Burst up to which there is the whole head start.");
TUNABLE(u64, preempt_us, 1000, "us", 0, 100000, linear, "How much longer the burst must be of who is preempted.");

UEI_DEFINE(uei);

enum woken_first_12_dsq {
	WOKEN_FIRST_12_SHARED,
	WOKEN_FIRST_12_BOUND,	/* plus the CPU's number */
};

struct woken_first_12_task {
	struct turn turn;
	u64 burst_ns;	/* average */
	u64 burst_began_at;	/* CPU time it had */
};

TASK_DATA_DEFINE(woken_first_12, struct woken_first_12_task)

/* A burst that still goes on counts as far as it has come; a favoured name's is always short. */
static u64 burst_of(const struct task_struct *p, const struct woken_first_12_task *t)
{
	if (name_begins(p, favour))
		return 1;
	return max(t->burst_ns, p->se.sum_exec_runtime - t->burst_began_at) + 1;
}

static u64 head_start_ns(const struct task_struct *p, const struct woken_first_12_task *t)
{
	u64 all = US_TO_NS(head_start_us), end = US_TO_NS(long_us);

	if (name_begins(p, favour))
		return all;
	if (t->burst_ns <= end)
		return all;
	return t->burst_ns < 2 * end ? all / 1024 * ((2 * end - t->burst_ns) * 1024 / (end ?: 1)) : 0;
}

/* What is left of the task's turn, after a new one was begun if it was over. */
static u64 left_ns(struct task_struct *p, struct woken_first_12_task *t)
{
	u64 left = turn_left(&t->turn, p, US_TO_NS(slice_us));

	if (!t->turn.key)
		t->turn.key = scx_bpf_now() - head_start_ns(p, t);
	return left;
}

s32 BPF_STRUCT_OPS(woken_first_12_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return take_idle_cpu(p, prev_cpu, wake_flags, US_TO_NS(slice_us));
}

void BPF_STRUCT_OPS(woken_first_12_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 dsq = is_bound(p) ? WOKEN_FIRST_12_BOUND + scx_bpf_task_cpu(p) : WOKEN_FIRST_12_SHARED, left;
	struct woken_first_12_task *t = data_of(p);

	if (goes_local(p) || !t) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, US_TO_NS(slice_us), enq_flags);
		return;
	}
	left = left_ns(p, t);
	scx_bpf_dsq_insert_vtime(p, dsq, left, t->turn.key, enq_flags);
	if (!wake_idle_cpu(p) && enq_flags & SCX_ENQ_WAKEUP)
		preempt_above(p, max(burst_of(p, t) + US_TO_NS(preempt_us), US_TO_NS(long_us)));
}

void BPF_STRUCT_OPS(woken_first_12_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 left = US_TO_NS(slice_us), bound = WOKEN_FIRST_12_BOUND + cpu;
	struct woken_first_12_task *t = NULL;

	prev = if_runnable(prev);
	if (prev && !is_cpu_kthread(prev))
		t = data_of(prev);
	if (t)
		left = left_ns(prev, t);
	if (!t || t->turn.key > lowest_key(WOKEN_FIRST_12_SHARED, bound)) {
		if (serve_lower(WOKEN_FIRST_12_SHARED, bound))
			return;
	}
	if (prev)
		scx_bpf_task_set_slice(prev, left);
	if (t)
		set_rank(cpu, burst_of(prev, t));
}

void BPF_STRUCT_OPS(woken_first_12_runnable, struct task_struct *p, u64 enq_flags)
{
	struct woken_first_12_task *t = data_of(p);

	if (!t || !(enq_flags & SCX_ENQ_WAKEUP))
		return;
	t->burst_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
}

void BPF_STRUCT_OPS(woken_first_12_running, struct task_struct *p)
{
	struct woken_first_12_task *t = data_of(p);

	if (!t || is_cpu_kthread(p))
		return;
	left_ns(p, t);	/* a task that found an idle CPU has no key yet */
	set_rank(scx_bpf_task_cpu(p), burst_of(p, t));
}

void BPF_STRUCT_OPS(woken_first_12_stopping, struct task_struct *p, bool runnable)
{
	struct woken_first_12_task *t = data_of(p);
	u64 ran;

	set_rank(scx_bpf_task_cpu(p), 0);
	if (!t)
		return;
	ran = p->se.sum_exec_runtime - t->burst_began_at;
	/* A burst that has not ended counts once it is longer than usual: who computes may never sleep. */
	if (!runnable || ran > t->burst_ns)
		t->burst_ns = (3 * t->burst_ns + ran) / 4;
}

void BPF_STRUCT_OPS(woken_first_12_enable, struct task_struct *p)
{
	struct woken_first_12_task *t = data_of(p);

	if (!t)
		return;
	t->burst_ns = NSEC_PER_MSEC;
	t->burst_began_at = p->se.sum_exec_runtime;
	end_turn(&t->turn, p);
}

CPU_OPS_DEFINE(woken_first_12, drain_dsqs(WOKEN_FIRST_12_BOUND, cpu))

s32 BPF_STRUCT_OPS_SLEEPABLE(woken_first_12_init)
{
	return create_dsqs(WOKEN_FIRST_12_BOUND);
}

void BPF_STRUCT_OPS(woken_first_12_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(woken_first_12_ops,
	       .select_cpu	= (void *)woken_first_12_select_cpu,
	       .enqueue		= (void *)woken_first_12_enqueue,
	       .dispatch	= (void *)woken_first_12_dispatch,
	       .runnable	= (void *)woken_first_12_runnable,
	       .running		= (void *)woken_first_12_running,
	       .stopping	= (void *)woken_first_12_stopping,
	       .init_task	= (void *)woken_first_12_init_task,
	       .enable		= (void *)woken_first_12_enable,
	       CPU_OPS(woken_first_12),
	       .init		= (void *)woken_first_12_init,
	       .exit		= (void *)woken_first_12_exit,
	       .name		= "woken_first_12");
