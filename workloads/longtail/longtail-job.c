// SPDX-License-Identifier: Apache-2.0
/*
 * One job of the batch: makes RECORDS log records of 64 bytes, checks each with CRC-32 and counts them by key.
 *
 *     <name> --job N --records RECORDS --seed SEED
 *
 * The job says on standard output that it is ready, waits for the end of its standard input (the driver
 * holds the other end, so that all jobs begin at the same moment), does the work, and reports. The number
 * of instructions depends on RECORDS alone: nothing branches on the data.
 */

#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../shared/common.h"
#include "job.h"

enum {
	RECORD_WORDS = 8,
	RING_RECORDS = 1024,	/* the last 64 KiB of records are kept */
	KEYS = 4096,
};

static uint64_t ring[RING_RECORDS][RECORD_WORDS];
static uint64_t counts[KEYS];
static uint32_t crc_table[256];

_Noreturn __attribute__((format(printf, 2, 3))) static void die(int error, const char *format, ...)
{
	va_list arguments;

	fputs("longtail-job: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (UINT32_C(0xedb88320) & -(crc & 1));
		crc_table[i] = crc;
	}
}

static uint32_t crc32_of(const unsigned char *bytes, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ bytes[i]) & 0xff];
	return ~crc;
}

static uint64_t work(uint32_t records, uint64_t seed)
{
	uint64_t random = seed, checksum = 0;

	for (uint32_t i = 0; i < records; i++) {
		uint64_t *record = ring[i % RING_RECORDS];

		for (int j = 0; j < RECORD_WORDS; j++)
			record[j] = random_u64(&random);
		record[0] = i;
		uint32_t crc = crc32_of((const unsigned char *)record, sizeof(ring[0]));

		counts[record[1] % KEYS] += crc;
		checksum = (checksum << 1 | checksum >> 63) ^ crc;
	}
	for (size_t i = 0; i < KEYS; i++)
		checksum ^= counts[i] * (2 * i + 1);
	return checksum;
}

static void say(const struct job_report *report)
{
	ssize_t written;

	do {	/* less than PIPE_BUF: all or nothing */
		written = write(STDOUT_FILENO, report, sizeof(*report));
	} while (written < 0 && errno == EINTR);
	if (written != (ssize_t)sizeof(*report))
		die(errno, "standard output");
}

static void wait_for_start(void)
{
	char byte;
	ssize_t got;

	do {
		got = read(STDIN_FILENO, &byte, sizeof(byte));
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		die(errno, "standard input");
}

static uint64_t number(const char *option, const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || value > most)
		die(0, "--%s: \"%s\" is not a whole number up to %llu", option, text, (unsigned long long)most);
	return value;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "job", required_argument, NULL, 'j' },
		{ "records", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct job_report report = { 0 };
	uint64_t seed = 0;
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
		const char *name = known[index].name;

		switch (option) {
		case 'j':
			report.job = (uint32_t)number(name, optarg, UINT32_MAX);
			break;
		case 'r':
			report.records = (uint32_t)number(name, optarg, UINT32_MAX);
			break;
		case 's':
			seed = number(name, optarg, UINT64_MAX);
			break;
		default:
			return 2;
		}
	}
	if (optind < argc || !report.records)
		die(0, "usage: <name> --job N --records N --seed N");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))	/* no job outlives the driver */
		die(errno, "prctl");
	make_crc_table();
	memset(ring, 1, sizeof(ring));	/* page faults belong to the set-up */
	memset(counts, 0, sizeof(counts));
	say(&report);
	wait_for_start();
	report.checksum = work(report.records, seed);
	report.end_ns = clock_ns(CLOCK_MONOTONIC);
	say(&report);
	return EXIT_SUCCESS;
}
