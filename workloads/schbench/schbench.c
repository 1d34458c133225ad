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

#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	TILE = 8,			/* a tile is TILE x TILE numbers: 512 bytes */
	TILE_WORDS = TILE * TILE,
	TIMER_SLACK_NS = 1000,		/* the kernel's default, 50 us, would be measured too */
	START_DELAY_NS = 1000 * 1000,	/* from "all are ready" to the open loop's time 0 */
	MAX_THREADS = 4096,
	MAX_REQUESTS = 100 * 1000 * 1000,
};

struct options {
	uint32_t message_threads;
	uint32_t threads;
	uint32_t sleep_us;
	uint32_t operations;
	uint32_t footprint_kib;
	uint32_t requests;
	uint32_t warmup;
	uint32_t jitter_percent;
	uint32_t window;
	double rate;
	uint64_t seed;
	bool json;
	bool verbose;
};

/* One request, as planned. */
struct request {
	uint64_t arrival_ns;	/* open loop: after time 0 */
	uint32_t operations;
	uint32_t sleep_ns;
	bool measured;
};

/* What one request gave. */
struct sample {
	uint64_t start_ns;	/* when it arrived by the plan (open loop) or was asked for (closed loop) */
	uint64_t end_ns;
	uint64_t wakeup_ns;
	bool measured;
};

struct group;

struct worker {
	pthread_t thread;
	struct group *group;
	struct worker *next;	/* in the group's list of idle workers */
	_Atomic uint32_t posted;	/* futex: 1 while a request is waiting to be picked up */
	const struct request *request;
	uint64_t asked_ns;
	uint64_t posted_ns;
	const struct request *plan;	/* closed loop: this worker's own requests */
	_Atomic size_t given;	/* closed loop: how many of them it was given */
	bool held;	/* closed loop: asks, and must wait for slower workers */
	struct sample *samples;
	size_t served;
	size_t capacity;
	uint64_t *tiles;
	uint32_t tiles_per_side;
	uint64_t next_tile;
	uint64_t operations;
	uint64_t slept_ns;
};

/* A message thread with its workers. */
struct group {
	pthread_t thread;
	pthread_mutex_t lock;
	_Atomic uint32_t rung;	/* futex: 1 when there may be something to give since the message thread looked */
	struct worker *idle;	/* first in, first out */
	struct worker **idle_end;
	size_t arrived;		/* open loop: plan[taken..arrived) wait for a worker */
	size_t taken;
	const struct request *plan;	/* open loop: the group's requests in order of arrival */
	size_t requests;
	struct worker *workers;
	bool closed;		/* open loop: all requests are taken */
};

static struct options options = {
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
static struct group *groups;
static struct worker *workers;
static uint32_t groups_n;
static uint32_t workers_n;
static _Atomic uint32_t held;	/* closed loop: workers that ask, and must wait for slower ones */
static pthread_barrier_t ready;
static pthread_barrier_t started;
static uint64_t time_zero_ns;

/* ---- small helpers ---- */

_Noreturn __attribute__((format(printf, 2, 3))) static void die(int error, const char *format, ...)
{
	va_list arguments;

	fputs("schbench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		die(ENOMEM, "%zu x %zu bytes", count, size);
	return memory;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		die(errno, "clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
}

static void sleep_until_ns(uint64_t when_ns)
{
	struct timespec when = to_timespec(when_ns);
	int error;

	while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL)) == EINTR)
		;
	if (error)
		die(error, "clock_nanosleep");
}

static void sleep_for_ns(uint64_t ns)
{
	struct timespec left = to_timespec(ns);
	int error;

	while ((error = clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left)) == EINTR)
		;
	if (error)
		die(error, "clock_nanosleep");
}

static void futex_wait_for(_Atomic uint32_t *word)
{
	while (!atomic_exchange_explicit(word, 0, memory_order_acquire)) {
		if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) && errno != EAGAIN && errno != EINTR)
			die(errno, "futex wait");
	}
}

static void futex_post(_Atomic uint32_t *word)
{
	/* A word that was 1 has been posted already: whoever waits for it is awake or about to look. */
	if (atomic_exchange_explicit(word, 1, memory_order_release))
		return;
	if (syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) < 0)
		die(errno, "futex wake");
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
static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)random_u64(state) * limit) >> 64);
}

/* ---- the plan ---- */

