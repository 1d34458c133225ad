// SPDX-License-Identifier: Apache-2.0
/* The plan: which requests there are, a pure function of the options. */
#include <stdlib.h>

#include "schbench.h"

/* Fills values with n numbers around mean, at most jitter percent away, with the sum n * mean for every seed. */
static void spread(uint64_t *random, uint32_t *values, size_t n, uint32_t mean)
{
	uint64_t width = (uint64_t)mean * options.jitter_percent / 100;

	for (size_t i = 0; i + 1 < n; i += 2) {
		uint32_t distance = (uint32_t)random_below_u64(random, width + 1);

		values[i] = mean + distance;
		values[i + 1] = mean - distance;
	}
	if (n % 2)
		values[n - 1] = mean;
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below_u64(random, i);
		uint32_t value = values[i - 1];

		values[i - 1] = values[j];
		values[j] = value;
	}
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
		arrivals_ns[i] = from_ns + random_below_u64(random, length_ns + 1);
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
struct request *make_plan(size_t warmup, size_t measured)
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
struct request *part_of(const struct request *plan, size_t n, size_t first, size_t stride, size_t *part_n)
{
	struct request *part = allocate(n / stride + 1, sizeof(*part));
	size_t count = 0;

	for (size_t i = first; i < n; i += stride)
		part[count++] = plan[i];
	*part_n = count;
	return part;
}
