// SPDX-License-Identifier: Apache-2.0
/*
 * Who a task is: equal tasks that never sleep and differ in one thing each, its user, its cgroup, its session, the
 * threads beside it, or that it slept till now. Judged late, when there is a past that may be held against them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "battery.h"

#define BEFORE_MS	1600
#define WINDOW_MS	800
#define THREADS		12
#define USER		1000
#define CGROUP		"/sys/fs/cgroup/"
#define OUTER		CGROUP "identity"
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
	if (!write_text(INNER "/cgroup.procs", "0"))
		fprintf(stderr, "no group: %s\n", strerror(errno));
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

int main(void)
{
	static const struct {
		const char *what;
		work_fn work;
	} kinds[] = {
		{ "a task like any other", hog }, { "another like any other", hog }, { "of many threads", crowded },
		{ "of another user", of_a_user }, { "in a group", grouped }, { "in a session of its own", of_a_session },
		{ "that slept", slept },
	};
	const uint32_t count = sizeof(kinds) / sizeof(kinds[0]);
	double least = 1e9, most = 0, fair;
	uint32_t i, worst = 0;
	int lost;

	case_begin();
	write_text(CGROUP "cgroup.subtree_control", "+cpu");
	if (mkdir(OUTER, 0755) || mkdir(INNER, 0755))
		fprintf(stderr, "no groups: %s\n", strerror(errno));
	for (i = 0; i < count; i++)
		spawn(plain_name(i), kinds[i].work);
	window_begin();
	sleep_ms(BEFORE_MS);
	window_begin();
	sleep_ms(WINDOW_MS);
	fair = (double)window_end() * nr_cpus / count;
	for (i = 0; i < count; i++) {
		double share = shared->tasks[i].cpu_ns / fair;

		if (share < least) {
			least = share;
			worst = i;
		}
		most = share > most ? share : most;
	}
	fprintf(stderr, "the least: the task %s, %.2f of its share\n", kinds[worst].what, least);
	figure("least_share", least);
	figure("most_share", most);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	rmdir(INNER);
	rmdir(OUTER);
	return 0;
}
