// SPDX-License-Identifier: Apache-2.0
/* Errors, memory and sleep. */
#include <stdarg.h>

#include "schbench.h"

_Noreturn __attribute__((format(printf, 2, 3))) void die(int error, const char *format, ...)
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

void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		die(ENOMEM, "%zu x %zu bytes", count, size);
	return memory;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / COMMON_NS_PER_S), .tv_nsec = (long)(ns % COMMON_NS_PER_S) };
}

void sleep_until_ns(uint64_t when_ns)
{
	struct timespec when = to_timespec(when_ns);
	int error;

	while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL)) == EINTR)
		;
	if (error)
		die(error, "clock_nanosleep");
}

void sleep_for_ns(uint64_t ns)
{
	struct timespec left = to_timespec(ns);
	int error;

	while ((error = clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left)) == EINTR)
		;
	if (error)
		die(error, "clock_nanosleep");
}

int compare_u64(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}
