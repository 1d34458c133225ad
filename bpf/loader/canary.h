/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of scx_canary have in common. */
#ifndef SCX_CANARY_H
#define SCX_CANARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "policy.h"

#define NSEC_PER_MSEC	1000000ULL
#define MAX_SHARES	16
#define MAX_PHASES	(MAX_SHARES + 4)
#define MAX_SAMPLES	4096

/* What CanaryConfig of canary.py says, each a line name=value of the file --config. */
struct config {
	long	baseline_ms, settle_ms, phase_ms, watch_ms;
	long	window_ms, tick_ms, revert_ms, seat_period_ms;
	long	stall_ms, latency_floor_ms, latency_factor;
	long	progress_percent, canary_progress_percent;
	long	shares[MAX_SHARES];
	int	nr_shares;
};

/* What a tick, a window or a phase saw of the watched tasks. */
struct sample {
	uint64_t	lasted, run, wait, dispatches;
	uint64_t	wanted;			/* CPU time they could have used, had they been alone */
	uint64_t	other_run;		/* of the workload's tasks that are not watched */
	uint64_t	reserved;		/* CPU time that the canaries had for sure */
	uint64_t	wakes, wake_wait;	/* of the probe */
	uint64_t	longest_wait, waiting;	/* of waits that go on: the longest, how many */
	double		beats;			/* the workload's own count of what it has done */
};

enum figure { LONGEST_WAIT, MEAN_WAIT, WAKE_WAIT, PROGRESS, BEATS, NR_FIGURES };

struct figures {
	double	value[NR_FIGURES];
	bool	known[NR_FIGURES];
};

struct phase {
	char		name[16];
	long		share;			/* percent of the tasks that the new policy schedules */
	double		began_s;
	int		tasks, canary_tasks;	/* at its end */
	struct sample	seen;
	struct figures	figures, limits;
};

/* canary_tasks.c: the workload's tasks. */
bool tasks_init(void);
void tasks_join(void);
void tasks_scan(uint64_t now_ns, bool canary_only, struct sample *sample);
void tasks_forget_waits(void);
double tasks_widen(long percent);
bool tasks_restore(void);
void tasks_kill(void);
int tasks_count(void);
int tasks_canaries(void);
void tasks_mark(void);
int tasks_marked_alive(void);
int tasks_marked_stuck(uint64_t now_ns, uint64_t limit_ns);
bool set_policy(pid_t tid, int policy);

/* canary_workload.c: its first process, and what is known of all of them. */
uint64_t now_ns(void);
void workload_prepare(const char *beats);
bool workload_start(char **command);
bool workload_sleep_until(uint64_t then);
double workload_beats(void);
long workload_accounts(void);
int workload_killed(long from);
int workload_end(void);

/* canary_probe.c: a task that asks for the CPU now and then. */
bool probe_start(long period_ms);
void probe_scan(uint64_t now_ns, struct sample *sample);
bool probe_move(bool canary);
void probe_stop(void);

/* canary_seat.c: policies ready to be attached, each held by a process of its own. */
struct seat {
	const char	*object, *tunables, *log;
	enum switch_mode mode;
	pid_t		pid;
	int		fd;
	bool		attached;
	struct report	report;
};

enum { CANARY, FULL, LAST_GOOD, LAST_GOOD_AGAIN, NR_SEATS };

void outrank_policies(void);
bool seat_load(struct seat *seat);
bool seat_attach(struct seat *seat, int limit_ms);
bool seat_detach(struct seat *seat, int limit_ms);
double seat_reserve(double share, long period_ms);

/* canary_figures.c: from what was seen to figures, limits and breaches. */
void find_wanted(struct sample *sample, long cpus);
void add_sample(struct sample *sum, const struct sample *sample);
void find_figures(const struct sample *seen, long share, long cpus, struct figures *figures);
void find_limits(const struct config *config, const struct figures *baseline, long share, struct figures *limits);
int find_breach(const struct figures *figures, const struct figures *limits);
const char *figure_name(enum figure figure);

/* canary_report.c */
struct canary_report {
	const char	*verdict;		/* kept, reverted */
	char		reason[1024];
	const char	*policy, *fallback;
	char		in_charge[128];
	struct phase	phases[MAX_PHASES];
	int		nr_phases;
	const char	*figure;		/* that broke its limit; NULL when no figure did */
	double		value, limit;
	long		share;
	double		breach_at_s, reverted_at_s;	/* below 0: there was none */
	int		tasks_before, tasks_after, tasks_stuck, tasks_killed;
	bool		in_time;
	struct report	*candidate;
	int		command_exit, command_signal;
	double		wall_s;
	char		kernel_log[16384];
};

/* canary_rollout.c */
void roll_out(char **command, const struct config *settings, struct seat *all_seats, struct canary_report *result);

bool write_canary_report(const char *path, const struct canary_report *r);
bool read_config(const char *path, struct config *config);

#endif
