// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts what the scheduler does with the tasks of one command: where their time goes, who wakes whom, how many wait.
 *
 * Made to be cheap, for it runs at every context switch of what it measures: all counts lie in one piece of memory
 * (trace.h), a task is found by its pid in an array, and nothing is sent to anybody while the command runs.
 * Compiled for the very kernel it is loaded into, so it needs no relocation: looking for the kernel's types would
 * take longer than all the rest.
 */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include <scx/common.bpf.h>
#include <schedcp/interrupt.bpf.h>

#include "trace.h"

/* What is kept of arguments that are too long: the beginning, a gap, the end. */
#define HEAD	80
#define GAP	4
#define TAIL	(TRACE_ARGS - 1 - HEAD - GAP)

struct trace trace;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_EDGES);
	__type(key, struct trace_edge);
	__type(value, u64);
} edges SEC(".maps");

#define STATE_DEAD	0x80	/* the kernel's TASK_DEAD: it never runs again */

static __always_inline u32 slot_of(const struct task_struct *p)
{
	return trace.slots[(u32)p->pid % TRACE_PIDS];
}

/* The task's record; NULL when it is not traced. */
static __always_inline struct trace_task *task_at(u32 slot)
{
	return slot ? ARRAY_ELEM_PTR(trace.task, slot, TRACE_TASKS) : NULL;
}

/* An empty window beyond the last stands for those that do not fit. */
static __always_inline struct trace_window *window_at(u64 ns)
{
	u64 at = (ns - trace.began_ns) >> (trace.window_shift & 63);

	return ARRAY_ELEM_PTR(trace.windows, at, TRACE_WINDOWS) ?: &trace.windows[TRACE_WINDOWS - 1];
}

