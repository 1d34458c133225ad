/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases for other machines than that of 2 CPUs: the battery's framework, and what the kernel says of cores, last-level
 * caches and nodes.
 */
#ifndef TOPOLOGY_H
#define TOPOLOGY_H

#include "battery.h"

#define MAX_CPUS	64

/* CPUs that share something, as a mask. */
struct groups {
	int		count;
	uint64_t	cpus[MAX_CPUS];
};

/* Found by case_begin_here(), in order of their first CPU. */
extern struct groups cores, llcs, nodes;

/* As case_begin(), with the groups. */
void case_begin_here(void);

static inline int weight(uint64_t cpus)
{
	return __builtin_popcountll(cpus);
}

/* A CPU of a group by its place in it, from 0 on. */
static inline int nth_cpu(uint64_t cpus, int n)
{
	while (n-- > 0)
		cpus &= cpus - 1;
	return __builtin_ctzll(cpus);
}

/* The least CPU time that any of some tasks got in the window, as a part of a fair share. */
double least_share(uint32_t from, uint32_t count, double fair_ns);

/* Puts a task that was started into a control group. */
void put_into(const struct task *t, const char *group);

/* As hog(), and counts in shared->slots on which CPU it computes. */
void counting_hog(struct task *t);

/* A case is a function beside its declaration; the program finds it by the name that it is called by. */
struct named_case {
	const char	*name;
	int		(*run)(void);
};

#define CASE(_name)									\
	static int _name(void);								\
	static const struct named_case named_##_name = { #_name, _name };		\
	static const struct named_case *const listed_##_name				\
		__attribute__((used, section("named_cases"))) = &named_##_name;		\
	static int _name(void)

#endif
