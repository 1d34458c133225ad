/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the driver share: see longtail.c for what it does. */
#ifndef LONGTAIL_H
#define LONGTAIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../shared/common.h"

enum {
	MAX_JOBS = 96,		/* as many as there are words */
	NAME_SIZE = 16,		/* a comm, its end included */
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

/* longtail.c */
extern struct options options;
extern struct job jobs[MAX_JOBS];
extern char folder[PATH_MAX];
_Noreturn __attribute__((format(printf, 2, 3))) void die(int error, const char *format, ...);

/* plan.c */
void plan_batch(void);
void print_plan(void);

/* batch.c */
uint64_t run_batch(uint64_t *end_ns);

/* report.c */
void summarise(uint64_t release_ns, uint64_t end_ns);

#endif
