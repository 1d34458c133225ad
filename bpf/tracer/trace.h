/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tracer's programs count, and scx_trace writes down. Both sides see this one structure: it lies in the
 * programs' memory, and scx_trace maps it.
 *
 * The BPF side has no headers but the kernel's types: nothing is included here.
 */
#ifndef SCX_TRACE_H
#define SCX_TRACE_H

#define TRACE_PIDS	32768	/* a 64-bit kernel's pid_max on so small a machine */
#define TRACE_TASKS	8192
#define TRACE_EDGES	16384
#define TRACE_CPUS	64
#define TRACE_WINDOWS	8192
#define TRACE_LENGTHS	65	/* of the run queue: 0 to 63, and more */
#define TRACE_BUCKETS	24	/* bucket n: less than 2^n us, and not in the one before */
#define TRACE_WAKERS	4
#define TRACE_ARGS	192
#define TRACE_NAME	16
#define TRACE_FILE	32

/* Wakers that are no traced task. */
#define WAKER_KERNEL	0	/* a kernel thread, or another task that is not traced */
#define WAKER_IRQ	65535	/* an interrupt: a timer, as a rule */

enum trace_state { TASK_UNBORN, TASK_SLEEPS, TASK_WAITS, TASK_RUNS, TASK_GONE };

struct trace_waker {
	unsigned int		slot, count;
};

struct trace_task {
	unsigned long long	began_ns, ended_ns;	/* since boot; ended_ns 0: it has not */
	unsigned long long	since_ns;		/* when the present state began */
	unsigned long long	run_ns, sleep_ns;
	unsigned long long	wake_wait_ns;		/* ready, but not on a CPU: after a wake-up */
	unsigned long long	preempted_wait_ns;	/* the same, after it lost the CPU */
	unsigned long long	longest_wait_ns;
	unsigned long long	burst_ns, longest_burst_ns;	/* CPU time from a wake-up to the next sleep */
	unsigned long long	rss_pages;		/* the process's peak */
	unsigned int		pid, tgid, parent;	/* parent: a slot */
	unsigned int		state, woken, cpu;
	unsigned int		sleeps, preemptions, wakes, migrations;
	unsigned int		wakes_lost;		/* whose waker found no place in the table */
	unsigned int		args_length;
	unsigned int		waits[TRACE_BUCKETS], bursts[TRACE_BUCKETS];
	struct trace_waker	wakers[TRACE_WAKERS];	/* more of them are in the map of edges */
	char			name[TRACE_NAME], file[TRACE_FILE], args[TRACE_ARGS];
};

struct trace_cpu {
	unsigned long long	since_ns, traced_ns, other_ns;
	unsigned long long	unused;
};

/* What happened in a stretch of time; the first two are integrals over it. */
struct trace_window {
	unsigned long long	waiting_ns, running_ns;
	unsigned long long	wait_ns;		/* of waits that ended in it */
	unsigned int		waits, wakes, sleeps, preemptions, migrations, started;
};

struct trace {
	/* Set by scx_trace before its command starts. */
	unsigned int		above;		/* the process whose children are traced */
	unsigned int		window_shift;	/* a window has 2^shift ns */

	unsigned int		tasks;		/* slots in use, the first of them is no task's */
	unsigned int		dropped;	/* tasks for which there was no slot */
	unsigned long long	began_ns, ended_ns, last_ns;
	int			alive, waiting, running;
	int			most_waiting;
	unsigned long long	waiting_ns[TRACE_LENGTHS], running_ns[TRACE_LENGTHS];
	struct trace_cpu	cpus[TRACE_CPUS];
	struct trace_window	windows[TRACE_WINDOWS];
	unsigned short		slots[TRACE_PIDS];
	struct trace_task	task[TRACE_TASKS];
};

struct trace_edge {
	unsigned int		waker, wakee;	/* slots */
};

#endif
