// SPDX-License-Identifier: GPL-2.0-only
/*
 * scx_canary: brings a new policy to a workload step by step, and takes it back at the first sign of harm.
 *
 *	baseline	all tasks under the last good scheduler (a policy, or EEVDF): what is usual is measured
 *	canary		the new policy in partial mode, for a share of the workload's tasks that grows; the others
 *			are with EEVDF, which comes first: a reserve makes sure that the canaries get their share
 *	full		the new policy for all tasks of the machine, watched for a while
 *	kept		the same, from then on: the watch never ends
 *	reverted	after a breach: the last good scheduler again, to the workload's end
 *
 * The watcher and the processes that hold the policies are real-time tasks, out of any policy's reach. A
 * policy that the kernel ejects has broken a limit like any other.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "canary.h"

#define DETACH_MS	6000
#define PROBE_MS	10

static struct config config;
static struct canary_report report = { .verdict = "reverted", .fallback = "eevdf", .breach_at_s = -1,
				       .reverted_at_s = -1, .in_time = true };
static struct seat seats[NR_SEATS] = {
	[CANARY] = { .mode = SWITCH_PARTIAL }, [FULL] = { .mode = SWITCH_ALL },
	[LAST_GOOD] = { .mode = SWITCH_ALL }, [LAST_GOOD_AGAIN] = { .mode = SWITCH_ALL },
};
static void clean_up(void)
{
	int i, status = workload_end();

	for (i = 0; i < NR_SEATS; i++)
		seat_detach(&seats[i], DETACH_MS);
	seat_reserve(0, config.seat_period_ms);
	probe_stop();
	report.command_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	report.command_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int usage(void)
{
	fputs("usage: scx_canary --report FILE --config FILE --object x.bpf.o [--tunables FILE] [--fallback y.bpf.o]\n"
	      "                  [--fallback-tunables FILE] [--beats FILE] [--verifier-log FILE]\n"
	      "                  -- COMMAND [ARG...]\n", stderr);
	return 2;
}

static bool parse(int argc, char **argv, const char **report_path, const char **beats)
{
	static const struct option options[] = {
		{ "report", required_argument, NULL, 'r' },
		{ "object", required_argument, NULL, 'o' },
		{ "tunables", required_argument, NULL, 't' },
		{ "fallback", required_argument, NULL, 'f' },
		{ "fallback-tunables", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "beats", required_argument, NULL, 'b' },
		{ "verifier-log", required_argument, NULL, 'v' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		if (option == 'r')
			*report_path = optarg;
		else if (option == 'o')
			seats[CANARY].object = seats[FULL].object = optarg;
		else if (option == 't')
			seats[CANARY].tunables = seats[FULL].tunables = optarg;
		else if (option == 'f')
			seats[LAST_GOOD].object = seats[LAST_GOOD_AGAIN].object = optarg;
		else if (option == 'u')
			seats[LAST_GOOD].tunables = seats[LAST_GOOD_AGAIN].tunables = optarg;
		else if (option == 'b')
			*beats = optarg;
		else if (option == 'v')
			seats[CANARY].log = optarg;
		else if (option != 'c' || !read_config(optarg, &config))
			return false;
	}
	return *report_path && seats[CANARY].object && config.tick_ms && optind < argc;
}

int main(int argc, char **argv)
{
	const char *report_path = NULL, *beats = NULL;
	int kernel_log;

	if (!parse(argc, argv, &report_path, &beats))
		return usage();
	kernel_log = open_kernel_log();
	mlockall(MCL_CURRENT | MCL_FUTURE);
	outrank_policies();
	workload_prepare(beats);
	if (!tasks_init() || !probe_start(PROBE_MS)) {
		fprintf(stderr, "scx_canary: cannot prepare: %m\n");
		return 1;
	}
	roll_out(argv + optind, &config, seats, &report);
	clean_up();
	report.policy = seats[CANARY].report.ops;
	if (seats[LAST_GOOD].object)
		report.fallback = seats[LAST_GOOD].report.ops;
	if (strcmp(report.verdict, "kept"))
		read_kernel_log(kernel_log, report.kernel_log, sizeof(report.kernel_log));
	if (!write_canary_report(report_path, &report)) {
		fprintf(stderr, "scx_canary: cannot write %s: %m\n", report_path);
		return 1;
	}
	return 0;
}
