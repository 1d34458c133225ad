// SPDX-License-Identifier: GPL-2.0-only
/* What scx_canary is told (a file of lines name=value), and its report as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "canary.h"

static bool read_shares(char *text, struct config *config)
{
	char *part, *end;

	config->nr_shares = 0;
	while ((part = strsep(&text, ","))) {
		if (!*part && !config->nr_shares && !text)
			return true;	/* none: all tasks at once */
		if (config->nr_shares == MAX_SHARES)
			return false;
		config->shares[config->nr_shares] = strtol(part, &end, 10);
		if (end == part || *end || config->shares[config->nr_shares] < 1 ||
		    config->shares[config->nr_shares] > 90)
			return false;
		config->nr_shares++;
	}
	return true;
}

struct setting {
	const char	*name;
	size_t		offset;
};

#define SETTING(name)	{ #name, offsetof(struct config, name) }

/* All of them must be set; shares_percent is read apart. */
static const struct setting settings[] = {
	SETTING(baseline_ms), SETTING(settle_ms), SETTING(phase_ms), SETTING(watch_ms), SETTING(window_ms),
	SETTING(tick_ms), SETTING(revert_ms), SETTING(seat_period_ms), SETTING(stall_ms), SETTING(latency_floor_ms),
	SETTING(latency_factor), SETTING(progress_percent), SETTING(canary_progress_percent),
};
#define NR_SETTINGS	(sizeof(settings) / sizeof(*settings))

static long *value_of(struct config *config, const struct setting *setting)
{
	return (long *)((char *)config + setting->offset);
}

static bool read_line(char *line, struct config *config)
{
	char *text = strchr(line, '='), *end;
	unsigned int i;

	if (!text)
		return false;
	*text++ = '\0';
	if (!strcmp(line, "shares_percent"))
		return read_shares(text, config);
	for (i = 0; i < NR_SETTINGS; i++) {
		long *value = value_of(config, &settings[i]);

		if (strcmp(line, settings[i].name))
			continue;
		*value = strtol(text, &end, 10);
		return end != text && !*end && *value > 0;
	}
	return false;
}

bool read_config(const char *path, struct config *config)
{
	FILE *file = fopen(path, "re");
	char line[256], shown[256];
	bool good = true;
	unsigned int i;

	if (!file) {
		fprintf(stderr, "scx_canary: %s: %m\n", path);
		return false;
	}
	while (good && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		strcpy(shown, line);
		good = !line[0] || read_line(line, config);
		if (!good)
			fprintf(stderr, "scx_canary: %s: %s is not understood\n", path, shown);
	}
	fclose(file);
	for (i = 0; good && i < NR_SETTINGS; i++) {
		good = *value_of(config, &settings[i]) > 0;
		if (!good)
			fprintf(stderr, "scx_canary: %s: %s is missing\n", path, settings[i].name);
	}
	return good;
}

static void put_text(FILE *out, const char *key, const char *value)
{
	fprintf(out, "\"%s\":", key);
	put_string(out, value);
	fputc(',', out);
}

/* A time, or null where it never came. */
static void put_time(FILE *out, const char *key, double value)
{
	if (value < 0)
		fprintf(out, "\"%s\":null,", key);
	else
		fprintf(out, "\"%s\":%.6f,", key, value);
}

static void put_figures(FILE *out, const char *key, const struct figures *figures)
{
	const char *comma = "";
	int i;

	fprintf(out, "\"%s\":{", key);
	for (i = 0; i < NR_FIGURES; i++) {
		if (!figures->known[i])
			continue;
		fprintf(out, "%s\"%s\":%.6f", comma, figure_name(i), figures->value[i]);
		comma = ",";
	}
	fputc('}', out);
}

static void put_phase(FILE *out, const struct phase *phase)
{
	fputc('{', out);
	put_text(out, "name", phase->name);
	fprintf(out, "\"share_percent\":%ld,\"began_s\":%.6f,\"lasted_s\":%.6f,\"tasks\":%d,\"canary_tasks\":%d,",
		phase->share, phase->began_s, phase->seen.lasted / 1e9, phase->tasks, phase->canary_tasks);
	fprintf(out, "\"cpu_s\":%.6f,\"wait_s\":%.6f,\"dispatches\":%llu,", phase->seen.run / 1e9,
		phase->seen.wait / 1e9, (unsigned long long)phase->seen.dispatches);
	put_figures(out, "figures", &phase->figures);
	fputc(',', out);
	put_figures(out, "limits", &phase->limits);
	fputc('}', out);
}

static void put_breach(FILE *out, const struct canary_report *r)
{
	if (r->breach_at_s < 0) {
		fputs("\"breach\":null,", out);
		return;
	}
	fputs("\"breach\":{", out);
	if (r->figure)
		fprintf(out, "\"figure\":\"%s\",\"value\":%.6f,\"limit\":%.6f,", r->figure, r->value, r->limit);
	fprintf(out, "\"share_percent\":%ld},", r->share);
}

/* Returns whether the whole report reached the file. */
bool write_canary_report(const char *path, const struct canary_report *r)
{
	FILE *out = fopen(path, "we");
	bool good;
	int i;

	if (!out)
		return false;
	fputc('{', out);
	put_text(out, "verdict", r->verdict);
	put_text(out, "reason", r->reason);
	put_text(out, "policy", r->policy);
	put_text(out, "fallback", r->fallback);
	put_text(out, "in_charge", r->in_charge);
	put_breach(out, r);
	put_time(out, "breach_at_s", r->breach_at_s);
	put_time(out, "reverted_at_s", r->reverted_at_s);
	fprintf(out, "\"in_time\":%s,\"tasks_before\":%d,\"tasks_after\":%d,\"tasks_stuck\":%d,\"tasks_killed\":%d,",
		r->in_time ? "true" : "false", r->tasks_before, r->tasks_after, r->tasks_stuck, r->tasks_killed);
	fprintf(out, "\"exit\":{\"kind\":%d,\"code\":%lld,", r->candidate->exit_kind, r->candidate->exit_code);
	put_text(out, "reason", r->candidate->exit_reason);
	fputs("\"msg\":", out);
	put_string(out, r->candidate->exit_msg);
	fprintf(out, "},\"command\":{\"exit_code\":%d,\"signal\":%d},\"wall_s\":%.9f,\"phases\":[",
		r->command_exit, r->command_signal, r->wall_s);
	for (i = 0; i < r->nr_phases; i++) {
		fputs(i ? "," : "", out);
		put_phase(out, &r->phases[i]);
	}
	fputs("],\"kernel_log\":", out);
	put_string(out, r->kernel_log);
	fputs("}\n", out);
	good = !ferror(out);
	return fclose(out) == 0 && good;
}
