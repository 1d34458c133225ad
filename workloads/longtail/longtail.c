// SPDX-License-Identifier: Apache-2.0
/*
 * longtail: a batch of many short jobs and one long one. How long until the last is done?
 *
 * The driver makes a symbolic link to longtail-job for each job, in a temporary folder, and executes it, so
 * that each job is a process with a name (comm) of its own. Names, order, the jobs' data and which job is
 * the long one come from --seed; the amount of work does not.
 *
 * The start: a job gets ready (tables made, buffers touched), says so and waits for the end of its standard
 * input. The driver starts the jobs one after the other, waits for each to be ready, and closes the write
 * end of that pipe when the last one is: all jobs become runnable at one moment, in the order in which they
 * were started, and neither fork and exec nor the driver's own share of the CPU is part of what is measured.
 *
 *     makespan_s          from the release to the driver having collected the last job
 *     mean_completion_s   mean over the jobs of the time from the release to the end of their work
 *     bound_s             max(CPU time of the longest job, CPU time of all / CPUs): no order can be faster.
 *                         CPU times are the kernel's (wait4), less what a job had used at the release.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "job.h"

enum {
	MAX_JOBS = 96,		/* as many as there are words */
	NAME_SIZE = 16,		/* a comm, its end included */
	MAX_CPUS = 4096,
	NUMBER_SIZE = 24,
	NS_PER_S = 1000 * 1000 * 1000,
};

/* At most 10 letters, none the beginning of another: a name is <word>-<4 hexadecimal digits>. */
static const char *const words[MAX_JOBS] = {
	"amber", "anchor", "apple", "arrow", "aspen", "badger", "bamboo", "basil", "beacon", "birch", "bison", "bramble",
	"canyon", "cedar", "cheetah", "cinder", "clover", "cobalt", "comet", "copper", "coral", "crane", "cypress", "dahlia",
	"delta", "dolphin", "dune", "eagle", "ember", "falcon", "fennel", "fern", "finch", "flint", "garnet", "gecko",
	"ginger", "glacier", "granite", "harbor", "hazel", "heron", "indigo", "iris", "ivory", "jackal", "jasmine", "juniper",
	"kestrel", "koala", "lagoon", "lantern", "lemur", "lichen", "lilac", "lotus", "magnet", "mango", "maple", "marble",
	"meadow", "meteor", "nectar", "nutmeg", "oasis", "ocelot", "olive", "onyx", "opal", "orchid", "osprey", "otter",
	"panther", "pebble", "pepper", "plover", "poplar", "prairie", "quartz", "quokka", "raven", "saffron", "salmon", "sequoia",
	"spruce", "summit", "thistle", "timber", "topaz", "tundra", "umber", "velvet", "walnut", "willow", "yarrow", "zephyr",
};

struct job {
	char name[NAME_SIZE];
	char path[PATH_MAX];
	uint64_t seed;
	uint32_t records;
	pid_t pid;
	uint64_t cpu_before_ns;	/* used at the release */
	uint64_t cpu_ns;	/* used from then on */
	uint64_t end_ns;
	uint64_t checksum;
	bool linked;
};

struct options {
	uint64_t seed;
	uint32_t cpus;
	uint32_t jobs;
	uint32_t ratio;
	uint32_t records;
	bool json;
	bool plan;
	bool verbose;
};

static struct options options = { .seed = 1, .jobs = 40, .ratio = 25, .records = 20500 };
static struct job jobs[MAX_JOBS];
static char folder[PATH_MAX];
static pid_t driver;

/* ---- small helpers ---- */

/* Kills what still runs and removes what is still there. Only async-signal-safe calls: a handler uses it. */
static void clean_up(void)
{
	for (uint32_t i = 0; i < options.jobs; i++) {
		if (jobs[i].pid > 0)
			kill(jobs[i].pid, SIGKILL);
		if (jobs[i].linked)
			unlink(jobs[i].path);
	}
	if (*folder)
		rmdir(folder);
}

static void on_signal(int number)
{
	if (getpid() == driver)	/* not the child between vfork and exec */
		clean_up();
	signal(number, SIG_DFL);
	raise(number);
}

