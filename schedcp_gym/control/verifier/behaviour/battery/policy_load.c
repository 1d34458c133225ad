// SPDX-License-Identifier: Apache-2.0
/* For cases that load and unload the policy themselves: scx_run around a command that only sleeps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "battery.h"

#define START_MS	5000
#define STOP_MS		8000
#define STATE		"/sys/kernel/sched_ext/state"
/* Exit codes by which a policy asks to be loaded again: the kernel's, when CPUs come or go. */
#define ACT_RESTART	(1LL << 48)
#define UNREG_KERN	66

static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);

	text[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Loads the policy that the job brings, as $SCX_RUN says; without one, only the steps are the same. */
bool load_start(struct load *l, const char *name)
{
	const char *scx_run = getenv("SCX_RUN") ?: "scx_run", *folder = getenv("FIGURES") ?: "/result";
	bool policy = strstr(scx_run, "--object");
	uint64_t began = now_ns(), until = began + START_MS * NSEC_PER_MSEC;
	char command[512], text[32];

	memset(l, 0, sizeof(*l));
	snprintf(l->report, sizeof(l->report), "%s/%s.load", folder, name);
	unlink(l->report);
	snprintf(command, sizeof(command), "exec %s --report %s -- sleep 1000", scx_run, l->report);
	l->pid = fork();
	if (l->pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	while (policy && now_ns() < until && waitpid(l->pid, NULL, WNOHANG) == 0) {
		read_text(STATE, text, sizeof(text));
		l->start_ms = ms(now_ns() - began);
		if (!strncmp(text, "enabled", 7))
			return true;
		sleep_ms(1);
	}
	return !policy;
}

bool load_runs(const struct load *l)
{
	return access(l->report, F_OK) != 0;
}

/* Ends it, as scx_run is ended: returns whether it ended by our doing, and in time. */
bool load_stop(struct load *l)
{
	uint64_t began = now_ns(), until = began + STOP_MS * NSEC_PER_MSEC;
	char text[8192], *found;

	kill(l->pid, SIGTERM);
	while (waitpid(l->pid, NULL, WNOHANG) == 0) {
		if (now_ns() > until) {
			kill(l->pid, SIGKILL);
			return false;
		}
		sleep_ms(1);
	}
	l->stop_ms = ms(now_ns() - began);
	read_text(l->report, text, sizeof(text));
	found = strstr(text, "\"exit\":{");
	if (!found || sscanf(found, "\"exit\":{\"kind\":%d,\"code\":%lld", &l->exit_kind, &l->exit_code) != 2)
		return false;
	return strstr(text, "\"stopped by signal 15");
}

/* Whether the policy left because CPUs came or went, asking to be loaded again: the kernel's way out for policies
 * that do not follow such changes. */
bool wants_restart(const struct load *l)
{
	return l->exit_kind == UNREG_KERN && l->exit_code & ACT_RESTART;
}