/* Fills values with n numbers around mean, at most jitter percent away, with the sum n * mean for every seed. */
static void spread(uint64_t *random, uint32_t *values, size_t n, uint32_t mean)
{
	uint64_t width = (uint64_t)mean * options.jitter_percent / 100;

	for (size_t i = 0; i + 1 < n; i += 2) {
		uint32_t distance = (uint32_t)random_below(random, width + 1);

		values[i] = mean + distance;
		values[i + 1] = mean - distance;
	}
	if (n % 2)
		values[n - 1] = mean;
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below(random, i);
		uint32_t value = values[i - 1];

		values[i - 1] = values[j];
		values[j] = value;
	}
}

static int compare_u64(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Plans n requests, all of them to be measured or none, that arrive from from_ns on. */
static void plan_phase(uint64_t *random, struct request *plan, size_t n, bool measured, uint64_t from_ns,
		       uint64_t length_ns)
{
	uint32_t *operations = allocate(n, sizeof(*operations));
	uint32_t *sleeps_ns = allocate(n, sizeof(*sleeps_ns));
	uint64_t *arrivals_ns = allocate(n, sizeof(*arrivals_ns));

	spread(random, operations, n, options.operations);
	spread(random, sleeps_ns, n, options.sleep_us * 1000);
	for (size_t i = 0; i < n; i++)
		arrivals_ns[i] = from_ns + random_below(random, length_ns + 1);
	qsort(arrivals_ns, n, sizeof(*arrivals_ns), compare_u64);
	for (size_t i = 0; i < n; i++)
		plan[i] = (struct request){
			.arrival_ns = arrivals_ns[i],
			.operations = operations[i],
			.sleep_ns = sleeps_ns[i],
			.measured = measured,
		};
	free(operations);
	free(sleeps_ns);
	free(arrivals_ns);
}

/*
 * Returns the requests of all: first the warm-up, then those to be measured. In the closed loop request i is
 * for worker i % workers, in the open loop for message thread i % message_threads.
 */
static struct request *make_plan(size_t warmup, size_t measured)
{
	uint64_t random = options.seed;
	struct request *plan = allocate(warmup + measured, sizeof(*plan));
	uint64_t warmup_ns = 0, measured_ns = 0;

	if (options.rate > 0) {
		warmup_ns = (uint64_t)((double)warmup / options.rate * 1e9);
		measured_ns = (uint64_t)((double)measured / options.rate * 1e9);
	}
	plan_phase(&random, plan, warmup, false, 0, warmup_ns);
	plan_phase(&random, plan + warmup, measured, true, warmup_ns, measured_ns);
	return plan;
}

/* Copies every stride-th request, beginning with the first-th. */
static struct request *part_of(const struct request *plan, size_t n, size_t first, size_t stride, size_t *part_n)
{
	struct request *part = allocate(n / stride + 1, sizeof(*part));
	size_t count = 0;

	for (size_t i = first; i < n; i += stride)
		part[count++] = plan[i];
	*part_n = count;
	return part;
}

/* ---- the work ---- */

/* One operation: c += a x b for one tile of each of the three matrices. The same instructions wherever it is. */
__attribute__((noinline)) static void multiply_tile(uint64_t *restrict c, const uint64_t *a, const uint64_t *b)
{
	for (int row = 0; row < TILE; row++) {
		for (int column = 0; column < TILE; column++) {
			uint64_t sum = c[row * TILE + column];

			for (int k = 0; k < TILE; k++)
				sum += a[row * TILE + k] * b[k * TILE + column];
			c[row * TILE + column] = sum;
		}
	}
}

/* Goes on with C += A x B, tile by tile, where the last request stopped. */
static void operate(struct worker *worker, uint32_t operations)
{
	uint64_t side = worker->tiles_per_side;
	uint64_t *a = worker->tiles, *b = a + side * side * TILE_WORDS, *c = b + side * side * TILE_WORDS;

	for (uint32_t i = 0; i < operations; i++) {
		uint64_t at = worker->next_tile++;
		uint64_t k = at % side, column = at / side % side, row = at / side / side % side;

		multiply_tile(c + (row * side + column) * TILE_WORDS, a + (row * side + k) * TILE_WORDS,
			      b + (k * side + column) * TILE_WORDS);
	}
	worker->operations += operations;
}

static void prepare_tiles(struct worker *worker, uint64_t seed)
{
	uint64_t tiles = (uint64_t)options.footprint_kib * 1024 / (TILE_WORDS * sizeof(uint64_t));
	uint64_t side = 1, random = seed, words;

	while (3 * (side + 1) * (side + 1) <= tiles)
		side++;
	words = 3 * side * side * TILE_WORDS;
	worker->tiles_per_side = (uint32_t)side;
	worker->tiles = allocate(words, sizeof(uint64_t));
	for (uint64_t i = 0; i < words; i++)
		worker->tiles[i] = random_u64(&random);
}

/* ---- message threads and workers ---- */

static void push_idle(struct group *group, struct worker *worker)
{
	worker->next = NULL;
	*group->idle_end = worker;
	group->idle_end = &worker->next;
}

static struct worker *pop_idle(struct group *group)
{
	struct worker *worker = group->idle;

	if (worker) {
		group->idle = worker->next;
		if (!group->idle)
			group->idle_end = &group->idle;
	}
	return worker;
}

static void lock(struct group *group)
{
	int error = pthread_mutex_lock(&group->lock);

	if (error)
		die(error, "pthread_mutex_lock");
}

static void unlock(struct group *group)
{
	int error = pthread_mutex_unlock(&group->lock);

	if (error)
		die(error, "pthread_mutex_unlock");
}

/* Gives a request (NULL: there are no more) to a worker that is waiting, and wakes it. */
static void post(struct worker *worker, const struct request *request)
{
	worker->request = request;
	worker->posted_ns = now_ns();
	futex_post(&worker->posted);
}

/* Closed loop: whether a worker may have its next request. *slowest is what the slowest worker was given, or less. */
static bool in_window(struct worker *worker, size_t *slowest)
{
	if (!options.window || worker->given < *slowest + options.window)
		return true;
	*slowest = SIZE_MAX;
	for (uint32_t i = 0; i < workers_n; i++) {
		size_t given = workers[i].given;

		if (given < *slowest)
			*slowest = given;
	}
	return worker->given < *slowest + options.window;
}

/* Closed loop: gives each of these workers its next request, but for those that are too far ahead. */
static size_t give(struct worker **asking, uint32_t *held_here, size_t *slowest)
{
	size_t given = 0;

	for (struct worker *worker; (worker = *asking);) {
		if (!in_window(worker, slowest) && !worker->held) {
			worker->held = true;
			held++;		/* before the second look: who gives a request after it will ring */
			++*held_here;
		}
		if (!in_window(worker, slowest)) {
			asking = &worker->next;
			continue;
		}
		if (worker->held) {
			worker->held = false;
			held--;
			--*held_here;
		}
		*asking = worker->next;	/* before the post: then the worker may ask again */
		post(worker, &worker->plan[worker->given++]);
		given++;
	}
	return given;
}

/* Closed loop: answers each worker that asks, until all requests are given out. */
static void give_when_asked(struct group *group)
{
	struct worker *asking = NULL, **end = &asking;
	size_t left = group->requests, slowest = 0;
	uint32_t held_here = 0;

	while (left) {
		size_t given;

		futex_wait_for(&group->rung);
		lock(group);
		for (struct worker *worker; (worker = pop_idle(group)); end = &worker->next)
			*end = worker;
		unlock(group);
		*end = NULL;
		do {	/* again, if some are held: what was given may have let them go */
			given = give(&asking, &held_here, &slowest);
			left -= given;
		} while (given && asking);
		for (end = &asking; *end;)
			end = &(*end)->next;
		if (held > held_here)
			for (uint32_t i = 0; i < groups_n; i++)
				if (&groups[i] != group)
					futex_post(&groups[i].rung);
	}
}

/* Open loop: gives out requests when they arrive, to the worker that is idle the longest. */
static void give_on_arrival(struct group *group)
{
	while (group->arrived < group->requests) {
		const struct request *request = &group->plan[group->arrived];
		struct worker *worker;

		sleep_until_ns(time_zero_ns + request->arrival_ns);
		lock(group);
		group->arrived++;
		worker = pop_idle(group);
		if (worker)	/* then no earlier request waits */
			group->taken++;
		unlock(group);
		if (worker)
			post(worker, request);
	}
	lock(group);
	group->closed = true;
	for (struct worker *worker; (worker = pop_idle(group));)
		post(worker, NULL);
	unlock(group);
}

static void *message_thread(void *argument)
{
	struct group *group = argument;

	prctl(PR_SET_NAME, "schbench-msg");
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&started);
	if (options.rate > 0)
		give_on_arrival(group);
	else
		give_when_asked(group);
	return NULL;
}

