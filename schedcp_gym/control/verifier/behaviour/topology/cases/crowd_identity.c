// SPDX-License-Identifier: Apache-2.0
/*
 * As the battery's case identity, for more than two CPUs: its seven tasks would have a CPU each. Here there are so many
 * of each kind that as many compete for a CPU as there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topology.h"

#define BEFORE_MS	1600
#define WINDOW_MS	800
#define THREADS		12
#define USER		1000
#define CGROUP		"/sys/fs/cgroup/"
#define OUTER		CGROUP "identity%u"
#define INNER		OUTER "/inner"

static void *idle_thread(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void crowded(struct task *t)
{
	pthread_t thread;
	int i;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, idle_thread, NULL))
			fprintf(stderr, "no threads: %s\n", strerror(errno));
	hog(t);
}

static void of_a_user(struct task *t)
{
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		fprintf(stderr, "no other user: %s\n", strerror(errno));
	hog(t);
}

static void grouped(struct task *t)
{
	hog(t);
}

static void of_a_session(struct task *t)
{
	setsid();
	hog(t);
}

static void slept(struct task *t)
{
	nap_until(t, now_ns() + BEFORE_MS * NSEC_PER_MSEC);
	hog(t);
}

/* Each in a group within a group, of its own: as much weight as the tasks in none have. */
static void put_into_groups(uint32_t count)
{
	char outer[64], inner[64];
	uint32_t i;

	write_text(CGROUP "cgroup.subtree_control", "+cpu");
	for (i = 0; i < count; i++) {
		if (shared->tasks[i].work != grouped)
			continue;
		snprintf(outer, sizeof(outer), OUTER, i);
		snprintf(inner, sizeof(inner), INNER, i);
		if (mkdir(outer, 0755) || mkdir(inner, 0755))
			fprintf(stderr, "%s: %s\n", inner, strerror(errno));
		put_into(&shared->tasks[i], inner);
	}
}

static void remove_groups(uint32_t count)
{
	char path[64];
	uint32_t i;

	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), INNER, i);
		rmdir(path);
		snprintf(path, sizeof(path), OUTER, i);
		rmdir(path);
	}
}

CASE(crowd_identity)
{
	static const struct {
		const char *what;
		work_fn work;
	} kinds[] = {
		{ "like any other", hog }, { "like any other, too", hog }, { "of many threads", crowded },
		{ "of another user", of_a_user }, { "in a group", grouped }, { "in a session of their own", of_a_session },
		{ "that slept", slept },
	};
	const uint32_t nr_kinds = sizeof(kinds) / sizeof(kinds[0]);
	uint32_t i, each, count, worst = 0;
	double least = 1e9, most = 0, fair;
	int lost;

	case_begin_here();
	each = (nr_cpus + 1) / 2;
	count = nr_kinds * each;
	for (i = 0; i < count; i++)
		spawn(plain_name(i), kinds[i % nr_kinds].work);
	window_begin();
	put_into_groups(count);
	sleep_ms(BEFORE_MS);
	window_begin();
	sleep_ms(WINDOW_MS);
	fair = (double)window_end() * nr_cpus / count;
	for (i = 0; i < count; i++) {
		double share = shared->tasks[i].cpu_ns / fair;

		if (share < least) {
			least = share;
			worst = i % nr_kinds;
		}
		most = share > most ? share : most;
	}
	fprintf(stderr, "the least: one of the tasks %s, %.2f of its share\n", kinds[worst].what, least);
	figure("least_share", least);
	figure("most_share", most);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	remove_groups(count);
	return 0;
}
