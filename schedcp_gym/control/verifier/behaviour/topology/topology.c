// SPDX-License-Identifier: Apache-2.0
/* topology-battery: all cases in one program, each called by a link of its name; and the machine's groups of CPUs. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "topology.h"

#define CPU_FOLDER	"/sys/devices/system/cpu/cpu%d/"
#define CACHES		8

struct groups cores, llcs, nodes;

extern const struct named_case *const __start_named_cases[], *const __stop_named_cases[];

/* A mask as the kernel writes it: hexadecimal, a comma before each 32 bits but the first; 0 when there is none. */
static uint64_t read_mask(const char *path)
{
	char text[64] = "", *from = text, *to = text;
	FILE *file = fopen(path, "re");

	if (!file || !fgets(text, sizeof(text), file))
		text[0] = '\0';
	if (file)
		fclose(file);
	for (; *from; from++)
		if (*from != ',')
			*to++ = *from;
	*to = '\0';
	return strtoull(text, NULL, 16);
}

static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = -1;

	if (file && fscanf(file, "%d", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

/* The CPUs that share a CPU's last level of cache, this one among them. */
static uint64_t llc_of(int cpu)
{
	uint64_t found = 0;
	char path[128];
	int i, level, last = 0;

	for (i = 0; i < CACHES; i++) {
		snprintf(path, sizeof(path), CPU_FOLDER "cache/index%d/level", cpu, i);
		level = read_number(path);
		if (level <= last)
			continue;
		last = level;
		snprintf(path, sizeof(path), CPU_FOLDER "cache/index%d/shared_cpu_map", cpu, i);
		found = read_mask(path);
	}
	return found;
}

/* What lies in no group yet makes one; a CPU that the kernel says nothing of is alone. */
static void add_group(struct groups *groups, uint64_t cpus, int cpu)
{
	int i;

	for (i = 0; i < groups->count; i++)
		if (groups->cpus[i] >> cpu & 1)
			return;
	groups->cpus[groups->count++] = cpus ?: 1ULL << cpu;
}

void case_begin_here(void)
{
	char path[128];
	int cpu, node;

	case_begin();
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		snprintf(path, sizeof(path), CPU_FOLDER "topology/core_cpus", cpu);
		add_group(&cores, read_mask(path), cpu);
		add_group(&llcs, llc_of(cpu), cpu);
		for (node = 0; node < MAX_CPUS; node++) {
			snprintf(path, sizeof(path), CPU_FOLDER "node%d/cpumap", cpu, node);
			if (read_mask(path))
				break;
		}
		add_group(&nodes, read_mask(path), cpu);
	}
	fprintf(stderr, "%d CPUs: %d nodes, %d LLCs, %d cores\n", nr_cpus, nodes.count, llcs.count, cores.count);
}

double least_share(uint32_t from, uint32_t count, double fair_ns)
{
	double least = 1e9;
	uint32_t i;

	for (i = from; i < from + count; i++)
		if (shared->tasks[i].cpu_ns / fair_ns < least)
			least = shared->tasks[i].cpu_ns / fair_ns;
	return least;
}

void put_into(const struct task *t, const char *group)
{
	char path[128], pid[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", t->pid);
	if (!write_text(path, pid))
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

void counting_hog(struct task *t)
{
	while (now_ns() < shared->end_ns) {
		compute(t, 100);
		if (t->cpu >= 0 && t->cpu < MAX_CPUS)
			__atomic_fetch_add(&shared->slots[t->cpu], 1, __ATOMIC_RELAXED);
	}
}

int main(int argc, char **argv)
{
	const struct named_case *const *each;
	const char *name = argc ? basename(argv[0]) : "";

	for (each = __start_named_cases; each < __stop_named_cases; each++)
		if (!strcmp((*each)->name, name))
			return (*each)->run();
	fprintf(stderr, "%s: there is no such case\n", name);
	return 2;
}
