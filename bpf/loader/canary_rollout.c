// SPDX-License-Identifier: GPL-2.0-only
/* The steps of scx_canary: from the baseline over the shares to all tasks, and back at a breach. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "canary.h"

#define ATTACH_MS	5000
#define AFTERMATH_MS	1000	/* after a revert all tasks must have gone on by then */
#define STUCK_MS	500
#define FOREVER_MS	(1L << 40)
#define UNREGISTERED	64	/* the kind of exit that was asked for; 0 is none */

enum ending { PASSED, BREACHED, OVER };

static const struct config *config;
static struct canary_report *report;
static struct seat *seats;
static struct sample samples[MAX_SAMPLES];
static unsigned int nr_samples;
static uint64_t zero_ns;
static long accounts_before;

static double since_start(void)
{
	return (now_ns() - zero_ns) / 1e9;
}

static void look(uint64_t now, bool canary_only, struct sample *sample)
{
	tasks_scan(now, canary_only, sample);
	find_wanted(sample, sysconf(_SC_NPROCESSORS_ONLN));
	probe_scan(now, sample);
	sample->beats = workload_beats();
}

/* The last samples that fill a window. Returns false while there are too few. */
static bool sum_window(struct sample *window)
{
	unsigned int i;

	*window = (struct sample){ 0 };
	for (i = 0; i < nr_samples && i < MAX_SAMPLES && window->lasted < config->window_ms * NSEC_PER_MSEC; i++)
		add_sample(window, &samples[(nr_samples - 1 - i) % MAX_SAMPLES]);
	return window->lasted >= config->window_ms * NSEC_PER_MSEC;
}

static bool note_breach(const struct phase *phase, const struct figures *figures, int figure)
{
	report->figure = figure_name(figure);
	report->value = figures->value[figure];
	report->limit = phase->limits.value[figure];
	snprintf(report->reason, sizeof(report->reason), "%s is %.3f, beyond its limit %.3f, at %ld %% of the tasks",
		 report->figure, report->value, report->limit, phase->share);
	return true;
}

/* A wait that goes on is judged at once, all else over a window. */
static bool is_breached(const struct phase *phase, const struct sample *latest)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sample window;
	struct figures figures;

	if (latest->longest_wait / 1e6 > phase->limits.value[LONGEST_WAIT]) {
		find_figures(latest, phase->share, cpus, &figures);
		return note_breach(phase, &figures, LONGEST_WAIT);
	}
	if (!sum_window(&window))
		return false;
	find_figures(&window, phase->share, cpus, &figures);
	int figure = find_breach(&figures, &phase->limits);

	return figure >= 0 && note_breach(phase, &figures, figure);
}

static struct phase *begin_phase(const char *name, long share, const struct figures *baseline)
{
	struct phase *phase = &report->phases[report->nr_phases++];

	snprintf(phase->name, sizeof(phase->name), "%s", name);
	phase->share = share;
	phase->began_s = since_start();
	if (baseline)
		find_limits(config, baseline, share, &phase->limits);
	nr_samples = 0;
	return phase;
}

/* Whether there was enough to see: the watched tasks wanted to run for a while. */
static bool has_evidence(const struct phase *phase)
{
	return phase->figures.known[PROGRESS];
}

/*
 * Fills up the canaries, and reserves for them what they would have as ordinary tasks. A single one can't be on two
 * CPUs at once: it needs more of each.
 */
static void keep_share(const struct phase *phase, struct sample *sample)
{
	double share = tasks_widen(phase->share);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), canaries = tasks_canaries(), used = canaries < cpus ? canaries : cpus;

	if (share > 0 && used > 0)
		sample->reserved = seat_reserve(share * cpus / used, config->seat_period_ms) * used * sample->lasted;
}

/* Says why the policy went, in its own or the kernel's words. */
static void note_ejection(const struct report *candidate)
{
	bool known = candidate->exit_kind > UNREGISTERED;

	snprintf(report->reason, sizeof(report->reason), "the kernel ejected the policy%s%.127s%s%.800s",
		 known ? ": " : "", known ? candidate->exit_reason : "",
		 known && candidate->exit_msg[0] ? ": " : "", known ? candidate->exit_msg : "");
}

