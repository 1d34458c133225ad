// SPDX-License-Identifier: Apache-2.0
/* Exit under load: crowds that are killed while they run, wait in line, and sleep. All must be gone soon. */
#include <sys/mman.h>

#include "battery.h"

#define ROUNDS		3
#define HOGS		24
#define SLEEPERS	40
#define MEMORY_BYTES	(2 << 20)
#define PATIENCE_MS	3000

/* Has memory to give back: ending takes a while, and its slice may end meanwhile. */
static void large_hog(struct task *t)
{
	void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;

	for (at = 0; memory != MAP_FAILED && at < MEMORY_BYTES; at += 4096)
		((volatile char *)memory)[at] = 1;
	hog(t);
}

int main(void)
{
	double longest = 0, took;
	int round, i, lost = 0;

	case_begin();
	for (round = 0; round < ROUNDS; round++) {
		uint64_t began;

		for (i = 0; i < HOGS; i++)
			spawn(plain_name(i), large_hog);
		for (i = 0; i < SLEEPERS; i++)
			spawn_sleeper(plain_name(i), 100, 10000 + 500 * i, 1000 * i);
		window_begin();
		sleep_ms(150);
		began = now_ns();
		lost += end_tasks(PATIENCE_MS);
		took = ms(now_ns() - began);
		longest = took > longest ? took : longest;
		if (lost)
			break;
	}
	figure("longest_end_ms", longest);
	figure("phantom_tasks", phantoms());
	figure("lost_tasks", lost);
	return 0;
}