/* Waits for a request. Returns NULL when there are no more. */
static const struct request *next_request(struct worker *worker)
{
	struct group *group = worker->group;
	const struct request *request = NULL;
	bool closed = false;

	if (options.rate > 0) {
		lock(group);
		if (group->taken < group->arrived)
			request = &group->plan[group->taken++];
		else if (group->closed)
			closed = true;
		else
			push_idle(group, worker);
		unlock(group);
		if (request || closed)
			return request;
	} else {
		if (worker->served == worker->capacity)
			return NULL;
		worker->asked_ns = now_ns();
		lock(group);
		push_idle(group, worker);
		unlock(group);
		futex_post(&group->rung);
	}
	futex_wait_for(&worker->posted);
	return worker->request;
}

static void *worker_thread(void *argument)
{
	struct worker *worker = argument;
	const struct request *request;

	prctl(PR_SET_NAME, "schbench-worker");
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&started);
	while ((request = next_request(worker))) {
		struct sample *sample = &worker->samples[worker->served++];

		sample->measured = request->measured;
		if (options.rate > 0) {
			sample->start_ns = time_zero_ns + request->arrival_ns;
			sample->wakeup_ns = now_ns() - sample->start_ns;
		} else {
			sample->start_ns = worker->asked_ns;
			sample->wakeup_ns = now_ns() - worker->posted_ns;
		}
		if (request->sleep_ns)
			sleep_for_ns(request->sleep_ns);
		operate(worker, request->operations);
		sample->end_ns = now_ns();
		worker->slept_ns += request->sleep_ns;
	}
	return NULL;
}

