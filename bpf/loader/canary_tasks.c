// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workload's tasks for scx_canary: found in its cgroup as they come, moved to the class SCHED_EXT
 * and back, and followed by what the kernel counts of them: time on a CPU, time spent waiting for one.
 *
 * The kernel adds a wait when it is over. A task that does not get the CPU at all would look idle, so
 * waits that go on are counted here, and taken off again when the kernel adds them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "canary.h"

#define CGROUP		"/sys/fs/cgroup/scx_canary"
#define MAX_TASKS	4096
#define SCHED_CLASS_EXT	7
#define ACTIVE_NS	(1 * NSEC_PER_MSEC)	/* who ran less is no use as a canary */

struct task {
	pid_t		tid;
	int		fd, policy;
	bool		live, canary, marked;
	uint64_t	run, wait, dispatches, first_run;
	uint64_t	waiting_since;	/* 0: it ran, or slept, since the last look */
	uint64_t	ahead;		/* counted of a wait that the kernel has not counted yet */
};

static struct task tasks[MAX_TASKS];
static int nr_tasks;
static uint64_t last_ns;

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

bool tasks_init(void)
{
	return mkdir(CGROUP, 0755) == 0 || errno == EEXIST;
}

/* The calling process, and what it starts, belongs to the workload from here on. */
void tasks_join(void)
{
	write_text(CGROUP "/cgroup.procs", "0");
}

void tasks_kill(void)
{
	write_text(CGROUP "/cgroup.kill", "1");
}

/* Keeps what else is set of a task's scheduling (its nice value). */
bool set_policy(pid_t tid, int policy)
{
	struct sched_attr attr;

	if (sched_getattr(tid, &attr, sizeof(attr), 0) < 0)
		return false;
	attr.sched_policy = policy;
	return sched_setattr(tid, &attr, 0) == 0;
}

