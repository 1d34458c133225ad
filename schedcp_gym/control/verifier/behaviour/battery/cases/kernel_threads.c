// SPDX-License-Identifier: Apache-2.0
/* The kernel's own threads, one bound to each CPU, beside tasks that never sleep: others wait for what they do. */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "battery.h"

#define TURNS		8
#define LIMIT_MS	4000

enum slot { KWORKERS_NS, GRACE_NS, STEP_NS };

static void note(enum slot slot, uint64_t began)
{
	uint64_t took = now_ns() - began;

	shared->slots[slot] = took > shared->slots[slot] ? took : shared->slots[slot];
	shared->slots[STEP_NS] = now_ns();
}

/* Asks the kernel for work that its threads on every CPU must do before the call returns. */
static void asker(struct task *t)
{
	struct sched_param priority = { .sched_priority = 40 };
	int i;

	sched_setscheduler(0, SCHED_FIFO, &priority);	/* it is not the one to be measured */
	for (i = 0; i < TURNS; i++) {
		uint64_t began = now_ns();

		if (!write_text("/proc/sys/vm/stat_refresh", "1"))
			return;
		note(KWORKERS_NS, began);
		if (i % 2 == 0) {
			began = now_ns();
			syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
			note(GRACE_NS, began);
		}
		t->marks++;
		sleep_ms(13);
	}
}

int main(void)
{
	struct task *asking;
	uint64_t until;
	int i, lost;

	case_begin();
	for (i = 0; i < 4 * nr_cpus; i++) {
		struct task *t = spawn(plain_name(i), hog);

		if (i < 2 * nr_cpus)
			bind_to(t, 1ULL << i % nr_cpus);
	}
	window_begin();
	asking = spawn("asker", asker);
	shared->slots[STEP_NS] = now_ns();
	window_begin();
	until = now_ns() + LIMIT_MS * NSEC_PER_MSEC;
	while (asking->marks < TURNS && now_ns() < until)
		sleep_ms(5);
	if (asking->marks < TURNS)	/* still at it: that long, at least */
		note(KWORKERS_NS, shared->slots[STEP_NS]);
	figure("longest_kworker_ms", ms(shared->slots[KWORKERS_NS]));
	figure("longest_grace_period_ms", ms(shared->slots[GRACE_NS]));
	figure("missing_turns", TURNS - asking->marks);
	lost = end_tasks(1000);
	figure("lost_tasks", lost);
	return 0;
}
