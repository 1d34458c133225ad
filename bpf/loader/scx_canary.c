// SPDX-License-Identifier: GPL-2.0-only
/*
 * scx_canary: brings a new policy to a workload step by step, and takes it back at the first sign of harm.
 *
 *	baseline	all tasks under the last good scheduler (a policy, or EEVDF): what is usual is measured
 *	canary		the new policy in partial mode, for a share of the workload's tasks that grows; the others
 *			are with EEVDF, which comes first: a reserve makes sure that the canaries get their share
 *	full		the new policy for all tasks of the machine, watched for a while
 *	kept		the same, from then on: the watch never ends
 *	reverted	after a breach: the last good scheduler again, to the workload's end
 *
 * The watcher and the processes that hold the policies are real-time tasks, out of any policy's reach. A
 * policy that the kernel ejects has broken a limit like any other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acct.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"

#define ACCT_FILE	"/run/scx_canary.acct"
#define ATTACH_MS	5000
#define PROBE_MS	10
#define AFTERMATH_MS	1000	/* after a revert all tasks must have gone on by then */
#define STUCK_MS	500
#define FOREVER_MS	(1L << 40)

enum ending { PASSED, BREACHED, OVER };
enum { CANARY, FULL, LAST_GOOD, LAST_GOOD_AGAIN, NR_SEATS };

static struct config config = {
	.baseline_ms = 1000, .settle_ms = 200, .phase_ms = 1000, .watch_ms = 2000,
	.window_ms = 500, .tick_ms = 20, .revert_ms = 1000, .seat_period_ms = 20,
	.stall_ms = 800, .latency_floor_ms = 50, .latency_factor = 10,
	.progress_percent = 70, .canary_progress_percent = 50,
	.shares = { 10, 25, 50 }, .nr_shares = 3,
};
static struct canary_report report = { .verdict = "reverted", .fallback = "eevdf", .breach_at_s = -1,
				       .reverted_at_s = -1, .in_time = true };
static struct seat seats[NR_SEATS] = {
	[CANARY] = { .mode = SWITCH_PARTIAL }, [FULL] = { .mode = SWITCH_ALL },
	[LAST_GOOD] = { .mode = SWITCH_ALL }, [LAST_GOOD_AGAIN] = { .mode = SWITCH_ALL },
};
static struct sample samples[MAX_SAMPLES];
static unsigned int nr_samples;
static const char *beat_path;
static double last_beat;
static uint64_t zero_ns;
static sigset_t signals, signals_before;
static pid_t workload;
static int workload_status;
static bool workload_over;
static off_t accounts_before;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static double since_start(void)
{
	return (now_ns() - zero_ns) / 1e9;
}

/* Sleeps until then; returns false as soon as the workload is over. */
static bool sleep_until(uint64_t then)
{
	uint64_t now;
	int status, got;
	pid_t pid;

	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != workload)
				continue;
			workload_status = status;
			workload_over = true;
		}
		now = now_ns();
		if (workload_over || now >= then)
			return !workload_over;
		struct timespec left = { (then - now) / 1000000000, (then - now) % 1000000000 };

		got = sigtimedwait(&signals, NULL, &left);
		if (got == SIGTERM || got == SIGINT)
			tasks_kill();
	}
}

static void start_workload(char **command)
{
	workload = fork();
	if (workload != 0)
		return;
	tasks_join();
	setsid();
	sigprocmask(SIG_SETMASK, &signals_before, NULL);
	execvp(command[0], command);
	fprintf(stderr, "scx_canary: cannot run %s: %m\n", command[0]);
	_exit(127);
}

static double new_beats(void)
{
	char text[64];
	double beat, beats;

	if (!beat_path || read_file(beat_path, text, sizeof(text)) <= 0)
		return 0;
	beat = atof(text);
	beats = beat > last_beat ? beat - last_beat : 0;
	last_beat = beat;
	return beats;
}

static void look(uint64_t now, bool canary_only, struct sample *sample)
{
	tasks_scan(now, canary_only, sample);
	probe_scan(now, sample);
	sample->beats = new_beats();
}

/* The last samples that fill a window. Returns false while there are too few. */
static bool sum_window(struct sample *window)
{
	unsigned int i;

	*window = (struct sample){ 0 };
	for (i = 0; i < nr_samples && i < MAX_SAMPLES && window->lasted < config.window_ms * NSEC_PER_MSEC; i++)
		add_sample(window, &samples[(nr_samples - 1 - i) % MAX_SAMPLES]);
	return window->lasted >= config.window_ms * NSEC_PER_MSEC;
}

static bool note_breach(const struct phase *phase, const struct figures *figures, int figure)
{
	report.figure = figure_name(figure);
	report.value = figures->value[figure];
	report.limit = phase->limits.value[figure];
	snprintf(report.reason, sizeof(report.reason), "%s is %.3f, beyond its limit %.3f, at %ld %% of the tasks",
		 report.figure, report.value, report.limit, phase->share);
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
	struct phase *phase = &report.phases[report.nr_phases++];

	snprintf(phase->name, sizeof(phase->name), "%s", name);
	phase->share = share;
	phase->began_s = since_start();
	if (baseline)
		find_limits(&config, baseline, share, &phase->limits);
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
		sample->reserved = seat_reserve(share * cpus / used, config.seat_period_ms) * used * sample->lasted;
}

