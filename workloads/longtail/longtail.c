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

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "longtail.h"

enum {
	MAX_CPUS = 4096,
};

struct options options = { .seed = 1, .jobs = 40, .ratio = 25, .records = 20500 };
struct job jobs[MAX_JOBS];
char folder[PATH_MAX];
static pid_t driver;

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

_Noreturn __attribute__((format(printf, 2, 3))) void die(int error, const char *format, ...)
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
