/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of schbench share: see schbench.c for what it does. */
#ifndef SCHBENCH_H
#define SCHBENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shared/common.h"

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
	uint64_t given_ns;	/* when the worker was given it, or took it from those that wait */
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

/* schbench.c */
extern struct options options;
extern struct group *groups;
extern struct worker *workers;
extern uint32_t groups_n;
extern uint32_t workers_n;
extern pthread_barrier_t ready;
extern pthread_barrier_t started;
extern uint64_t time_zero_ns;

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* util.c */
_Noreturn __attribute__((format(printf, 2, 3))) void die(int error, const char *format, ...);
void *allocate(size_t count, size_t size);
void sleep_until_ns(uint64_t when_ns);
void sleep_for_ns(uint64_t ns);
int compare_u64(const void *left, const void *right);

/* plan.c */
struct request *make_plan(size_t warmup, size_t measured);
struct request *part_of(const struct request *plan, size_t n, size_t first, size_t stride, size_t *part_n);

/* threads.c */
void prepare_tiles(struct worker *worker, uint64_t seed);
void *message_thread(void *argument);
void *worker_thread(void *argument);

/* report.c */
void summarise(size_t measured);

#endif