static bool read_counts(struct task *task, uint64_t *run, uint64_t *wait, uint64_t *dispatches)
{
	unsigned long long a, b, c;
	char text[128];
	ssize_t got = pread(task->fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return false;
	text[got] = '\0';
	if (sscanf(text, "%llu %llu %llu", &a, &b, &c) != 3)
		return false;
	*run = a;
	*wait = b;
	*dispatches = c;
	return true;
}

static bool is_runnable(pid_t tid)
{
	char path[64], text[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (read_file(path, text, sizeof(text)) < 0)
		return false;
	end = strrchr(text, ')');
	return end && end[1] && end[2] == 'R';
}

/* The kernel lists tasks in much the same order each time: the one after the last found is a good guess. */
static struct task *find_task(pid_t tid)
{
	static int guess;
	int i;

	for (i = 0; i < nr_tasks; i++, guess++) {
		if (guess >= nr_tasks)
			guess = 0;
		if (tasks[guess].tid == tid)
			return &tasks[guess++];
	}
	return NULL;
}

static struct task *add_task(pid_t tid)
{
	struct task *task;
	char path[64];

	if (nr_tasks == MAX_TASKS)
		return NULL;
	task = &tasks[nr_tasks];
	*task = (struct task){ .tid = tid };
	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	task->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (task->fd < 0)
		return NULL;
	if (!read_counts(task, &task->run, &task->wait, &task->dispatches)) {
		close(task->fd);
		return NULL;
	}
	task->first_run = task->run;
	task->policy = sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;
	if (task->policy == SCHED_CLASS_EXT) {	/* born of a canary */
		task->canary = true;
		task->policy = SCHED_OTHER;
	}
	nr_tasks++;
	return task;
}

/* Who is there now: the kernel's list, beside ours. */
static void find_tasks(void)
{
	static char text[MAX_TASKS * 8];
	struct task *task;
	char *rest = text, *line;
	int i, kept = 0;

	for (i = 0; i < nr_tasks; i++)
		tasks[i].live = false;
	read_file(CGROUP "/cgroup.threads", text, sizeof(text));
	while ((line = strsep(&rest, "\n"))) {
		pid_t tid = atoi(line);

		task = tid > 0 ? find_task(tid) ?: add_task(tid) : NULL;
		if (task)
			task->live = true;
	}
	for (i = 0; i < nr_tasks; i++) {
		if (tasks[i].live)
			tasks[kept++] = tasks[i];
		else
			close(tasks[i].fd);
	}
	nr_tasks = kept;
}

/* What a task waited since the last look, waits that still go on included. */
static uint64_t waited(struct task *task, uint64_t now, uint64_t counted, bool progressed)
{
	uint64_t wait = 0;

	if (counted) {
		wait = counted > task->ahead ? counted - task->ahead : 0;
		task->ahead = 0;
	}
	if (progressed || !is_runnable(task->tid)) {
		task->waiting_since = 0;
		return wait;
	}
	if (task->waiting_since) {
		wait += now - last_ns;
		task->ahead += now - last_ns;
	} else {
		task->waiting_since = now;
	}
	return wait;
}

static void look_at(struct task *task, uint64_t now, bool watched, struct sample *sample)
{
	uint64_t run, wait, dispatches, delta_wait;

	if (!read_counts(task, &run, &wait, &dispatches))
		return;
	delta_wait = waited(task, now, wait - task->wait, run != task->run || dispatches != task->dispatches);
	if (watched) {
		sample->run += run - task->run;
		sample->wait += delta_wait;
		sample->dispatches += dispatches - task->dispatches;
		sample->waiting += task->waiting_since != 0;
		if (task->waiting_since && now - task->waiting_since > sample->longest_wait)
			sample->longest_wait = now - task->waiting_since;
	} else {
		sample->other_run += run - task->run;
	}
	task->run = run;
	task->wait = wait;
	task->dispatches = dispatches;
}

/* Looks at all tasks; what the watched ones did since the last look is added to the sample. */
void tasks_scan(uint64_t now, bool canary_only, struct sample *sample)
{
	int i;

	find_tasks();
	for (i = 0; i < nr_tasks; i++)
		look_at(&tasks[i], now, tasks[i].canary || !canary_only, sample);
	last_ns = now;
}

/* A wait that began under one scheduler is not the next one's doing. */
void tasks_forget_waits(void)
{
	int i;

	for (i = 0; i < nr_tasks; i++)
		tasks[i].waiting_since = 0;
}

/* Spreads the canaries over the tasks, the same in each run. */
static uint32_t order_of(pid_t tid)
{
	uint32_t hash = (uint32_t)tid * 2654435761u;

	return hash ^ hash >> 15;
}

static bool is_eligible(const struct task *task)
{
	return (task->policy == SCHED_OTHER || task->policy == SCHED_BATCH) &&
	       task->run - task->first_run >= ACTIVE_NS;
}

/*
 * Moves tasks to the class SCHED_EXT until so many of the active ones, at least one, are in it. Returns their true
 * share, 0 to 1.
 */
double tasks_widen(long percent)
{
	int i, active = 0, have = 0, want;

	for (i = 0; i < nr_tasks; i++) {
		active += is_eligible(&tasks[i]);
		have += tasks[i].canary && is_eligible(&tasks[i]);
	}
	want = (active * percent + 99) / 100;
	while (have < want) {
		struct task *first = NULL;

		for (i = 0; i < nr_tasks; i++)
			if (is_eligible(&tasks[i]) && !tasks[i].canary &&
			    (!first || order_of(tasks[i].tid) < order_of(first->tid)))
				first = &tasks[i];
		if (!first)
			break;
		set_policy(first->tid, SCHED_CLASS_EXT);	/* if it is gone, the next look finds out */
		first->canary = true;
		have++;
	}
	return active ? (double)have / active : 0;
}

/* All tasks back to the class they had. Returns whether none is left behind. */
bool tasks_restore(void)
{
	bool left = true;
	int tries, i;

	for (tries = 0; left && tries < 10; tries++) {	/* again, for who was born of a canary meanwhile */
		left = false;
		find_tasks();
		for (i = 0; i < nr_tasks; i++) {
			int policy = sched_getscheduler(tasks[i].tid);

			tasks[i].canary = false;
			if (policy < 0 || (policy & ~SCHED_RESET_ON_FORK) != SCHED_CLASS_EXT)
				continue;
			left = true;
			set_policy(tasks[i].tid, tasks[i].policy);
		}
	}
	return !left;
}

int tasks_count(void)
{
	return nr_tasks;
}

int tasks_canaries(void)
{
	int i, count = 0;

	for (i = 0; i < nr_tasks; i++)
		count += tasks[i].canary;
	return count;
}

/* Remembers who is there: those a revert must not lose. */
void tasks_mark(void)
{
	int i;

	for (i = 0; i < nr_tasks; i++)
		tasks[i].marked = true;
}

int tasks_marked_alive(void)
{
	int i, count = 0;

	for (i = 0; i < nr_tasks; i++)
		count += tasks[i].marked;
	return count;
}

/* Those who want to run and have not for so long. */
int tasks_marked_stuck(uint64_t now, uint64_t limit)
{
	int i, count = 0;

	for (i = 0; i < nr_tasks; i++)
		count += tasks[i].marked && tasks[i].waiting_since && now - tasks[i].waiting_since > limit;
	return count;
}
