// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies for scx_canary: each is loaded ahead of time by a process of its own, which attaches it when
 * told to. So a revert has nothing to load, and a policy goes when its process does, whatever happened.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "canary.h"

#define LOAD_MS		60000
#define MOST_RESERVED	0.8
#define EXT_SERVER	"/sys/kernel/debug/sched/ext_server/"

struct answer {
	bool		good;
	struct report	report;		/* its outcome and stage point to texts that both processes have */
};

/* Real time is out of any policy's reach; what is started from here on is ordinary all the same. */
void outrank_policies(void)
{
	struct sched_param priority = { .sched_priority = 90 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
		fprintf(stderr, "scx_canary: no real-time priority: %m\n");
}

static void tell(int fd, bool good, const struct report *report)
{
	static struct answer answer;

	answer.good = good;
	answer.report = *report;
	if (write(fd, &answer, sizeof(answer)) < 0)
		_exit(1);
}

/* The process of a seat: loads, then does what it is told. Without its parent it ends, and the policy with it. */
static void serve(const struct seat *seat, int fd)
{
	static struct report report = { .outcome = "rejected", .stage = "open" };
	bool good, attached = false;
	char command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	outrank_policies();
	good = policy_load(&report, seat->object, seat->tunables, seat->log, seat->mode);
	tell(fd, good, &report);
	while (good && read(fd, &command, 1) == 1 && command == 'a') {
		attached = true;
		good = policy_attach(&report);
		if (good)
			report.stage = "run";
		tell(fd, good, &report);
	}
	if (attached) {
		good = policy_stop(&report, good);
		tell(fd, good, &report);
	}
	_exit(0);
}

static bool hear(struct seat *seat, int limit_ms)
{
	static struct answer answer;
	struct pollfd ready = { .fd = seat->fd, .events = POLLIN };

	if (poll(&ready, 1, limit_ms) <= 0 || read(seat->fd, &answer, sizeof(answer)) != sizeof(answer))
		return fail(&seat->report, "ejected", "the policy's loader does not answer");
	seat->report = answer.report;
	return answer.good;
}

bool seat_load(struct seat *seat)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(&seat->report, "rejected", "socketpair: %m");
	seat->pid = fork();
	if (seat->pid == 0) {
		close(ends[0]);
		serve(seat, ends[1]);
	}
	close(ends[1]);
	seat->fd = ends[0];
	if (seat->pid < 0)
		return fail(&seat->report, "rejected", "fork: %m");
	return hear(seat, LOAD_MS);
}

bool seat_attach(struct seat *seat, int limit_ms)
{
	if (send(seat->fd, "a", 1, MSG_NOSIGNAL) != 1)
		return fail(&seat->report, "rejected", "the policy's loader is gone");
	seat->attached = true;
	return hear(seat, limit_ms);
}

/* Returns whether the policy went without complaint; when its loader does not answer in time, it is killed. */
bool seat_detach(struct seat *seat, int limit_ms)
{
	bool good = seat->attached;

	if (seat->attached) {
		send(seat->fd, "d", 1, MSG_NOSIGNAL);	/* one that failed to attach says its last word unasked */
		good = hear(seat, limit_ms);
		seat->attached = false;
	}
	if (seat->pid > 0) {
		kill(seat->pid, SIGKILL);
		close(seat->fd);
		seat->pid = 0;
	}
	return good;
}

static bool put_ns(long cpu, const char *name, uint64_t ns)
{
	char path[96];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), EXT_SERVER "cpu%ld/%s", cpu, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	good = fprintf(file, "%llu", (unsigned long long)ns) > 0;
	return fclose(file) == 0 && good;
}

/*
 * CPU time that tasks of the class SCHED_EXT have for sure, in CPUs, the same on each. They come after all ordinary
 * tasks: without it a canary beside a workload that keeps the CPUs busy would starve under any policy. 0 brings back
 * the kernel's own 5 % of a second. Returns the share of a CPU that is reserved on each.
 */
double seat_reserve(double share, long period_ms)
{
	static double reserved;
	uint64_t period = period_ms * NSEC_PER_MSEC;
	long cpu, cpus = sysconf(_SC_NPROCESSORS_CONF);

	if (share > MOST_RESERVED)
		share = MOST_RESERVED;	/* the kernel keeps some for ordinary tasks */
	for (cpu = 0; cpu < cpus && share != reserved; cpu++) {
		if (share == 0) {
			put_ns(cpu, "period", 1000 * NSEC_PER_MSEC);
			put_ns(cpu, "runtime", 50 * NSEC_PER_MSEC);
			continue;
		}
		/* In this order the runtime is never longer than the period. */
		put_ns(cpu, "runtime", period / 100);
		put_ns(cpu, "period", period);
		put_ns(cpu, "runtime", period * share);
	}
	reserved = share;
	return reserved;
}
