// SPDX-License-Identifier: Apache-2.0
/* The result. */
#include <inttypes.h>

#include "longtail.h"

struct figure {
	const char *name;
	double value;
};

static void report_figures(const struct figure *figures, size_t n)
{
	if (options.json) {
		for (size_t i = 0; i < n; i++)
			printf("%s\"%s\": %.9f", i ? ", " : "{", figures[i].name, figures[i].value);
		puts("}");
	} else {
		for (size_t i = 0; i < n; i++)
			printf("%-18s %16.9f\n", figures[i].name, figures[i].value);
	}
}

void summarise(uint64_t release_ns, uint64_t end_ns)
{
	double makespan_s = (double)(end_ns - release_ns) / (double)COMMON_NS_PER_S, completion_s = 0, work_s = 0, longest_s = 0;
	uint64_t checksum = 0, records = 0;

	for (uint32_t i = 0; i < options.jobs; i++) {
		const struct job *job = &jobs[i];
		double cpu_s = (double)job->cpu_ns / (double)COMMON_NS_PER_S, end_s = (double)(job->end_ns - release_ns) / (double)COMMON_NS_PER_S;

		work_s += cpu_s;
		if (cpu_s > longest_s)
			longest_s = cpu_s;
		completion_s += end_s;
		checksum ^= job->checksum;
		records += job->records;
		if (options.verbose)
			fprintf(stderr, "longtail: %-15s %9" PRIu32 " records, %9.6f s of CPU time (and %.6f before), done at %9.6f s\n",
				job->name, job->records, cpu_s, (double)job->cpu_before_ns / (double)COMMON_NS_PER_S, end_s);
	}
	if (options.verbose)
		fprintf(stderr, "longtail: %" PRIu64 " records in all, %.6f s of CPU time, checksum %016" PRIx64 "\n", records,
			work_s, checksum);

	const double share_s = work_s / options.cpus;
	const struct figure figures[] = {
		{ "makespan_s", makespan_s },
		{ "bound_s", longest_s > share_s ? longest_s : share_s },
		{ "mean_completion_s", completion_s / options.jobs },
		{ "jobs_per_s", options.jobs / makespan_s },
	};
	report_figures(figures, sizeof(figures) / sizeof(figures[0]));
}