/* Watches until the time is over, a limit is broken, or the workload is over. */
static enum ending watch(struct phase *phase, struct seat *seat, long ms, bool limited)
{
	bool partial = seat && seat->mode == SWITCH_PARTIAL;
	uint64_t began = now_ns(), last = began, now, settle = limited ? config.settle_ms * NSEC_PER_MSEC : 0;
	struct sample before = { 0 };
	enum ending ending = PASSED;

	look(began, partial, &before);
	tasks_forget_waits();
	while (ending == PASSED) {
		if (!sleep_until(last + config.tick_ms * NSEC_PER_MSEC)) {
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
			snprintf(report.reason, sizeof(report.reason), "the kernel ejected the policy");
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
	if (ending == BREACHED) {
		report.breach_at_s = since_start();
		report.share = phase->share;
	}
	return ending;
}

/* Processes that a signal killed, by the kernel's accounts from a place on. */
static int count_killed(off_t from)
{
	FILE *file = fopen(ACCT_FILE, "re");
	struct acct_v3 record;
	int count = 0;

	if (!file)
		return 0;
	fseeko(file, from, SEEK_SET);
	while (fread(&record, sizeof(record), 1, file) == 1)
		count += (record.ac_flag & AXSIG) && strncmp(record.ac_comm, "scx_canary", sizeof(record.ac_comm));
	fclose(file);
	return count;
}

static void leave_partial_mode(void)
{
	tasks_restore();
	probe_move(false);
	seat_reserve(0, config.seat_period_ms);
}

/* Takes the new policy back; the last good scheduler is in charge when this returns. */
static void revert(struct seat *seat)
{
	uint64_t end = now_ns() + config.revert_ms * NSEC_PER_MSEC;
	struct stat accounts = { 0 };

	stat(ACCT_FILE, &accounts);
	accounts_before = accounts.st_size;
	tasks_mark();
	report.tasks_before = tasks_count();
	if (!seat_detach(seat, config.revert_ms / 2) && !report.figure && seat->report.message[0])
		snprintf(report.reason, sizeof(report.reason), "the kernel ejected the policy: %.900s",
			 seat->report.message);
	while (policy_enabled() && now_ns() < end)	/* its loader was killed: it goes in the background */
		sleep_until(now_ns() + NSEC_PER_MSEC);
	leave_partial_mode();
	if (seats[LAST_GOOD_AGAIN].object && !seat_attach(&seats[LAST_GOOD_AGAIN], config.revert_ms))
		fprintf(stderr, "scx_canary: %s: %s\n", report.fallback, seats[LAST_GOOD_AGAIN].report.message);
	report.reverted_at_s = since_start();
	report.tasks_after = tasks_marked_alive();
	report.in_time = report.reverted_at_s - report.breach_at_s <= config.revert_ms / 1e3;
}

/* The rest of the workload under the last good scheduler; who wants to run must do so. */
static void aftermath(void)
{
	struct phase *phase = begin_phase("reverted", 0, NULL);
	enum ending ending = watch(phase, NULL, AFTERMATH_MS, false);

	report.tasks_stuck = tasks_marked_stuck(now_ns(), STUCK_MS * NSEC_PER_MSEC);
	report.tasks_killed = count_killed(accounts_before);
	if (ending != OVER)
		watch(phase, NULL, FOREVER_MS, false);
}

/* Puts the new policy where it is to be, and watches it there. */
static enum ending take_seat(struct seat *seat, const char *name, long share, long ms, const struct figures *baseline)
{
	struct phase *phase = begin_phase(name, share, baseline);

	report.candidate = &seat->report;
	if (!seat->attached && !seat_attach(seat, ATTACH_MS)) {
		snprintf(report.reason, sizeof(report.reason), "%.1000s", seat->report.message);
		report.breach_at_s = since_start();
		report.share = share;
		return BREACHED;
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
	if (!sleep_until(now_ns() + config.settle_ms * NSEC_PER_MSEC))
		return OVER;
	ending = watch(usual, NULL, config.baseline_ms, false);
	if (ending != PASSED)
		return ending;
	seat_detach(&seats[LAST_GOOD], ATTACH_MS);
	*seat = &seats[CANARY];
	for (i = 0; i < config.nr_shares; i++) {
		ending = take_seat(*seat, "canary", config.shares[i], config.phase_ms, &usual->figures);
		if (ending != PASSED)
			return ending;
	}
	if (seats[CANARY].attached && !seat_detach(&seats[CANARY], ATTACH_MS)) {
		snprintf(report.reason, sizeof(report.reason), "%.1000s", seats[CANARY].report.message);
		report.breach_at_s = since_start();
		return BREACHED;
	}
	leave_partial_mode();
	*seat = &seats[FULL];
	ending = take_seat(*seat, "full", 100, config.watch_ms, &usual->figures);
	if (ending != PASSED)
		return ending;
	report.verdict = "kept";
	return take_seat(*seat, "kept", 100, FOREVER_MS, &usual->figures);
}

static bool load_seats(void)
{
	int i;

	for (i = 0; i < NR_SEATS; i++) {
		if (!seats[i].object || seat_load(&seats[i]))
			continue;
		snprintf(report.reason, sizeof(report.reason), "%.1000s", seats[i].report.message);
		report.candidate = &seats[i].report;
		report.breach_at_s = 0;
		return false;
	}
	return true;
}

static void deploy(char **command)
{
	bool loaded = load_seats();
	struct seat *seat = &seats[CANARY];
	enum ending ending = BREACHED;

	if (seats[LAST_GOOD].object && loaded && !seat_attach(&seats[LAST_GOOD], ATTACH_MS)) {
		snprintf(report.reason, sizeof(report.reason), "the last good policy does not start: %.900s",
			 seats[LAST_GOOD].report.message);
		report.breach_at_s = 0;
		loaded = false;
	}
	zero_ns = now_ns();
	start_workload(command);
	if (loaded)
		ending = widen(&seat);
	if (ending == BREACHED) {
		report.verdict = "reverted";
		revert(seat);
		aftermath();
	}
	report.wall_s = since_start();
	if (ending == OVER && strcmp(report.verdict, "kept")) {
		snprintf(report.reason, sizeof(report.reason), "the workload ended before the canary was over");
		revert(seat);
	}
	if (read_file("/sys/kernel/sched_ext/root/ops", report.in_charge, sizeof(report.in_charge)) <= 0 ||
	    !policy_enabled())
		strcpy(report.in_charge, "eevdf");
}

static void clean_up(void)
{
	int i;

	acct(NULL);
	tasks_kill();
	for (i = 0; i < NR_SEATS; i++)
		seat_detach(&seats[i], ATTACH_MS);
	seat_reserve(0, config.seat_period_ms);
	probe_stop();
	unlink(ACCT_FILE);
	if (workload > 0 && !workload_over)
		while (waitpid(workload, &workload_status, 0) < 0 && errno == EINTR)
			;
	report.command_exit = WIFEXITED(workload_status) ? WEXITSTATUS(workload_status) : 0;
	report.command_signal = WIFSIGNALED(workload_status) ? WTERMSIG(workload_status) : 0;
}

static void prepare(void)
{
	int file;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	outrank_policies();
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &signals_before);
	file = open(ACCT_FILE, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0 || acct(ACCT_FILE) < 0)
		fprintf(stderr, "scx_canary: no process accounting: %m\n");
	if (file >= 0)
		close(file);
}

static int usage(void)
{
	fputs("usage: scx_canary --report FILE --object x.bpf.o [--tunables FILE] [--fallback y.bpf.o]\n"
	      "                  [--fallback-tunables FILE] [--config FILE] [--beats FILE] [--verifier-log FILE]\n"
	      "                  -- COMMAND [ARG...]\n", stderr);
	return 2;
}

static bool parse(int argc, char **argv, const char **report_path)
{
	static const struct option options[] = {
		{ "report", required_argument, NULL, 'r' },
		{ "object", required_argument, NULL, 'o' },
		{ "tunables", required_argument, NULL, 't' },
		{ "fallback", required_argument, NULL, 'f' },
		{ "fallback-tunables", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "beats", required_argument, NULL, 'b' },
		{ "verifier-log", required_argument, NULL, 'v' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		if (option == 'r')
			*report_path = optarg;
		else if (option == 'o')
			seats[CANARY].object = seats[FULL].object = optarg;
		else if (option == 't')
			seats[CANARY].tunables = seats[FULL].tunables = optarg;
		else if (option == 'f')
			seats[LAST_GOOD].object = seats[LAST_GOOD_AGAIN].object = optarg;
		else if (option == 'u')
			seats[LAST_GOOD].tunables = seats[LAST_GOOD_AGAIN].tunables = optarg;
		else if (option == 'b')
			beat_path = optarg;
		else if (option == 'v')
			seats[CANARY].log = optarg;
		else if (option != 'c' || !read_config(optarg, &config))
			return false;
	}
	return *report_path && seats[CANARY].object && optind < argc;
}

int main(int argc, char **argv)
{
	const char *report_path = NULL;
	int kernel_log;

	if (!parse(argc, argv, &report_path))
		return usage();
	kernel_log = open_kernel_log();
	prepare();
	if (!tasks_init() || !probe_start(PROBE_MS)) {
		fprintf(stderr, "scx_canary: cannot prepare: %m\n");
		return 1;
	}
	report.candidate = &seats[CANARY].report;
	deploy(argv + optind);
	clean_up();
	report.policy = seats[CANARY].report.ops;
	if (seats[LAST_GOOD].object)
		report.fallback = seats[LAST_GOOD].report.ops;
	if (strcmp(report.verdict, "kept"))
		read_kernel_log(kernel_log, report.kernel_log, sizeof(report.kernel_log));
	if (!write_canary_report(report_path, &report)) {
		fprintf(stderr, "scx_canary: cannot write %s: %m\n", report_path);
		return 1;
	}
	return 0;
}