static enum ending breach_now(long share)
{
	report->breach_at_s = since_start();
	report->share = share;
	return BREACHED;
}

/* Watches until the time is over, a limit is broken, or the workload is over. */
static enum ending watch(struct phase *phase, struct seat *seat, long ms, bool limited)
{
	bool partial = seat && seat->mode == SWITCH_PARTIAL;
	uint64_t began = now_ns(), last = began, now, settle = ms != FOREVER_MS ? config->settle_ms * NSEC_PER_MSEC : 0;
	struct sample before = { 0 };
	enum ending ending = PASSED;

	look(began, partial, &before);
	tasks_forget_waits();
	while (ending == PASSED) {
		if (!workload_sleep_until(last + config->tick_ms * NSEC_PER_MSEC)) {
			ending = OVER;
			break;
		}
		now = now_ns();
		struct sample sample = { .lasted = now - last };

		look(now, partial, &sample);
		if (partial)
			keep_share(phase, &sample);
		last = now;
		add_sample(&phase->seen, &sample);
		find_figures(&phase->seen, phase->share, sysconf(_SC_NPROCESSORS_ONLN), &phase->figures);
		if (now - began >= settle)
			samples[nr_samples++ % MAX_SAMPLES] = sample;
		if (seat && !policy_enabled()) {
			note_ejection(&seat->report);
			ending = BREACHED;
		} else if (limited && is_breached(phase, &sample)) {
			ending = BREACHED;
		} else if (now - began >= (uint64_t)ms * NSEC_PER_MSEC) {
			/* Tasks that all sleep tell nothing: up to twice as long is waited for them. */
			if (has_evidence(phase) || now - began >= 3 * (uint64_t)ms * NSEC_PER_MSEC)
				break;
		}
	}
	phase->tasks = tasks_count();
	phase->canary_tasks = !seat ? 0 : partial ? tasks_canaries() : tasks_count();
	return ending == BREACHED ? breach_now(phase->share) : ending;
}

static void leave_partial_mode(void)
{
	tasks_restore();
	probe_move(false);
	seat_reserve(0, config->seat_period_ms);
}

/* Takes the new policy back; the last good scheduler is in charge when this returns. */
static void revert(struct seat *seat)
{
	uint64_t end = now_ns() + config->revert_ms * NSEC_PER_MSEC;

	accounts_before = workload_accounts();
	tasks_mark();
	report->tasks_before = tasks_count();
	if (seat->attached) {
		seat_detach(seat, config->revert_ms / 2);
		if (!report->figure && seat->report.exit_kind > UNREGISTERED)
			note_ejection(&seat->report);
	}
	while (policy_enabled() && now_ns() < end)	/* its loader was killed: it goes in the background */
		workload_sleep_until(now_ns() + NSEC_PER_MSEC);
	leave_partial_mode();
	if (seats[LAST_GOOD_AGAIN].object && !seat_attach(&seats[LAST_GOOD_AGAIN], config->revert_ms))
		fprintf(stderr, "scx_canary: %s: %s\n", report->fallback, seats[LAST_GOOD_AGAIN].report.message);
	report->reverted_at_s = since_start();
	report->tasks_after = tasks_marked_alive();
	if (report->breach_at_s >= 0)
		report->in_time = report->reverted_at_s - report->breach_at_s <= config->revert_ms / 1e3;
}

/* The rest of the workload under the last good scheduler; who wants to run must do so. */
static void aftermath(void)
{
	struct phase *phase = begin_phase("reverted", 0, NULL);
	enum ending ending = watch(phase, NULL, AFTERMATH_MS, false);

	report->tasks_stuck = tasks_marked_stuck(now_ns(), STUCK_MS * NSEC_PER_MSEC);
	report->tasks_killed = workload_killed(accounts_before);
	if (ending != OVER)
		watch(phase, NULL, FOREVER_MS, false);
}

