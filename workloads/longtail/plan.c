// SPDX-License-Identifier: Apache-2.0
/* The plan: which jobs there are, a pure function of the options. */
#include <inttypes.h>

#include "longtail.h"

/* At most 10 letters, none the beginning of another: a name is <word>-<4 hexadecimal digits>. */
static const char *const words[MAX_JOBS] = {
	"amber", "anchor", "apple", "arrow", "aspen", "badger", "bamboo", "basil", "beacon", "birch", "bison", "bramble",
	"canyon", "cedar", "cheetah", "cinder", "clover", "cobalt", "comet", "copper", "coral", "crane", "cypress", "dahlia",
	"delta", "dolphin", "dune", "eagle", "ember", "falcon", "fennel", "fern", "finch", "flint", "garnet", "gecko",
	"ginger", "glacier", "granite", "harbor", "hazel", "heron", "indigo", "iris", "ivory", "jackal", "jasmine", "juniper",
	"kestrel", "koala", "lagoon", "lantern", "lemur", "lichen", "lilac", "lotus", "magnet", "mango", "maple", "marble",
	"meadow", "meteor", "nectar", "nutmeg", "oasis", "ocelot", "olive", "onyx", "opal", "orchid", "osprey", "otter",
	"panther", "pebble", "pepper", "plover", "poplar", "prairie", "quartz", "quokka", "raven", "saffron", "salmon", "sequoia",
	"spruce", "summit", "thistle", "timber", "topaz", "tundra", "umber", "velvet", "walnut", "willow", "yarrow", "zephyr",
};

void plan_batch(void)
{
	uint64_t random = options.seed;
	const char *shuffled[MAX_JOBS];
	uint32_t the_long_one;

	memcpy(shuffled, words, sizeof(words));
	for (uint32_t i = MAX_JOBS; i > 1; i--) {
		uint32_t j = random_below(&random, i);
		const char *word = shuffled[i - 1];

		shuffled[i - 1] = shuffled[j];
		shuffled[j] = word;
	}
	the_long_one = random_below(&random, options.jobs);
	for (uint32_t i = 0; i < options.jobs; i++) {
		struct job *job = &jobs[i];

		snprintf(job->name, sizeof(job->name), "%s-%04x", shuffled[i], (unsigned int)random_below(&random, 0x10000));
		job->seed = random_u64(&random);
		job->records = options.records * (i == the_long_one ? options.ratio : 1);
	}
}

void print_plan(void)
{
	printf("%-5s %-15s %12s %20s\n", "job", "name", "records", "seed");
	for (uint32_t i = 0; i < options.jobs; i++)
		printf("%-5" PRIu32 " %-15s %12" PRIu32 " %20" PRIu64 "\n", i, jobs[i].name, jobs[i].records, jobs[i].seed);
}
