// SPDX-License-Identifier: Apache-2.0
/* Priority inversion: what an important task waits for is held by an unimportant one, and others want the CPUs. */
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "battery.h"

#define LIMIT_MS	2000
#define HELD_US		2000

enum slot { LOCK, HELD, GOT_NS };

static uint32_t *the_lock(void)
{
	return (void *)&shared->slots[LOCK];
}

static void holder(struct task *t)
{
	uint32_t *lock = the_lock();

	setpriority(PRIO_PROCESS, 0, 19);
	shared->slots[HELD] = now_ns();
	nap_until(t, now_ns() + 3 * NSEC_PER_MSEC);	/* it has to queue, as what it is now */
	compute(t, HELD_US);
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
	syscall(SYS_futex, lock, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void waiter(struct task *t)
{
	uint32_t *lock = the_lock();

	setpriority(PRIO_PROCESS, 0, -20);
	t->due_ns = 0;
	while (__atomic_load_n(lock, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, lock, FUTEX_WAIT, 1, NULL, NULL, 0);
	shared->slots[GOT_NS] = now_ns();
}

int main(void)
{
	uint64_t began, until, got;
	int i, lost;

	case_begin();
	*the_lock() = 1;
	for (i = 0; i < 2 * nr_cpus; i++)
		spawn(plain_name(i), hog);
	spawn("log-rotate", holder);
	spawn("frontend", waiter);
	window_begin();
	began = now_ns();
	until = began + LIMIT_MS * NSEC_PER_MSEC;
	while (!(got = shared->slots[GOT_NS]) && now_ns() < until)
		sleep_ms(5);
	window_end();
	figure("lock_wait_ms", ms((got ?: now_ns()) - began));
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