_Noreturn __attribute__((format(printf, 2, 3))) static void die(int error, const char *format, ...)
{
	va_list arguments;

	clean_up();
	fputs("longtail: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		die(errno, "clock_gettime");
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t to_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Uniform in [0, limit): the high half of a 64 x 64 bit product. */
static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(((unsigned __int128)random_u64(state) * limit) >> 64);
}

/* ---- the batch ---- */

static void plan_batch(void)
{
	uint64_t random = options.seed;
	const char *shuffled[MAX_JOBS];
	uint32_t the_long_one;

	memcpy(shuffled, words, sizeof(words));
	for (uint32_t i = MAX_JOBS; i > 1; i--) {
		uint32_t j = random_below(&random, i);
		const char *word = shuffled[i - 1];

		shuffled[i - 1] = shuffled[j];
		shuffled[j] = word;
	}
	the_long_one = random_below(&random, options.jobs);
	for (uint32_t i = 0; i < options.jobs; i++) {
		struct job *job = &jobs[i];

		snprintf(job->name, sizeof(job->name), "%s-%04x", shuffled[i], (unsigned int)random_below(&random, 0x10000));
		job->seed = random_u64(&random);
		job->records = options.records * (i == the_long_one ? options.ratio : 1);
	}
}

static void print_plan(void)
{
	printf("%-5s %-15s %12s %20s\n", "job", "name", "records", "seed");
	for (uint32_t i = 0; i < options.jobs; i++)
		printf("%-5" PRIu32 " %-15s %12" PRIu32 " %20" PRIu64 "\n", i, jobs[i].name, jobs[i].records, jobs[i].seed);
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
static uint64_t run_batch(uint64_t *end_ns)
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

/* ---- the result ---- */

struct figure {
	const char *name;
	double value;
};

static void report_figures(const struct figure *figures, size_t n)
{
	if (options.json) {
		for (size_t i = 0; i < n; i++)
			printf("%s\"%s\": %.9f", i ? ", " : "{", figures[i].name, figures[i].value);
		puts("}");
	} else {
		for (size_t i = 0; i < n; i++)
			printf("%-18s %16.9f\n", figures[i].name, figures[i].value);
	}
}

static void summarise(uint64_t release_ns, uint64_t end_ns)
{
	double makespan_s = (double)(end_ns - release_ns) / NS_PER_S, completion_s = 0, work_s = 0, longest_s = 0;
	uint64_t checksum = 0, records = 0;

	for (uint32_t i = 0; i < options.jobs; i++) {
		const struct job *job = &jobs[i];
		double cpu_s = (double)job->cpu_ns / NS_PER_S, end_s = (double)(job->end_ns - release_ns) / NS_PER_S;

		work_s += cpu_s;
		if (cpu_s > longest_s)
			longest_s = cpu_s;
		completion_s += end_s;
		checksum ^= job->checksum;
		records += job->records;
		if (options.verbose)
			fprintf(stderr, "longtail: %-15s %9" PRIu32 " records, %9.6f s of CPU time (and %.6f before), done at %9.6f s\n",
				job->name, job->records, cpu_s, (double)job->cpu_before_ns / NS_PER_S, end_s);
	}
	if (options.verbose)
		fprintf(stderr, "longtail: %" PRIu64 " records in all, %.6f s of CPU time, checksum %016" PRIx64 "\n", records,
			work_s, checksum);

	const double share_s = work_s / options.cpus;
	const struct figure figures[] = {
		{ "makespan_s", makespan_s },
		{ "bound_s", longest_s > share_s ? longest_s : share_s },
		{ "mean_completion_s", completion_s / options.jobs },
		{ "jobs_per_s", options.jobs / makespan_s },
	};
	report_figures(figures, sizeof(figures) / sizeof(figures[0]));
}

/* ---- options ---- */

static const char usage[] =
	"usage: longtail --cpus N [options]\n"
	"  --cpus N      CPUs of the machine, for the bound (those that are online)\n"
	"  --jobs N      jobs in all, one of them long (40)\n"
	"  --ratio N     work of the long job in short ones (25)\n"
	"  --records N   records that a short job works through (20500)\n"
	"  --seed N      names, order and data of the jobs; the amount of work is the same for every seed (1)\n"
	"  --json        print one JSON object instead of a table\n"
	"  --plan        print the jobs of this seed and do nothing\n"
	"  --verbose     print each job's share to standard error\n"
	"  --help        print this\n";

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || value < least || value > most)
		die(0, "--%s: \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, option, text, least, most);
	return value;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "cpus", required_argument, NULL, 'c' },
		{ "jobs", required_argument, NULL, 'n' },
		{ "ratio", required_argument, NULL, 'a' },
		{ "records", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' },
		{ "plan", no_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *name = known[index].name;

		switch (option) {
		case 'c':
			options.cpus = (uint32_t)number(name, optarg, 1, MAX_CPUS);
			break;
		case 'n':
			options.jobs = (uint32_t)number(name, optarg, 1, MAX_JOBS);
			break;
		case 'a':
			options.ratio = (uint32_t)number(name, optarg, 1, 1000);
			break;
		case 'r':
			options.records = (uint32_t)number(name, optarg, 1, 4 * 1000 * 1000);
			break;
		case 'x':
			options.seed = number(name, optarg, 0, UINT64_MAX);
			break;
		case 'j':
			options.json = true;
			break;
		case 'p':
			options.plan = true;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(2);
		}
	}
	if (optind < argc)
		die(0, "\"%s\" is not an option; see --help", argv[optind]);
	if (!options.cpus)
		options.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

int main(int argc, char **argv)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP };
	uint64_t release_ns, end_ns;

	driver = getpid();
	parse(argc, argv);
	plan_batch();
	if (options.plan) {
		print_plan();
	} else {
		for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
			signal(fatal[i], on_signal);
		release_ns = run_batch(&end_ns);
		summarise(release_ns, end_ns);
	}
	if (fflush(stdout) || ferror(stdout))
		die(errno, "standard output");
	return EXIT_SUCCESS;
}
