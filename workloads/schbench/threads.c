// SPDX-License-Identifier: Apache-2.0
/* Message threads, workers, and the work. */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schbench.h"

static _Atomic uint32_t held;	/* closed loop: workers that ask, and must wait for slower ones */

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

void prepare_tiles(struct worker *worker, uint64_t seed)
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

void *message_thread(void *argument)
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
		if (request)
			worker->posted_ns = now_ns();
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

void *worker_thread(void *argument)
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
		sample->given_ns = worker->posted_ns;
		if (request->sleep_ns)
			sleep_for_ns(request->sleep_ns);
		operate(worker, request->operations);
		sample->end_ns = now_ns();
		worker->slept_ns += request->sleep_ns;
	}
	return NULL;
}
