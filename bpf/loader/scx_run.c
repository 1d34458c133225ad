// SPDX-License-Identifier: GPL-2.0-only
/*
 * scx_run: runs a command under a sched_ext policy and reports what became of both.
 *
 * The policy is checked to be in charge before the command starts, while it runs and after it has
 * ended. Without a policy the steps are the same, under the kernel's own scheduler. The loader itself
 * is a real-time task, out of any policy's reach, and sleeps while the command runs.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy.h"

#define ACCT_FILE	"/run/scx_run.acct"
#define REAP_MS		5000

static struct report report = { .outcome = "rejected", .stage = "open" };
static sigset_t signals, signals_before;

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_CHILDREN, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* Sleeps until a child ends, a signal asks to stop (returned) or the time is over. */
static int wait_signal(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int got = sigtimedwait(&signals, NULL, &time);

	return got == SIGTERM || got == SIGINT ? got : 0;
}

/* Kills what the command left behind and waits for it, so that its CPU time is counted. */
static void reap_all(pid_t group)
{
	char path[64], text[4096], *next, *pid;
	int ms;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	kill(-group, SIGKILL);
	for (ms = 0; ms < REAP_MS; ms++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		read_file(path, text, sizeof(text));
		for (next = text; (pid = strsep(&next, " "));)
			if (*pid)
				kill(atoi(pid), SIGKILL);
		wait_signal(1);
	}
}

static pid_t start(char **command, int error_pipe)
{
	pid_t pid = fork();
	int error;

	if (pid != 0)
		return pid;
	setsid();
	sigprocmask(SIG_SETMASK, &signals_before, NULL);
	execvp(command[0], command);
	error = errno;
	if (write(error_pipe, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* Runs the command to its end, or to the policy's. Returns false when it cannot count. */
static bool run(char **command, bool policy, long poll_ms)
{
	int status = 0, error = 0, stop = 0, pipes[2];
	bool intact = true;
	double began;
	pid_t pid, got;

	report.stage = "run";
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(&report, "workload_error", "pipe: %s", strerror(errno));
	began = seconds(CLOCK_MONOTONIC);
	pid = start(command, pipes[1]);
	if (pid < 0)
		return fail(&report, "workload_error", "fork: %s", strerror(errno));
	while ((got = waitpid(-1, &status, WNOHANG)) != pid) {
		if (got > 0)
			continue;
		stop = wait_signal(poll_ms);
		intact = !policy || policy_enabled();
		if (stop || !intact) {
			kill(-pid, SIGKILL);
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			break;
		}
	}
	report.wall_s = seconds(CLOCK_MONOTONIC) - began;
	reap_all(pid);
	report.command_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	report.command_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (!intact)
		return fail(&report, "ejected", "the policy was ejected while the command ran");
	if (policy && !policy_in_charge(&report))
		return false;
	if (stop)
		return fail(&report, "workload_error", "stopped by signal %d", stop);
	if (read(pipes[0], &error, sizeof(error)) == sizeof(error))
		return fail(&report, "workload_error", "cannot run %s: %s", command[0], strerror(error));
	if (status)
		return fail(&report, "workload_error", "the command ended with %s %d",
			    WIFSIGNALED(status) ? "signal" : "status",
			    WIFSIGNALED(status) ? report.command_signal : report.command_exit);
	return true;
}

/* Event counters over the run: those of afterwards, less what they were before. */
static void count_events(const struct event *before, int count)
{
	int i, j;

	report.nr_events = read_events(report.ops, report.events);
	for (i = 0; i < report.nr_events; i++)
		for (j = 0; j < count; j++)
			if (!strcmp(report.events[i].name, before[j].name))
				report.events[i].count -= before[j].count;
}

static bool measure(char **command, bool policy, long poll_ms)
{
	struct event before[MAX_EVENTS];
	int count = policy ? read_events(report.ops, before) : 0, file;
	bool good;

	unlink(ACCT_FILE);
	file = open(ACCT_FILE, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0 || acct(ACCT_FILE) < 0)
		fprintf(stderr, "scx_run: no process accounting: %s\n", strerror(errno));
	if (file >= 0)
		close(file);
	good = run(command, policy, poll_ms);
	acct(NULL);
	report.cpu_s = cpu_seconds();
	if (policy) {
		count_events(before, count);
		policy_count_entries(&report);
	}
	read_acct(ACCT_FILE, &report);
	unlink(ACCT_FILE);
	return good;
}

static int usage(void)
{
	fputs("usage: scx_run --report FILE [--object x.bpf.o] [--tunables FILE] [--verifier-log FILE]\n"
	      "               [--poll-ms 100] -- COMMAND [ARG...]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "report", required_argument, NULL, 'r' },
		{ "object", required_argument, NULL, 'o' },
		{ "tunables", required_argument, NULL, 't' },
		{ "verifier-log", required_argument, NULL, 'v' },
		{ "poll-ms", required_argument, NULL, 'p' },
		{ 0 },
	};
	const char *report_path = NULL, *object = NULL, *tunables = NULL, *log = NULL;
	struct sched_param priority = { .sched_priority = 1 };
	int option, kernel_log;
	long poll_ms = 100;
	bool good;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			report_path = optarg;
			break;
		case 'o':
			object = optarg;
			break;
		case 't':
			tunables = optarg;
			break;
		case 'v':
			log = optarg;
			break;
		case 'p':
			poll_ms = atol(optarg);
			break;
		default:
			return usage();
		}
	}
	if (!report_path || optind >= argc || poll_ms < 1 || (tunables && !object))
		return usage();

	report.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	kernel_log = open_kernel_log();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The command starts as an ordinary task all the same. */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) < 0)
		fprintf(stderr, "scx_run: no real-time priority: %s\n", strerror(errno));
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &signals_before);

	good = !object || policy_start(&report, object, tunables, log);
	if (good)
		good = measure(argv + optind, object, poll_ms);
	if (object)
		good = policy_stop(&report, good);
	if (good) {
		report.outcome = "ok";
		report.stage = "done";
	} else if (strcmp(report.outcome, "workload_error")) {
		read_kernel_log(kernel_log, report.kernel_log, sizeof(report.kernel_log));
	}
	if (!write_report(report_path, &report)) {
		fprintf(stderr, "scx_run: cannot write %s: %s\n", report_path, strerror(errno));
		return 1;
	}
	return good ? 0 : 1;
}