/* ---- the result ---- */

struct figure {
	const char *name;
	double value;
};

static double percentile(const uint64_t *sorted, size_t n, double fraction)
{
	double position = fraction * (double)(n - 1);
	size_t below = (size_t)position;
	double part = position - (double)below;

	if (below + 1 >= n)
		return (double)sorted[n - 1];
	return (double)sorted[below] + part * ((double)sorted[below + 1] - (double)sorted[below]);
}

static void report(const struct figure *figures, size_t n)
{
	if (options.json) {
		for (size_t i = 0; i < n; i++)
			printf("%s\"%s\": %.3f", i ? ", " : "{", figures[i].name, figures[i].value);
		puts("}");
	} else {
		for (size_t i = 0; i < n; i++)
			printf("%-16s %14.3f\n", figures[i].name, figures[i].value);
	}
	if (fflush(stdout) || ferror(stdout))
		die(errno, "standard output");
}

static void summarise(size_t measured)
{
	uint64_t *wakeups_ns = allocate(measured, sizeof(*wakeups_ns));
	uint64_t *requests_ns = allocate(measured, sizeof(*requests_ns));
	uint64_t first_ns = UINT64_MAX, last_ns = 0, operations = 0, slept_ns = 0;
	size_t requests = 0, served = 0;

	for (uint32_t i = 0; i < workers_n; i++) {
		served += workers[i].served;
		operations += workers[i].operations;
		slept_ns += workers[i].slept_ns;
		for (size_t j = 0; j < workers[i].served; j++) {
			const struct sample *sample = &workers[i].samples[j];

			if (!sample->measured)
				continue;
			wakeups_ns[requests] = sample->wakeup_ns;
			requests_ns[requests++] = sample->end_ns - sample->start_ns;
			if (sample->start_ns < first_ns)
				first_ns = sample->start_ns;
			if (sample->end_ns > last_ns)
				last_ns = sample->end_ns;
		}
	}
	if (requests != measured)
		die(0, "%zu of %zu requests were measured", requests, measured);
	if (options.verbose)
		fprintf(stderr, "schbench: %zu requests (%zu measured), %" PRIu64 " operations, %" PRIu64
			" us of sleep, %.3f s\n", served, requests, operations, slept_ns / 1000,
			(double)(last_ns - first_ns) / 1e9);
	qsort(wakeups_ns, requests, sizeof(*wakeups_ns), compare_u64);
	qsort(requests_ns, requests, sizeof(*requests_ns), compare_u64);

	const struct figure figures[] = {
		{ "p50_wakeup_us", percentile(wakeups_ns, requests, 0.5) / 1e3 },
		{ "p90_wakeup_us", percentile(wakeups_ns, requests, 0.9) / 1e3 },
		{ "p99_wakeup_us", percentile(wakeups_ns, requests, 0.99) / 1e3 },
		{ "p999_wakeup_us", percentile(wakeups_ns, requests, 0.999) / 1e3 },
		{ "p50_request_us", percentile(requests_ns, requests, 0.5) / 1e3 },
		{ "p90_request_us", percentile(requests_ns, requests, 0.9) / 1e3 },
		{ "p99_request_us", percentile(requests_ns, requests, 0.99) / 1e3 },
		{ "p999_request_us", percentile(requests_ns, requests, 0.999) / 1e3 },
		{ "requests_per_s", (double)requests * 1e9 / (double)(last_ns > first_ns ? last_ns - first_ns : 1) },
	};
	report(figures, sizeof(figures) / sizeof(figures[0]));
	free(wakeups_ns);
	free(requests_ns);
}

/* ---- options ---- */

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

/* ---- set-up ---- */

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
