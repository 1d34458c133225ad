// SPDX-License-Identifier: Apache-2.0
/* The batch: starts the jobs, releases them at one moment, collects them. */
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"
#include "longtail.h"

enum {
	NUMBER_SIZE = 24,
};

static uint64_t to_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * COMMON_NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

/* Where longtail-job is: beside this program. */
static void find_program(char *path, size_t size)
{
	static const char suffix[] = "-job";
	ssize_t length = readlink("/proc/self/exe", path, size);

	if (length < 0)
		die(errno, "/proc/self/exe");
	if ((size_t)length + sizeof(suffix) > size)
		die(ENAMETOOLONG, "/proc/self/exe");
	memcpy(path + length, suffix, sizeof(suffix));
	if (access(path, X_OK))
		die(errno, "%s", path);
}

static void make_folder(void)
{
	const char *parent = getenv("TMPDIR");
	char name[PATH_MAX];
	int length = snprintf(name, sizeof(name), "%s/longtail-XXXXXX", parent && *parent ? parent : "/tmp");

	if (length < 0 || (size_t)length + NAME_SIZE + 1 >= sizeof(name))
		die(ENAMETOOLONG, "TMPDIR");
	if (!mkdtemp(name))
		die(errno, "%s", name);
	memcpy(folder, name, (size_t)length + 1);
}

static void read_report(int fd, struct job_report *report)
{
	ssize_t got;

	do {	/* a report is written at once, so it can be read at once */
		got = read(fd, report, sizeof(*report));
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		die(errno, "a job's report");
	if (got != (ssize_t)sizeof(*report) || report->job >= options.jobs ||
	    report->records != jobs[report->job].records)
		die(0, "a job ended without its report, or gave a wrong one");
}

/* Starts a job and waits until it is ready. */
static void start_job(uint32_t index, const char *program, int start_fd, int report_fd, int reports)
{
	struct job *job = &jobs[index];
	char number[NUMBER_SIZE], records[NUMBER_SIZE], seed[NUMBER_SIZE];
	char *arguments[] = { job->path, "--job", number, "--records", records, "--seed", seed, NULL };
	posix_spawn_file_actions_t actions;
	struct job_report report;
	int error;

	snprintf(number, sizeof(number), "%" PRIu32, index);
	snprintf(records, sizeof(records), "%" PRIu32, job->records);
	snprintf(seed, sizeof(seed), "%" PRIu64, job->seed);
	if ((size_t)snprintf(job->path, sizeof(job->path), "%s/%s", folder, job->name) >= sizeof(job->path))
		die(ENAMETOOLONG, "TMPDIR");
	if (symlink(program, job->path))
		die(errno, "%s", job->path);
	job->linked = true;
	error = posix_spawn_file_actions_init(&actions);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, start_fd, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, report_fd, STDOUT_FILENO);
	if (!error)
		error = posix_spawn(&job->pid, job->path, &actions, NULL, arguments, environ);
	if (error)
		die(error, "%s", job->path);
	posix_spawn_file_actions_destroy(&actions);
	read_report(reports, &report);
	if (report.job != index || report.end_ns)
		die(0, "%s is not ready", job->name);
	if (unlink(job->path))
		die(errno, "%s", job->path);
	job->linked = false;
}

static void note_cpu_before(struct job *job)
{
	clockid_t clock;
	int error = clock_getcpuclockid(job->pid, &clock);

	if (error)
		die(error, "CPU time of %s", job->name);
	job->cpu_before_ns = clock_ns(clock);
}

static void collect_job(void)
{
	struct rusage usage;
	int status;
	pid_t pid;

	do {
		pid = wait4(-1, &status, 0, &usage);
	} while (pid < 0 && errno == EINTR);
	if (pid < 0)
		die(errno, "wait4");
	for (uint32_t i = 0; i < options.jobs; i++) {
		struct job *job = &jobs[i];
		uint64_t cpu_ns = to_ns(usage.ru_utime) + to_ns(usage.ru_stime);

		if (job->pid != pid)
			continue;
		job->pid = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			die(0, "%s failed (wait status %#x)", job->name, (unsigned int)status);
		job->cpu_ns = cpu_ns > job->cpu_before_ns ? cpu_ns - job->cpu_before_ns : 0;
		return;
	}
}

/* Runs the batch. Returns the time of the release; *end_ns is when the last job was collected. */
uint64_t run_batch(uint64_t *end_ns)
{
	char program[PATH_MAX];
	int start[2], reports[2];
	uint64_t release_ns;

	find_program(program, sizeof(program));
	if (pipe2(start, O_CLOEXEC) || pipe2(reports, O_CLOEXEC))
		die(errno, "pipe");
	make_folder();
	for (uint32_t i = 0; i < options.jobs; i++)
		start_job(i, program, start[0], reports[1], reports[0]);
	if (rmdir(folder))
		die(errno, "%s", folder);
	*folder = '\0';
	close(start[0]);
	close(reports[1]);
	for (uint32_t i = 0; i < options.jobs; i++)
		note_cpu_before(&jobs[i]);

	release_ns = clock_ns(CLOCK_MONOTONIC);
	close(start[1]);
	for (uint32_t i = 0; i < options.jobs; i++)
		collect_job();
	*end_ns = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t i = 0; i < options.jobs; i++) {
		struct job_report report;

		read_report(reports[0], &report);
		if (report.end_ns < release_ns || report.end_ns > *end_ns)
			die(0, "%s: ended before the release, or after the end", jobs[report.job].name);
		jobs[report.job].end_ns = report.end_ns;
		jobs[report.job].checksum = report.checksum;
	}
	close(reports[0]);
	return release_ns;
}
