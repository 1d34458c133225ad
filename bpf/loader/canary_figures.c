// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures, limits and breaches for scx_canary.
 *
 * All figures are of the kind that does not follow the workload's own ups and downs: waits per dispatch, and
 * progress as the share of the CPU time that the tasks could have used. Limits come from what the last good
 * scheduler gave the same workload a moment ago, with a floor below which nobody minds.
 */
#include "canary.h"

#define KERNELS_SHARE	0.15
#define EVIDENCE_NS	(20 * NSEC_PER_MSEC)	/* from less no progress is judged */

static const char *const names[NR_FIGURES] = {
	[LONGEST_WAIT] = "longest_wait_ms",
	[MEAN_WAIT] = "mean_wait_ms",
	[WAKE_WAIT] = "wake_wait_ms",
	[PROGRESS] = "progress",
	[BEATS] = "beats_per_s",
};

const char *figure_name(enum figure figure)
{
	return names[figure];
}

static bool is_least(enum figure figure)
{
	return figure == PROGRESS || figure == BEATS;
}

/*
 * For each look on its own: over a longer time, tasks that waited in its first half would seem to have had a use for
 * the CPUs that are idle in the second.
 */
void find_wanted(struct sample *sample, long cpus)
{
	uint64_t all = sample->lasted * cpus, wanted = sample->run + sample->wait;

	sample->wanted = wanted < all ? wanted : all;
}

void add_sample(struct sample *sum, const struct sample *sample)
{
	sum->lasted += sample->lasted;
	sum->run += sample->run;
	sum->wait += sample->wait;
	sum->dispatches += sample->dispatches;
	sum->wanted += sample->wanted;
	sum->other_run += sample->other_run;
	sum->reserved += sample->reserved;
	sum->wakes += sample->wakes;
	sum->wake_wait += sample->wake_wait;
	sum->beats += sample->beats;
	if (sample->longest_wait > sum->longest_wait)
		sum->longest_wait = sample->longest_wait;
	if (sample->waiting > sum->waiting)
		sum->waiting = sample->waiting;
}

/*
 * CPU time that the watched tasks could have had: what they asked for, but no more than there is. Beside tasks that
 * are not watched there is the reserve, or what those leave where that is more; a part of what they leave goes to
 * the kernel.
 */
static double possible(const struct sample *seen, long share, long cpus)
{
	double all = (double)seen->lasted * cpus, wanted = seen->wanted, room;

	if (share == 0 || share >= 100)	/* no canaries, or all of them: all tasks are watched */
		return wanted;
	room = all * (1 - KERNELS_SHARE) - seen->other_run;
	if (room < seen->reserved)
		room = seen->reserved;
	return wanted < room ? wanted : room;
}

/* share: percent of the tasks that are watched; 100 is all. */
void find_figures(const struct sample *seen, long share, long cpus, struct figures *figures)
{
	double most = possible(seen, share, cpus);

	*figures = (struct figures){
		.value = {
			[LONGEST_WAIT] = seen->longest_wait / 1e6,
			[MEAN_WAIT] = seen->wait / 1e6 / (seen->dispatches + seen->waiting ?: 1),
			[WAKE_WAIT] = seen->wake_wait / 1e6 / (seen->wakes ?: 1),
			[PROGRESS] = most > 0 ? seen->run / most : 1,
			[BEATS] = seen->lasted ? seen->beats * 1e9 / seen->lasted : 0,
		},
		.known = {
			[LONGEST_WAIT] = true,
			[MEAN_WAIT] = seen->dispatches || seen->wait,
			[WAKE_WAIT] = seen->wakes || seen->wake_wait,
			[PROGRESS] = seen->run + seen->wait >= EVIDENCE_NS,
			[BEATS] = seen->beats > 0,
		},
	};
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

void find_limits(const struct config *config, const struct figures *baseline, long share, struct figures *limits)
{
	/* In partial mode the reserved share may come as late as this. */
	double late = share < 100 ? config->seat_period_ms * (100 - share) / 100.0 : 0;
	long percent = share < 100 ? config->canary_progress_percent : config->progress_percent;
	int i;

	*limits = (struct figures){
		.value = {
			[LONGEST_WAIT] = larger(config->stall_ms, 2 * baseline->value[LONGEST_WAIT]) + late,
			[PROGRESS] = baseline->value[PROGRESS] * percent / 100,
			[BEATS] = baseline->value[BEATS] * config->progress_percent / 100,
		},
		.known = {
			[LONGEST_WAIT] = true,
			[PROGRESS] = baseline->known[PROGRESS],
			/* How much of the work the canaries do is not known: judged when all tasks are watched. */
			[BEATS] = baseline->known[BEATS] && share >= 100,
		},
	};
	for (i = MEAN_WAIT; i <= WAKE_WAIT; i++) {
		limits->value[i] = larger(config->latency_floor_ms, config->latency_factor * baseline->value[i]) + late;
		limits->known[i] = baseline->known[i];
	}
}

/* The first figure beyond its limit, or -1. A beat that is gone counts: it was there under the last good scheduler. */
int find_breach(const struct figures *figures, const struct figures *limits)
{
	int i;

	for (i = 0; i < NR_FIGURES; i++) {
		if (!limits->known[i] || (!figures->known[i] && i != BEATS))
			continue;
		if (is_least(i) ? figures->value[i] < limits->value[i] : figures->value[i] > limits->value[i])
			return i;
	}
	return -1;
}
