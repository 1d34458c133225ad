// SPDX-License-Identifier: Apache-2.0
/*
 * battery: runs cases one after the other, under whatever schedules.
 *
 *	battery FOLDER CASE...
 *
 * Programs named by the cases lie beside this one. FOLDER receives CASE.figures (standard output), CASE.err, and
 * "cases": a line as each case begins and ends, so that it shows which one was on when the policy was ejected.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CASE_LIMIT_S	20

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void note(const char *folder, const char *format, const char *name, double at_s, int status)
{
	char path[256], line[256];
	int fd, length;

	snprintf(path, sizeof(path), "%s/cases", folder);
	length = snprintf(line, sizeof(line), format, name, at_s, status);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, length) != length)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void redirect(const char *folder, const char *name, const char *ending, int to)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.%s", folder, name, ending);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0) {
		dup2(fd, to);
		close(fd);
	}
}

/* Returns the case's status; 124 when it did not end in time. */
static int run_case(const char *here, const char *folder, const char *name)
{
	const struct timespec limit = { .tv_sec = CASE_LIMIT_S };
	sigset_t children, before;
	char path[256];
	int status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", here, name);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, &before);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		redirect(folder, name, "figures", STDOUT_FILENO);
		redirect(folder, name, "err", STDERR_FILENO);
		execl(path, path, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sigtimedwait(&children, NULL, &limit) < 0 && errno == EAGAIN) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return 124;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct sched_param priority = { .sched_priority = 50 };
	char *here = dirname(strdup(argv[0]));
	int i, status;

	if (argc < 3)
		return 2;
	/* Inherited by the cases, so that no policy decides when one begins. */
	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		fprintf(stderr, "battery: no real-time priority: %s\n", strerror(errno));
	setenv("FIGURES", argv[1], 1);
	for (i = 2; i < argc; i++) {
		note(argv[1], "begin %s %.6f %d\n", argv[i], now_s(), 0);
		status = run_case(here, argv[1], argv[i]);
		note(argv[1], "end %s %.6f %d\n", argv[i], now_s(), status);
	}
	return 0;
}
