// SPDX-License-Identifier: Apache-2.0
/*
 * schbench: a request/response load for a scheduler, after the model of Chris Mason's schbench
 * (written anew; no code of it is used).
 *
 * M message threads each have W workers. A message thread wakes a worker with a futex and notes the time
 * of the post. The worker notes when it runs (wake-up latency), then serves a request: it sleeps a little
 * (as if waiting for a disk or another server), multiplies matrix tiles in a buffer of its own, and notes
 * the time (request latency).
 *
 *   closed loop (--rate 0)  a worker that is done asks its message thread for the next request. A request's
 *                           latency counts from the moment of asking, so that delays of the message thread
 *                           are in it. No worker gets more than --window requests ahead of the slowest:
 *                           otherwise a scheduler that starves most workers until the others have finished
 *                           would have excellent percentiles, a starved worker being one bad sample.
 *   open loop (--rate R)    requests arrive by a plan, R per second in all, whatever the state of the
 *                           workers; a request that finds no idle worker waits for the first one to be done.
 *                           A request's latency counts from its planned arrival, so that delays of the
 *                           message thread and of the queue are in it (no coordinated omission).
 *
 * In both, the sleep is part of the request. A wake-up's latency counts to the moment the worker runs and takes
 * the request: from the message thread's post in the closed loop, from the planned arrival in the open loop
 * (where a busy worker may take a request without sleeping in between).
 *
 * The work is a pure function of the options: --requests per worker, with operations and sleeps that the
 * seed spreads around their means in pairs (mean + d, mean - d), so that totals are the same for every
 * seed. In the open loop the arrivals are a Poisson process given its number of events: they are uniformly
 * distributed over requests / rate seconds, and sorted.
 *
 * Percentiles are exact: all samples are kept and sorted, and the percentile q is interpolated linearly at
 * the position q * (n - 1) (as numpy does by default).
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "schbench.h"

struct options options = {
	.message_threads = 2,
	.threads = 4,
	.sleep_us = 100,
	.operations = 72,
	.footprint_kib = 256,
	.requests = 200,
	.warmup = 10,
	.jitter_percent = 10,
	.window = 32,
	.seed = 1,
};
struct group *groups;
struct worker *workers;
uint32_t groups_n;
uint32_t workers_n;
pthread_barrier_t ready;
pthread_barrier_t started;
uint64_t time_zero_ns;

static const char usage[] =
	"usage: schbench [options]\n"
	"  --message-threads N  message threads (2)\n"
	"  --threads N          workers per message thread (4)\n"
	"  --sleep-us N         mean sleep at the start of a request, microseconds (100)\n"
	"  --operations N       mean number of matrix-tile products per request (72)\n"
	"  --footprint-kib N    size of each worker's matrices, KiB (256)\n"
	"  --requests N         requests per worker that are measured (200)\n"
	"  --warmup N           requests per worker before those (10)\n"
	"  --jitter-percent N   largest distance of operations and sleeps from their means, percent (10)\n"
	"  --window N           closed loop: requests a worker may be ahead of the slowest; 0 is no limit (32)\n"
	"  --rate R             open loop: R requests per second in all; 0 is the closed loop (0)\n"
	"  --seed N             order and sizes of the requests; the total work is the same for every seed (1)\n"
	"  --json               print one JSON object instead of a table\n"
	"  --verbose            print the work done to standard error\n"
	"  --help               print this\n";

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

static double real_number(const char *option, const char *text, double most)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno || end == text || *end || !(value >= 0 && value <= most))
		die(0, "--%s: \"%s\" is not a number from 0 to %g", option, text, most);
	return value;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "message-threads", required_argument, NULL, 'm' },
		{ "threads", required_argument, NULL, 't' },
		{ "sleep-us", required_argument, NULL, 's' },
		{ "operations", required_argument, NULL, 'o' },
		{ "footprint-kib", required_argument, NULL, 'f' },
		{ "requests", required_argument, NULL, 'n' },
		{ "warmup", required_argument, NULL, 'w' },
		{ "jitter-percent", required_argument, NULL, 'p' },
		{ "window", required_argument, NULL, 'l' },
		{ "rate", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *name = known[index].name;

		switch (option) {
		case 'm':
			options.message_threads = (uint32_t)number(name, optarg, 1, MAX_THREADS);
			break;
		case 't':
			options.threads = (uint32_t)number(name, optarg, 1, MAX_THREADS);
			break;
		case 's':
			options.sleep_us = (uint32_t)number(name, optarg, 0, 1000 * 1000);
			break;
		case 'o':
			options.operations = (uint32_t)number(name, optarg, 0, 1000 * 1000 * 1000);
			break;
		case 'f':
			options.footprint_kib = (uint32_t)number(name, optarg, 2, 1024 * 1024);
			break;
		case 'n':
			options.requests = (uint32_t)number(name, optarg, 1, MAX_REQUESTS);
			break;
		case 'w':
			options.warmup = (uint32_t)number(name, optarg, 0, MAX_REQUESTS);
			break;
		case 'p':
			options.jitter_percent = (uint32_t)number(name, optarg, 0, 100);
			break;
		case 'l':
			options.window = (uint32_t)number(name, optarg, 0, MAX_REQUESTS);
			break;
		case 'r':
			options.rate = real_number(name, optarg, 1e9);
			break;
		case 'x':
			options.seed = number(name, optarg, 0, UINT64_MAX);
			break;
		case 'j':
			options.json = true;
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
	if ((uint64_t)options.message_threads * options.threads > MAX_THREADS)
		die(0, "%u x %u workers are more than %d", options.message_threads, options.threads, MAX_THREADS);
	if (((uint64_t)options.requests + options.warmup) * options.message_threads * options.threads > MAX_REQUESTS)
		die(0, "more than %d requests in all", MAX_REQUESTS);
	if (options.rate > 0 && options.rate < 1e-3)
		die(0, "--rate: below 0.001 requests per second");
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	int error = pthread_create(thread, NULL, body, argument);

	if (error)
		die(error, "pthread_create");
}

int main(int argc, char **argv)
{
	parse(argc, argv);

	groups_n = options.message_threads;
	workers_n = groups_n * options.threads;

	const size_t warmup = (size_t)options.warmup * workers_n, measured = (size_t)options.requests * workers_n;
	struct request *plan = make_plan(warmup, measured);
	struct request **parts = allocate(groups_n + workers_n, sizeof(*parts));
	size_t part_n;

	groups = allocate(groups_n, sizeof(*groups));
	workers = allocate(workers_n, sizeof(*workers));
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);	/* the threads inherit it */
	pthread_barrier_init(&ready, NULL, groups_n + workers_n + 1);
	pthread_barrier_init(&started, NULL, groups_n + workers_n + 1);
	for (uint32_t i = 0; i < groups_n; i++) {
		struct group *group = &groups[i];

		pthread_mutex_init(&group->lock, NULL);
		group->idle_end = &group->idle;
		group->workers = workers + i * options.threads;
		parts[i] = part_of(plan, warmup + measured, i, groups_n, &group->requests);
		group->plan = parts[i];
		for (uint32_t j = 0; j < options.threads; j++) {
			struct worker *worker = &group->workers[j];
			uint32_t at = i * options.threads + j;

			worker->group = group;
			parts[groups_n + at] = part_of(plan, warmup + measured, at, workers_n, &part_n);
			worker->plan = parts[groups_n + at];
			/* In the open loop one worker might serve all of its group's requests. */
			worker->capacity = options.rate > 0 ? group->requests : part_n;
			worker->samples = allocate(worker->capacity, sizeof(*worker->samples));
			memset(worker->samples, 1, worker->capacity * sizeof(*worker->samples));	/* no page faults later */
			prepare_tiles(worker, options.seed ^ (UINT64_C(0xd1342543de82ef95) * (at + 1)));
		}
	}
	for (uint32_t i = 0; i < groups_n; i++)
		start(&groups[i].thread, message_thread, &groups[i]);
	for (uint32_t i = 0; i < workers_n; i++)
		start(&workers[i].thread, worker_thread, &workers[i]);
	pthread_barrier_wait(&ready);
	time_zero_ns = now_ns() + START_DELAY_NS;
	pthread_barrier_wait(&started);
	for (uint32_t i = 0; i < groups_n; i++)
		pthread_join(groups[i].thread, NULL);
	for (uint32_t i = 0; i < workers_n; i++)
		pthread_join(workers[i].thread, NULL);
	summarise(measured);

	for (uint32_t i = 0; i < groups_n + workers_n; i++)
		free(parts[i]);
	for (uint32_t i = 0; i < workers_n; i++) {
		free(workers[i].samples);
		free(workers[i].tiles);
	}
	free(parts);
	free(workers);
	free(groups);
	free(plan);
	return EXIT_SUCCESS;
}
