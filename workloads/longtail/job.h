// SPDX-License-Identifier: Apache-2.0
/* What the driver (longtail) and a job (longtail-job) agree on. */

#ifndef LONGTAIL_JOB_H
#define LONGTAIL_JOB_H

#include <stdint.h>

/* What a job writes to its standard output when it is ready, and again, filled in, when it is done. */
struct job_report {
	uint64_t end_ns;	/* CLOCK_MONOTONIC at the end of the work; 0: ready to begin */
	uint64_t checksum;
	uint32_t job;
	uint32_t records;
};

#endif
