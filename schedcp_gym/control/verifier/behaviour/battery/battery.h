/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the battery's cases have in common. A case is a real-time process, out of any policy's reach: it starts
 * ordinary tasks, watches them through shared memory, and prints its figures, one "name value" a line.
 */
#ifndef BATTERY_H
#define BATTERY_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define NSEC_PER_USEC	1000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define MAX_TASKS	512
#define MAX_SAMPLES	16384

/* What a task does for a living; it ends when this returns. */
struct task;
typedef void (*work_fn)(struct task *t);

/* One task, in shared memory: it writes, the case reads. */
struct task {
	char		name[16];
	pid_t		pid;		/* 0: reaped */
	work_fn		work;
	long		arg[4];
	uint64_t	due_ns;		/* since when it has been able to run, or will be; 0: it waits for another */
	uint64_t	longest_wait_ns;
	uint64_t	rounds;		/* of computation done */
	uint64_t	marks;		/* what the task counts: turns, bursts, round trips */
	uint64_t	allowed;	/* CPUs that it may be seen on, as a mask; 0: any */
	uint64_t	strayed;	/* times seen elsewhere */
	int		cpu;		/* where it was seen last */
	uint64_t	cpu_before_ns;	/* CPU time at the beginning of the window */
	uint64_t	cpu_ns;		/* CPU time in the window */
};

/* Waking up: how long after it was due. Written by all tasks. */
struct samples {
	uint32_t	count;
	uint32_t	us[MAX_SAMPLES];
};

struct shared {
	uint64_t	end_ns;		/* when tasks end by themselves */
	uint64_t	rounds_per_ms;
	uint32_t	nr_tasks;
	struct samples	samples;
	struct task	tasks[MAX_TASKS];
	uint64_t	slots[64];	/* the case's own */
};

extern struct shared *shared;
extern int nr_cpus;

/* case.c: the case itself */
void case_begin(void);
uint64_t now_ns(void);
void sleep_until(uint64_t when_ns);
void sleep_ms(long ms);
void figure(const char *name, double value);
double ms(uint64_t ns);
bool write_text(const char *path, const char *text);
uint32_t percentile_us(double share);

/* tasks.c: what tasks do */
void compute(struct task *t, uint64_t us);
void stamp(struct task *t);
void nap_until(struct task *t, uint64_t when_ns);
void sample(uint64_t late_ns);
void hog(struct task *t);		/* computes until the end */
void sleeper(struct task *t);		/* arg[0] us of work every arg[1] us, first arg[2] us from now */

/* case.c: the case's hold on its tasks */
struct task *spawn(const char *name, work_fn work);
struct task *spawn_sleeper(const char *name, long work_us, long period_us, long first_us);
void bind_to(struct task *t, uint64_t mask);
void window_begin(void);
uint64_t window_end(void);		/* returns its length; fills in each task's cpu_ns */
uint64_t longest_wait_ns(void);
uint64_t busy_ns(void);
int end_tasks(long patience_ms);	/* kills and reaps all; returns how many are lost */
const char *plain_name(int index);

/* policy_load.c: for cases that load the policy themselves */
struct load {
	pid_t		pid;
	char		report[64];
	double		start_ms;	/* until it was in charge */
	double		stop_ms;	/* from being told to end to the end */
	int		exit_kind;
	long long	exit_code;
};

bool load_start(struct load *l, const char *name);
bool load_stop(struct load *l);
bool load_runs(const struct load *l);
bool wants_restart(const struct load *l);

#endif
