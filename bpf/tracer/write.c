// SPDX-License-Identifier: GPL-2.0-only
/* What was counted, as JSON; times in microseconds from the start of the first process that was traced. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../loader/report.h"
#include "scx_trace.h"

#define MAX_WINDOWS	256	/* that are written: neighbours are added up until so many are left */

static const struct trace *trace;

static unsigned long long us(unsigned long long ns)
{
	return ns / 1000;
}

static void put_number(FILE *out, const char *name, unsigned long long value)
{
	fprintf(out, "\"%s\":%llu,", name, value);
}

/* A list without the zeros at its end. */
static void put_counts(FILE *out, const char *name, const unsigned int *counts, int length)
{
	int i;

	while (length && !counts[length - 1])
		length--;
	fprintf(out, "\"%s\":[", name);
	for (i = 0; i < length; i++)
		fprintf(out, "%s%u", i ? "," : "", counts[i]);
	fputs("],", out);
}

static void put_lengths(FILE *out, const char *name, const unsigned long long *spent_ns)
{
	int i, length = TRACE_LENGTHS;

	while (length && !spent_ns[length - 1])
		length--;
	fprintf(out, "\"%s\":[", name);
	for (i = 0; i < length; i++)
		fprintf(out, "%s%llu", i ? "," : "", us(spent_ns[i]));
	fputs("],\n", out);
}

static void put_cpus(FILE *out, int cpus)
{
	int i;

	fputs("\"cpus\":[", out);
	for (i = 0; i < cpus && i < TRACE_CPUS; i++)
		fprintf(out, "%s{\"traced_us\":%llu,\"other_us\":%llu}", i ? "," : "", us(trace->cpus[i].traced_ns),
			us(trace->cpus[i].other_ns));
	fputs("],\n", out);
}

static void put_args(FILE *out, const struct trace_task *t)
{
	char text[TRACE_ARGS + 1] = "";
	unsigned int at, length = t->args_length < TRACE_ARGS ? t->args_length : TRACE_ARGS - 1;

	memcpy(text, t->args, length);
	fputs("\"args\":[", out);
	for (at = 0; at < length; at += strlen(text + at) + 1) {
		fputs(at ? "," : "", out);
		put_string(out, text + at);
	}
	fputs("],", out);
}

static void put_text(FILE *out, const char *name, const char *text, int size)
{
	char copy[TRACE_FILE + 1];

	snprintf(copy, sizeof(copy), "%.*s", size, text);
	fprintf(out, "\"%s\":", name);
	put_string(out, copy);
	fputc(',', out);
}

static void put_task(FILE *out, const struct trace_task *t)
{
	unsigned long long end = t->ended_ns ?: trace->last_ns;
	int i;

	put_text(out, "name", t->name, TRACE_NAME);
	put_text(out, "file", t->file, TRACE_FILE);
	put_args(out, t);
	put_number(out, "pid", t->pid);
	put_number(out, "process", t->tgid);
	put_number(out, "parent", t->parent);
	put_number(out, "began_us", us(t->began_ns - trace->began_ns));
	put_number(out, "ended_us", us(end - trace->began_ns));
	put_number(out, "run_us", us(t->run_ns));
	put_number(out, "sleep_us", us(t->sleep_ns));
	put_number(out, "wake_wait_us", us(t->wake_wait_ns));
	put_number(out, "preempted_wait_us", us(t->preempted_wait_ns));
	put_number(out, "longest_wait_us", us(t->longest_wait_ns));
	put_number(out, "longest_burst_us", us(t->longest_burst_ns));
	put_number(out, "sleeps", t->sleeps);
	put_number(out, "preemptions", t->preemptions);
	put_number(out, "wakes", t->wakes);
	put_number(out, "wakes_lost", t->wakes_lost);
	put_number(out, "migrations", t->migrations);
	put_number(out, "rss_kib", t->rss_pages * (sysconf(_SC_PAGESIZE) / 1024));
	put_counts(out, "waits", t->waits, TRACE_BUCKETS);
	put_counts(out, "bursts", t->bursts, TRACE_BUCKETS);
	fputs("\"wakers\":[", out);
	for (i = 0; i < TRACE_WAKERS && t->wakers[i].count; i++)
		fprintf(out, "%s[%u,%u]", i ? "," : "", t->wakers[i].slot, t->wakers[i].count);
	fputs("]}", out);
}