static __always_inline void count(u32 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline u32 bucket_of(u64 ns)
{
	u64 us = ns / 1000;
	u32 bucket = 0, step;

#pragma unroll
	for (step = 16; step > 1; step /= 2) {
		if (us >> step) {
			bucket += step;
			us >>= step;
		}
	}
	bucket += us > 1 ? 2 : us;
	return bucket < TRACE_BUCKETS ? bucket : TRACE_BUCKETS - 1;
}

static __always_inline void put(u32 *histogram, u64 ns)
{
	u32 *slot = ARRAY_ELEM_PTR(histogram, bucket_of(ns), TRACE_BUCKETS);

	if (slot)
		(*slot)++;
}

/* Spreads a stretch of time in which nothing changed over the windows it lies in. */
static __noinline int fill_windows(u64 from, u64 to, u32 waiting, u32 running)
{
	u64 step = 1ULL << (trace.window_shift & 63);
	int i;

	bpf_for(i, 0, TRACE_WINDOWS) {
		u64 next = trace.began_ns + ((((from - trace.began_ns) >> (trace.window_shift & 63)) + 1) * step);
		u64 end = time_before(next, to) ? next : to;
		struct trace_window *window = window_at(from);

		window->waiting_ns += waiting * (end - from);
		window->running_ns += running * (end - from);
		if (end == to)
			break;
		from = end;
	}
	return 0;
}

/* How many waited and ran since the last change. Two CPUs at once: one has the whole stretch, the other none. */
static __always_inline void pass_time(u64 now)
{
	u64 last = __sync_lock_test_and_set(&trace.last_ns, now), *slot;
	s32 waiting = trace.waiting, running = trace.running;

	if (!last || !time_before(last, now))
		return;
	waiting = waiting > 0 ? waiting : 0;
	running = running > 0 ? running : 0;
	slot = ARRAY_ELEM_PTR(trace.waiting_ns, min(waiting, TRACE_LENGTHS - 1), TRACE_LENGTHS);
	if (slot)
		*slot += now - last;
	slot = ARRAY_ELEM_PTR(trace.running_ns, min(running, TRACE_LENGTHS - 1), TRACE_LENGTHS);
	if (slot)
		*slot += now - last;
	if (waiting > trace.most_waiting)
		trace.most_waiting = waiting;
	fill_windows(last, now, waiting, running);
}

static __always_inline void begin_wait(struct trace_task *t, u64 now, bool woken)
{
	t->state = TASK_WAITS;
	t->woken = woken;
	t->since_ns = now;
	__sync_fetch_and_add(&trace.waiting, 1);
}

static __always_inline void begin_run(struct trace_task *t, u64 now)
{
	struct trace_window *window = window_at(now);
	u32 cpu = bpf_get_smp_processor_id();
	u64 waited = now - t->since_ns;
	/* It was woken on another CPU while it left this one, so on_waking saw it running: it has waited ever since. */
	bool missed = t->state == TASK_SLEEPS;

	if (t->state == TASK_WAITS || missed) {
		if (!missed)
			__sync_fetch_and_add(&trace.waiting, -1);
		if (t->woken || missed)
			t->wake_wait_ns += waited;
		else
			t->preempted_wait_ns += waited;
		if (waited > t->longest_wait_ns)
			t->longest_wait_ns = waited;
		put(t->waits, waited);
		__sync_fetch_and_add(&window->wait_ns, waited);
		count(&window->waits);
	}
	if (t->cpu != cpu && t->run_ns) {
		t->migrations++;
		count(&window->migrations);
	}
	t->cpu = cpu;
	t->state = TASK_RUNS;
	t->since_ns = now;
	__sync_fetch_and_add(&trace.running, 1);
}

static __always_inline void end_burst(struct trace_task *t)
{
	if (!t->burst_ns)
		return;
	put(t->bursts, t->burst_ns);
	if (t->burst_ns > t->longest_burst_ns)
		t->longest_burst_ns = t->burst_ns;
	t->burst_ns = 0;
}

static __always_inline void end_run(struct trace_task *t, u64 now, u32 state)
{
	struct trace_window *window = window_at(now);

	if (t->state != TASK_RUNS)
		return;
	__sync_fetch_and_add(&trace.running, -1);
	t->run_ns += now - t->since_ns;
	t->burst_ns += now - t->since_ns;
	if (t->ended_ns)
		t->ended_ns = now;	/* on its way out; what is written may be read before it is gone */
	if (!state) {
		t->preemptions++;
		count(&window->preemptions);
		begin_wait(t, now, false);
		return;
	}
	end_burst(t);
	t->since_ns = now;
	if (state & STATE_DEAD) {
		t->ended_ns = now;
		t->state = TASK_GONE;
		if (__sync_fetch_and_add(&trace.alive, -1) == 1)
			trace.ended_ns = now;
		return;
	}
	t->state = TASK_SLEEPS;
	t->sleeps++;
	count(&window->sleeps);
}

static __always_inline void pass_cpu_time(u64 now, bool traced, bool idle)
{
	struct trace_cpu *cpu = ARRAY_ELEM_PTR(trace.cpus, bpf_get_smp_processor_id(), TRACE_CPUS);
	u64 from, to = trace.ended_ns ?: now;

	if (!cpu)
		return;
	from = cpu->since_ns > trace.began_ns ? cpu->since_ns : trace.began_ns;
	cpu->since_ns = now;
	if (idle || from >= to)
		return;
	if (traced)
		cpu->traced_ns += to - from;
	else
		cpu->other_ns += to - from;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
	u32 before = slot_of(prev), after = slot_of(next);
	struct trace_task *t;
	u64 now;

	if (!trace.began_ns)
		return 0;
	now = bpf_ktime_get_ns();
	pass_cpu_time(now, before, !prev->pid);
	if (before || after)
		pass_time(now);
	t = task_at(before);
	if (t)
		end_run(t, now, preempt ? 0 : prev_state);
	t = task_at(after);
	if (t)
		begin_run(t, now);
	return 0;
}

/* On whose behalf the current task wakes another. Soft interrupts are the sender's: packets over loopback. */
static __always_inline u32 find_waker(void)
{
	if (in_hard_interrupt())
		return WAKER_IRQ;
	return slot_of(bpf_get_current_task_btf());
}

/* Most tasks are woken by the same few; the others' are in the map. */
static __always_inline void count_edge(struct trace_task *t, u32 waker, u32 wakee)
{
	struct trace_edge edge = { waker, wakee };
	u64 *known, first = 1;
	int i;

#pragma unroll
	for (i = 0; i < TRACE_WAKERS; i++) {
		struct trace_waker *w = &t->wakers[i];

		if (!w->count)
			w->slot = waker;
		if (w->slot == waker) {
			w->count++;
			return;
		}
	}
	known = bpf_map_lookup_elem(&edges, &edge);
	if (known)
		__sync_fetch_and_add(known, 1);
	else if (bpf_map_update_elem(&edges, &edge, &first, BPF_NOEXIST))
		t->wakes_lost++;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p)
{
	u32 slot = slot_of(p);
	struct trace_task *t = task_at(slot);
	u64 now;

	if (!t || t->state != TASK_SLEEPS)
		return 0;
	now = bpf_ktime_get_ns();
	pass_time(now);
	t->sleep_ns += now - t->since_ns;
	t->wakes++;
	count(&window_at(now)->wakes);
	count_edge(t, find_waker(), slot);
	begin_wait(t, now, true);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *p)
{
	struct trace_task *t = task_at(slot_of(p));
	u64 now;

	if (!t || t->state != TASK_UNBORN)
		return 0;
	now = bpf_ktime_get_ns();
	pass_time(now);
	t->began_ns = now;	/* whoever forked it may have lost the CPU meanwhile */
	begin_wait(t, now, true);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u64 pid = (u32)child->pid % TRACE_PIDS, now;
	u32 from = slot_of(parent), slot;
	u16 *place = ARRAY_ELEM_PTR(trace.slots, pid, TRACE_PIDS);
	struct trace_task *t;

	if (!place)
		return 0;
	*place = 0;	/* pids come back */
	if (!from && (!trace.above || parent->tgid != trace.above))
		return 0;
	slot = 1 + __sync_fetch_and_add(&trace.tasks, 1);
	t = task_at(slot);
	if (!t) {
		__sync_fetch_and_add(&trace.tasks, -1);
		count(&trace.dropped);
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (!trace.began_ns) {
		trace.last_ns = now;
		trace.began_ns = now;
	}
	trace.ended_ns = 0;
	__sync_fetch_and_add(&trace.alive, 1);
	t->began_ns = now;
	t->since_ns = now;
	t->pid = child->pid;
	t->tgid = child->tgid;
	t->parent = from;
	count(&window_at(now)->started);
	bpf_probe_read_kernel(t->name, sizeof(t->name), child->comm);
	*place = slot;
	return 0;
}

/* Of long ones both ends: the last are mostly the files. */
static __always_inline void read_args(struct trace_task *t, const struct mm_struct *mm)
{
	static const char gap[GAP] = "...";
	u64 length = mm->arg_end - mm->arg_start;
	long err;

	if (length < TRACE_ARGS) {
		err = bpf_probe_read_user(t->args, length, (void *)mm->arg_start);
	} else {
		length = TRACE_ARGS - 1;
		err = bpf_probe_read_user(t->args, HEAD, (void *)mm->arg_start);
		__builtin_memcpy(t->args + HEAD, gap, GAP);
		err = bpf_probe_read_user(t->args + HEAD + GAP, TAIL, (void *)(mm->arg_end - TAIL)) ?: err;
	}
	t->args_length = err ? 0 : length;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	struct trace_task *t = task_at(slot_of(p));

	if (!t)
		return 0;
	bpf_probe_read_kernel(t->name, sizeof(t->name), p->comm);
	bpf_probe_read_kernel_str(t->file, sizeof(t->file), p->mm->exe_file->f_path.dentry->d_name.name);
	read_args(t, p->mm);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p, bool group_dead)
{
	struct trace_task *t = task_at(slot_of(p));

	if (!t || t->ended_ns)
		return 0;
	bpf_probe_read_kernel(t->name, sizeof(t->name), p->comm);
	if (group_dead)
		t->rss_pages = p->signal->maxrss;
	t->ended_ns = bpf_ktime_get_ns();
	return 0;
}

char _license[] SEC("license") = "GPL";
