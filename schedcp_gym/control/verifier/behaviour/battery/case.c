// SPDX-License-Identifier: Apache-2.0
/* A case's own side: its tasks, its window, its figures. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "battery.h"

#define FAR_MS		3600000
#define CALIBRATION_MS	8

struct shared *shared;
int nr_cpus;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void sleep_until(uint64_t when_ns)
{
	struct timespec when = { when_ns / NSEC_PER_SEC, when_ns % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

void sleep_ms(long ms)
{
	sleep_until(now_ns() + ms * NSEC_PER_MSEC);
}

double ms(uint64_t ns)
{
	return ns / 1e6;
}

void figure(const char *name, double value)
{
	printf("%s %.6f\n", name, value);
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* How much work a CPU does in a ms: measured where no policy interferes. */
static void calibrate(void)
{
	struct task scratch = { 0 };
	uint64_t began = now_ns(), end = began + CALIBRATION_MS * NSEC_PER_MSEC;

	shared->rounds_per_ms = 1;
	while (now_ns() < end)
		compute(&scratch, 1);
	shared->rounds_per_ms = scratch.rounds * NSEC_PER_MSEC / (now_ns() - began) ?: 1;
}

void case_begin(void)
{
	struct sched_param priority = { .sched_priority = 50 };

	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority))
		give_up("sched_setscheduler");
	shared->end_ns = now_ns() + FAR_MS * NSEC_PER_MSEC;
	calibrate();
}

/* Names as tasks have them on real machines; cases take them in turn. */
const char *plain_name(int index)
{
	static const char *const names[] = {
		"make", "postgres", "nginx", "cc1", "python3", "java", "redis-server", "ld", "bash", "node",
		"ffmpeg", "mysqld", "sshd", "rustc", "worker", "db-writer",
	};

	return names[index % (sizeof(names) / sizeof(names[0]))];
}

struct task *spawn(const char *name, work_fn work)
{
	uint32_t at = shared->nr_tasks;
	struct task *t = &shared->tasks[at];

	if (at == MAX_TASKS) {
		errno = E2BIG;
		give_up("spawn");
	}
	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->work = work;
	t->due_ns = now_ns();
	shared->nr_tasks++;
	return t;
}

/* Starts what was spawned: its arguments are set by now. */
static void start(struct task *t)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid) {
		t->pid = pid;
		return;
	}
	prctl(PR_SET_NAME, t->name);
	t->due_ns = t->due_ns ?: now_ns();
	stamp(t);
	t->work(t);
	_exit(0);
}

static void start_all(void)
{
	uint64_t mask;
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++) {
		struct task *t = &shared->tasks[i];

		if (t->pid || !t->work)
			continue;
		mask = t->allowed;
		t->allowed = 0;
		t->due_ns = now_ns();
		start(t);
		if (mask)
			bind_to(t, mask);
	}
}

struct task *spawn_sleeper(const char *name, long work_us, long period_us, long first_us)
{
	struct task *t = spawn(name, sleeper);

	t->arg[0] = work_us;
	t->arg[1] = period_us;
	t->arg[2] = first_us;
	return t;
}

/* Sets the CPUs that a task may use; before it is started, or while it runs. */
void bind_to(struct task *t, uint64_t mask)
{
	cpu_set_t set;
	int cpu;

	if (!t->pid) {
		t->allowed = mask;
		return;
	}
	CPU_ZERO(&set);
	for (cpu = 0; cpu < 64; cpu++)
		if (mask >> cpu & 1)
			CPU_SET(cpu, &set);
	t->allowed = 0;		/* it may be anywhere while this is changed */
	if (sched_setaffinity(t->pid, sizeof(set), &set))
		give_up("sched_setaffinity");
	t->allowed = mask;
}

static uint64_t cpu_time_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return used.tv_sec * NSEC_PER_SEC + used.tv_nsec;
}

static uint64_t window_began;

/* Starts what is not yet started, and begins to count CPU time. */
void window_begin(void)
{
	uint32_t i;

	start_all();
	window_began = now_ns();
	for (i = 0; i < shared->nr_tasks; i++)
		shared->tasks[i].cpu_before_ns = cpu_time_ns(shared->tasks[i].pid);
}

uint64_t window_end(void)
{
	uint64_t now = now_ns();
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++) {
		struct task *t = &shared->tasks[i];
		uint64_t used = cpu_time_ns(t->pid), since = t->due_ns;

		t->cpu_ns = used > t->cpu_before_ns ? used - t->cpu_before_ns : 0;
		if (since && now > since && now - since > t->longest_wait_ns)
			t->longest_wait_ns = now - since;
	}
	return now - window_began;
}

uint64_t longest_wait_ns(void)
{
	uint64_t longest = 0;
	uint32_t i, worst = 0;

	for (i = 0; i < shared->nr_tasks; i++)
		if (shared->tasks[i].longest_wait_ns > longest) {
			longest = shared->tasks[i].longest_wait_ns;
			worst = i;
		}
	fprintf(stderr, "longest wait: %s, %.3f ms\n", shared->tasks[worst].name, ms(longest));
	return longest;
}

uint64_t busy_ns(void)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++)
		total += shared->tasks[i].cpu_ns;
	return total;
}

/* Tasks that do not even die within the given time are lost: nobody will run them again. */
int end_tasks(long patience_ms)
{
	uint64_t until = now_ns() + patience_ms * NSEC_PER_MSEC;
	int left = 0;
	uint32_t i;

	for (i = 0; i < shared->nr_tasks; i++)
		if (shared->tasks[i].pid)
			kill(shared->tasks[i].pid, SIGKILL);
	do {
		left = 0;
		for (i = 0; i < shared->nr_tasks; i++) {
			struct task *t = &shared->tasks[i];

			if (!t->pid)
				continue;
			if (waitpid(t->pid, NULL, WNOHANG) == 0)
				left++;
			else
				t->pid = 0;
		}
		if (left)
			sleep_ms(1);
	} while (left && now_ns() < until);
	for (i = 0; i < shared->nr_tasks; i++)
		if (shared->tasks[i].pid)
			fprintf(stderr, "lost: %s\n", shared->tasks[i].name);
	shared->nr_tasks = 0;
	return left;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorts the samples; those that did not fit are left out. */
uint32_t percentile_us(double share)
{
	uint32_t count = shared->samples.count < MAX_SAMPLES ? shared->samples.count : MAX_SAMPLES;

	if (!count)
		return 0;
	qsort(shared->samples.us, count, sizeof(shared->samples.us[0]), by_value);
	return shared->samples.us[(uint32_t)(share * (count - 1))];
}