/* Puts the new policy where it is to be, and watches it there. */
static enum ending take_seat(struct seat *seat, const char *name, long share, long ms, const struct figures *baseline)
{
	struct phase *phase = begin_phase(name, share, baseline);

	report->candidate = &seat->report;
	if (!seat->attached && !seat_attach(seat, ATTACH_MS)) {
		snprintf(report->reason, sizeof(report->reason), "%.1000s", seat->report.message);
		return breach_now(share);
	}
	if (seat->mode == SWITCH_PARTIAL) {
		probe_move(true);
		keep_share(phase, &(struct sample){ 0 });
	}
	return watch(phase, seat, ms, true);
}

/* From the baseline to all tasks. Returns what it ended with, and whose doing it was. */
static enum ending widen(struct seat **seat)
{
	struct phase *usual = begin_phase("baseline", 0, NULL);
	enum ending ending;
	int i;

	*seat = &seats[LAST_GOOD];
	if (!workload_sleep_until(now_ns() + config->settle_ms * NSEC_PER_MSEC))
		return OVER;
	ending = watch(usual, (*seat)->attached ? *seat : NULL, config->baseline_ms, false);
	if (ending != PASSED)
		return ending;
	seat_detach(&seats[LAST_GOOD], ATTACH_MS);
	*seat = &seats[CANARY];
	for (i = 0; i < config->nr_shares; i++) {
		ending = take_seat(*seat, "canary", config->shares[i], config->phase_ms, &usual->figures);
		if (ending != PASSED)
			return ending;
	}
	seat_detach(&seats[CANARY], ATTACH_MS);
	if (seats[CANARY].report.exit_kind > UNREGISTERED) {
		note_ejection(&seats[CANARY].report);
		return breach_now(config->shares[config->nr_shares - 1]);
	}
	leave_partial_mode();
	*seat = &seats[FULL];
	ending = take_seat(*seat, "full", 100, config->watch_ms, &usual->figures);
	if (ending != PASSED)
		return ending;
	report->verdict = "kept";
	return take_seat(*seat, "kept", 100, FOREVER_MS, &usual->figures);
}

static bool load_seats(void)
{
	int i;

	for (i = 0; i < NR_SEATS; i++) {
		if (!seats[i].object || seat_load(&seats[i]))
			continue;
		snprintf(report->reason, sizeof(report->reason), "%.1000s", seats[i].report.message);
		report->candidate = &seats[i].report;
		report->breach_at_s = 0;
		return false;
	}
	return true;
}

static bool start_last_good(void)
{
	if (!seats[LAST_GOOD].object || seat_attach(&seats[LAST_GOOD], ATTACH_MS))
		return true;
	snprintf(report->reason, sizeof(report->reason), "the last good policy does not start: %.900s",
		 seats[LAST_GOOD].report.message);
	report->breach_at_s = 0;
	return false;
}

/* Runs the workload to its end, whatever becomes of the policy, and fills in the report. */
void roll_out(char **command, const struct config *settings, struct seat *all_seats, struct canary_report *result)
{
	struct seat *seat = &all_seats[CANARY];
	enum ending ending = BREACHED;
	bool ready;

	config = settings;
	seats = all_seats;
	report = result;
	report->candidate = &seat->report;
	ready = load_seats() && start_last_good();
	zero_ns = now_ns();
	if (!workload_start(command))
		fprintf(stderr, "scx_canary: fork: %m\n");
	else if (ready)
		ending = widen(&seat);
	if (ending != OVER)
		report->verdict = "reverted";
	if (strcmp(report->verdict, "kept")) {
		if (ending == OVER)
			snprintf(report->reason, sizeof(report->reason),
				 "the workload ended before the canary was over");
		revert(seat);
	}
	if (ending != OVER)
		aftermath();
	report->wall_s = since_start();
	if (read_file("/sys/kernel/sched_ext/root/ops", report->in_charge, sizeof(report->in_charge)) <= 0 ||
	    !policy_enabled())
		strcpy(report->in_charge, "eevdf");
}