static void put_tasks(FILE *out)
{
	unsigned int slot;

	fputs("\"tasks\":[", out);
	for (slot = 1; slot <= trace->tasks && slot < TRACE_TASKS; slot++) {
		fprintf(out, "%s\n{\"slot\":%u,", slot > 1 ? "," : "", slot);
		put_task(out, &trace->task[slot]);
	}
	fputs("],\n", out);
}

static void put_edges(FILE *out, int fd)
{
	struct trace_edge key, *before = NULL;
	unsigned long long count;

	fputs("\"edges\":[", out);
	while (bpf_map_get_next_key(fd, before, &key) == 0) {
		if (bpf_map_lookup_elem(fd, &key, &count) == 0)
			fprintf(out, "%s[%u,%u,%llu]", before ? "," : "", key.waker, key.wakee, count);
		before = &key;
	}
	fputs("],\n", out);
}

static struct trace_window add_windows(const struct trace_window *first, int count)
{
	struct trace_window sum = { 0 };
	int i;

	for (i = 0; i < count; i++) {
		sum.waiting_ns += first[i].waiting_ns;
		sum.running_ns += first[i].running_ns;
		sum.wait_ns += first[i].wait_ns;
		sum.waits += first[i].waits;
		sum.wakes += first[i].wakes;
		sum.sleeps += first[i].sleeps;
		sum.preemptions += first[i].preemptions;
		sum.migrations += first[i].migrations;
		sum.started += first[i].started;
	}
	return sum;
}

/* The last window is as long as what is left for it. */
static void put_windows(FILE *out, unsigned long long end_ns)
{
	unsigned long long lasted = end_ns - trace->began_ns;
	int used = (lasted >> trace->window_shift) + 1, together = 1, i;

	if (used > TRACE_WINDOWS)
		used = TRACE_WINDOWS;
	while (used > MAX_WINDOWS * together)
		together *= 2;
	fprintf(out, "\"window_us\":%llu,\n\"windows\":[", us((unsigned long long)together << trace->window_shift));
	for (i = 0; i < used; i += together) {
		struct trace_window w = add_windows(trace->windows + i, used - i < together ? used - i : together);

		fprintf(out, "%s\n[%llu,%llu,%llu,%u,%u,%u,%u,%u,%u]", i ? "," : "", us(w.waiting_ns),
			us(w.running_ns), us(w.wait_ns), w.waits, w.wakes, w.sleeps, w.preemptions, w.migrations,
			w.started);
	}
	fputs("]\n", out);
}

bool write_trace(const char *path, const struct trace *counted, int edges_fd)
{
	FILE *out = fopen(path, "we");
	unsigned long long end;
	bool good;

	if (!out)
		return false;
	trace = counted;
	end = trace->ended_ns ?: trace->last_ns;
	fputc('{', out);
	put_number(out, "lasted_us", us(end - trace->began_ns));
	put_number(out, "dropped", trace->dropped);
	put_number(out, "most_waiting", trace->most_waiting);
	put_cpus(out, sysconf(_SC_NPROCESSORS_ONLN));
	put_lengths(out, "waiting_us", trace->waiting_ns);
	put_lengths(out, "running_us", trace->running_ns);
	put_tasks(out);
	put_edges(out, edges_fd);
	put_windows(out, end);
	fputs("}\n", out);
	good = !ferror(out);
	return fclose(out) == 0 && good;
}
