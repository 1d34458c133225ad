// SPDX-License-Identifier: GPL-2.0-only
/* The workload for scx_canary: started in its cgroup, waited for, and what the kernel's accounts say of its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acct.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"

#define ACCT_FILE	"/run/scx_canary.acct"

static sigset_t signals, signals_before;
static const char *beat_path;
static double last_beat;
static pid_t workload;
static int workload_status;
static bool over;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Before anything is started: children that lose their parents are ours, the kernel keeps accounts. */
void workload_prepare(const char *beats)
{
	int file;

	beat_path = beats;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &signals_before);
	file = open(ACCT_FILE, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0 || acct(ACCT_FILE) < 0)
		fprintf(stderr, "scx_canary: no process accounting: %m\n");
	if (file >= 0)
		close(file);
}

bool workload_start(char **command)
{
	workload = fork();
	if (workload != 0)
		return workload > 0;
	tasks_join();
	setsid();
	sigprocmask(SIG_SETMASK, &signals_before, NULL);
	execvp(command[0], command);
	fprintf(stderr, "scx_canary: cannot run %s: %m\n", command[0]);
	_exit(127);
}

/* Sleeps until then; returns false as soon as the workload is over. */
bool workload_sleep_until(uint64_t then)
{
	uint64_t now;
	int status, got;
	pid_t pid;

	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != workload)
				continue;
			workload_status = status;
			over = true;
		}
		now = now_ns();
		if (over || now >= then)
			return !over;
		struct timespec left = { (then - now) / 1000000000, (then - now) % 1000000000 };

		got = sigtimedwait(&signals, NULL, &left);
		if (got == SIGTERM || got == SIGINT)
			tasks_kill();
	}
}

/* What the workload has counted on since the last look, if it keeps a count in a file. */
double workload_beats(void)
{
	char text[64];
	double beat, beats;

	if (!beat_path || read_file(beat_path, text, sizeof(text)) <= 0)
		return 0;
	beat = atof(text);
	beats = beat > last_beat ? beat - last_beat : 0;
	last_beat += beats;
	return beats;
}

/* How far the kernel's accounts have come. */
long workload_accounts(void)
{
	struct stat accounts = { 0 };

	stat(ACCT_FILE, &accounts);
	return accounts.st_size;
}

/* Processes that a signal killed, by the kernel's accounts from a place on. */
int workload_killed(long from)
{
	FILE *file = fopen(ACCT_FILE, "re");
	struct acct_v3 record;
	int count = 0;

	if (!file)
		return 0;
	fseek(file, from, SEEK_SET);
	while (fread(&record, sizeof(record), 1, file) == 1)
		count += (record.ac_flag & AXSIG) && strncmp(record.ac_comm, "scx_canary", sizeof(record.ac_comm));
	fclose(file);
	return count;
}

/* Ends what is left of the workload. Returns how its first process ended, as waitpid does. */
int workload_end(void)
{
	acct(NULL);
	unlink(ACCT_FILE);
	tasks_kill();
	if (workload > 0 && !over)
		while (waitpid(workload, &workload_status, 0) < 0 && errno == EINTR)
			;
	return workload_status;
}
