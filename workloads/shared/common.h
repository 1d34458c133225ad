/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of several workloads use: random numbers that are the same everywhere, and times. */
#ifndef SCHEDCP_COMMON_H
#define SCHEDCP_COMMON_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMON_NS_PER_S UINT64_C(1000000000)

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t random_u64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Uniform in [0, limit): the high half of a 64 x 64 bit product. */
static inline uint64_t random_below_u64(uint64_t *state, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)random_u64(state) * limit) >> 64);
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)random_below_u64(state, limit);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now)) {
		perror("clock_gettime");
		exit(EXIT_FAILURE);
	}
	return (uint64_t)now.tv_sec * COMMON_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
