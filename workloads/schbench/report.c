// SPDX-License-Identifier: Apache-2.0
/* The result: exact percentiles of all samples. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schbench.h"

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

/*
 * Jain's index of the workers' speeds: requests per second in which a worker had a request, from the moment it was
 * given one to the end. 1: the CPUs serve all workers alike; 1 / workers: all but one stand still. A worker that
 * served none (open loop) has no speed, and is left out.
 */
static double fairness_index(void)
{
	double sum = 0, squares = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < workers_n; i++) {
		uint64_t busy_ns = 0;
		size_t requests = 0;

		for (size_t j = 0; j < workers[i].served; j++) {
			const struct sample *sample = &workers[i].samples[j];

			if (!sample->measured)
				continue;
			busy_ns += sample->end_ns - sample->given_ns;
			requests++;
		}
		if (!requests)
			continue;
		double speed = (double)requests * 1e9 / (double)(busy_ns ? busy_ns : 1);

		sum += speed;
		squares += speed * speed;
		n++;
	}
	return sum * sum / (n * squares);
}

static void report(const struct figure *figures, size_t n)
{
	if (options.json) {
		for (size_t i = 0; i < n; i++)
			printf("%s\"%s\": %.6f", i ? ", " : "{", figures[i].name, figures[i].value);
		puts("}");
	} else {
		for (size_t i = 0; i < n; i++)
			printf("%-16s %17.6f\n", figures[i].name, figures[i].value);
	}
	if (fflush(stdout) || ferror(stdout))
		die(errno, "standard output");
}

void summarise(size_t measured)
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
		{ "fairness_index", fairness_index() },
	};
	report(figures, sizeof(figures) / sizeof(figures[0]));
	free(wakeups_ns);
	free(requests_ns);
}
