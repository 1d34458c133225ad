// SPDX-License-Identifier: Apache-2.0
/* Exit under load: crowds that are killed while they run, wait in line, and sleep. All must be gone soon. */
#include "battery.h"

#define ROUNDS		3
#define HOGS		24
#define SLEEPERS	40
#define PATIENCE_MS	3000

int main(void)
{
	double longest = 0, took;
	int round, i, lost = 0;

	case_begin();
	for (round = 0; round < ROUNDS; round++) {
		uint64_t began;

		for (i = 0; i < HOGS; i++)
			spawn(plain_name(i), hog);
		for (i = 0; i < SLEEPERS; i++)
			spawn_sleeper(plain_name(i), 100, 10000 + 500 * i, 1000 * i);
		window_begin();
		sleep_ms(60);
		began = now_ns();
		lost += end_tasks(PATIENCE_MS);
		took = ms(now_ns() - began);
		longest = took > longest ? took : longest;
		if (lost)
			break;
	}
	figure("longest_end_ms", longest);
	figure("lost_tasks", lost);
	return 0;
}
