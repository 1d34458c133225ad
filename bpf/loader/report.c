// SPDX-License-Identifier: GPL-2.0-only
/* What scx_run gathers from the kernel's files, and the report as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acct.h>
#include <unistd.h>

#include "report.h"

#define LOG_LINES	50
#define LOG_LINE	256
#define MAX_ACCOUNTS	1024

/* Reads a small file as a string, without the newline at its end. Returns its length or -errno. */
int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got, length = 0;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	while ((size_t)length < size - 1 && (got = read(fd, buf + length, size - 1 - length)) > 0)
		length += got;
	close(fd);
	if (length > 0 && buf[length - 1] == '\n')
		length--;
	buf[length] = '\0';
	return length;
}

/* The scheduler's event counters, by name. Returns how many there are. */
int read_events(const char *ops, struct event *events)
{
	char path[256], text[8192], *line, *rest = text;
	int count = 0;

	if (read_file("/sys/kernel/sched_ext/root/events", text, sizeof(text)) < 0) {
		snprintf(path, sizeof(path), "/sys/kernel/sched_ext/%s/events", ops);
		if (read_file(path, text, sizeof(text)) < 0)
			return 0;
	}
	while (count < MAX_EVENTS && (line = strsep(&rest, "\n")))
		if (sscanf(line, "%63s %lld", events[count].name, &events[count].count) == 2)
			count++;
	return count;
}

/* comp_t: 13 bits of value, 3 bits of exponent to base 8. */
static uint64_t comp_value(comp_t comp)
{
	return (uint64_t)(comp & 0x1fff) << 3 * (comp >> 13);
}

static int by_use(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->cpu_s != y->cpu_s)
		return x->cpu_s < y->cpu_s ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* CPU seconds by process name, those with the most, from a file of process accounting records. */
void read_acct(const char *path, struct report *r)
{
	static struct share shares[MAX_ACCOUNTS];
	struct acct_v3 record;
	int i, count = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (fread(&record, sizeof(record), 1, file) == 1) {
		uint64_t ticks = comp_value(record.ac_utime) + comp_value(record.ac_stime);
		char name[17] = "";

		if ((record.ac_version & 0x0f) != 3)
			continue;
		memcpy(name, record.ac_comm, 16);
		for (i = 0; i < count && strcmp(shares[i].name, name); i++)
			;
		if (i == MAX_ACCOUNTS)
			continue;
		if (i == count)
			strcpy(shares[count++].name, name);
		shares[i].cpu_s += ticks / (double)AHZ;
	}
	fclose(file);
	qsort(shares, count, sizeof(shares[0]), by_use);
	r->nr_shares = count < MAX_NAMES ? count : MAX_NAMES;
	memcpy(r->shares, shares, r->nr_shares * sizeof(shares[0]));
}

/* From here on: what the kernel logged earlier is none of ours. */
int open_kernel_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The last lines that the kernel logged since the log was opened. */
void read_kernel_log(int fd, char *buf, size_t size)
{
	static char lines[LOG_LINES][LOG_LINE];
	char record[8192], *text;
	size_t used = 0;
	long seen = 0, i;
	ssize_t got;

	while (fd >= 0) {
		got = read(fd, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;	/* older records were overwritten */
		if (got <= 0)
			break;
		record[got] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(lines[seen++ % LOG_LINES], LOG_LINE, "%s", text + 1);
	}
	for (i = seen > LOG_LINES ? seen - LOG_LINES : 0; i < seen && used < size - LOG_LINE - 1; i++)
		used += snprintf(buf + used, size - used, "%s\n", lines[i % LOG_LINES]);
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static int utf8_length(const unsigned char *s)
{
	uint32_t code;
	int length, i;

	if (s[0] < 0x80)
		return 1;
	length = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7f >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	return code >= 0xd800 && code < 0xe000 ? 0 : length;
}

void put_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	int length;

	fputc('"', out);
	while (*s) {
		length = utf8_length(s);
		if (length == 0)
			fputc('?', out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", out);
		else if (*s == '\t')
			fputs("\\t", out);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, length, 1, out);
		s += length ?: 1;
	}
	fputc('"', out);
}

static void put_field(FILE *out, const char *key, const char *value)
{
	fprintf(out, "\"%s\":", key);
	put_string(out, value);
	fputc(',', out);
}

/* Returns whether the whole report reached the file. */
bool write_report(const char *path, const struct report *r)
{
	FILE *out = fopen(path, "we");
	bool good;
	int i;

	if (!out)
		return false;
	fputc('{', out);
	put_field(out, "outcome", r->outcome);
	put_field(out, "stage", r->stage);
	put_field(out, "message", r->message);
	put_field(out, "ops", r->ops);
	fprintf(out, "\"timeout_ms\":%u,\"takes_all\":%s,", r->timeout_ms, r->takes_all ? "true" : "false");
	fprintf(out, "\"memory_kib\":%lld,\"entries\":%lld,", r->memory_kib, r->entries);
	fprintf(out, "\"exit\":{\"kind\":%d,\"code\":%lld,", r->exit_kind, r->exit_code);
	put_field(out, "reason", r->exit_reason);
	fputs("\"msg\":", out);
	put_string(out, r->exit_msg);
	fprintf(out, "},\"command\":{\"exit_code\":%d,\"signal\":%d},", r->command_exit, r->command_signal);
	fprintf(out, "\"cpu_s\":%.6f,\"wall_s\":%.9f,\"cpus\":%ld,\"events\":{", r->cpu_s, r->wall_s, r->cpus);
	for (i = 0; i < r->nr_events; i++) {
		fputs(i ? "," : "", out);
		put_string(out, r->events[i].name);
		fprintf(out, ":%lld", r->events[i].count);
	}
	fputs("},\"cpu_s_by_name\":{", out);
	for (i = 0; i < r->nr_shares; i++) {
		fputs(i ? "," : "", out);
		put_string(out, r->shares[i].name);
		fprintf(out, ":%.2f", r->shares[i].cpu_s);
	}
	fputs("},\"kernel_log\":", out);
	put_string(out, r->kernel_log);
	fputs("}\n", out);
	good = !ferror(out);
	return fclose(out) == 0 && good;
}
