// SPDX-License-Identifier: GPL-2.0-only
/*
 * A probe for scx_canary: a task that sleeps, wakes up, notes how late it got the CPU, and sleeps again.
 * It belongs to the same group as the watched tasks and tells how soon somebody who wakes up runs,
 * whatever the workload itself does.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"

#define SCHED_CLASS_EXT	7

struct shared {
	_Atomic uint64_t	wakes, wait_ns, due_ns;
};

static struct shared *shared;
static struct { uint64_t wakes, wait_ns, pending_ns; } last;
static pid_t pid;

static void probe(uint64_t period_ns)
{
	uint64_t due = now_ns();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	prctl(PR_SET_NAME, "sh");	/* nothing that a policy could know it by */
	for (;;) {
		struct timespec at;

		due += period_ns;
		if (due < now_ns())
			due = now_ns() + period_ns;
		at = (struct timespec){ due / 1000000000, due % 1000000000 };
		shared->due_ns = due;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		shared->due_ns = 0;
		shared->wait_ns += now_ns() - due;
		shared->wakes++;
	}
}

bool probe_start(long period_ms)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return false;
	pid = fork();
	if (pid == 0)
		probe(period_ms * NSEC_PER_MSEC);
	return pid > 0;
}

void probe_scan(uint64_t now, struct sample *sample)
{
	uint64_t wakes = shared->wakes, wait = shared->wait_ns, due = shared->due_ns;
	uint64_t pending = due && now > due ? now - due : 0, added = wait + pending - last.wait_ns;

	sample->wakes += wakes - last.wakes;
	/* What was already counted of a wake-up that had not come yet is not counted again. */
	sample->wake_wait += added > last.pending_ns ? added - last.pending_ns : 0;
	if (pending > sample->longest_wait)
		sample->longest_wait = pending;
	last.wakes = wakes;
	last.wait_ns = wait;
	last.pending_ns = pending;
}

bool probe_move(bool canary)
{
	return set_policy(pid, canary ? SCHED_CLASS_EXT : SCHED_OTHER);
}

void probe_stop(void)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
