// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types of the kernel's BTF found by name through a table.
 *
 * libbpf 1.5 walks through all of the kernel's 150,000 types for each kernel function that a policy calls: 0.7 s of the
 * guest's time a load. Linked with --wrap, its look-ups come here (libbpf 1.7 sorts the types itself).
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORTH_IT	10000	/* types; a policy's own few hundred are walked through */

int __real_btf__find_by_name_kind(const struct btf *btf, const char *name, uint32_t kind);
int __real_btf__find_by_name_kind_own(const struct btf *btf, const char *name, uint32_t kind);
int __wrap_btf__find_by_name_kind(const struct btf *btf, const char *name, uint32_t kind);
int __wrap_btf__find_by_name_kind_own(const struct btf *btf, const char *name, uint32_t kind);

static const struct btf *indexed;
static uint32_t *heads, *next, buckets, count;

static uint32_t bucket_of(const char *name, uint32_t kind)
{
	uint32_t hash = 2166136261u ^ kind;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash & (buckets - 1);
}

/* From the last type to the first, so that the first of a name is found first, as without a table. */
static int build(const struct btf *btf, uint32_t types)
{
	uint32_t id;

	for (buckets = 1; buckets < types; buckets *= 2)
		;
	free(heads);
	free(next);
	indexed = NULL;
	heads = calloc(buckets, sizeof(*heads));
	next = calloc(types, sizeof(*next));
	if (!heads || !next)
		return -ENOMEM;
	for (id = types - 1; id > 0; id--) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, type->name_off);
		uint32_t at;

		if (!name || !*name)
			continue;
		at = bucket_of(name, btf_kind(type));
		next[id] = heads[at];
		heads[at] = id;
	}
	indexed = btf;
	count = types;
	return 0;
}

int __wrap_btf__find_by_name_kind(const struct btf *btf, const char *name, uint32_t kind)
{
	uint32_t types = btf__type_cnt(btf), id;

	if (types < WORTH_IT || !kind || ((indexed != btf || count != types) && build(btf, types)))
		return __real_btf__find_by_name_kind(btf, name, kind);
	for (id = heads[bucket_of(name, kind)]; id; id = next[id]) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_kind(type) == kind && !strcmp(btf__name_by_offset(btf, type->name_off), name))
			return id;
	}
	return -ENOENT;
}

/* The same, without the types of the BTF that this one builds on: a module's. */
int __wrap_btf__find_by_name_kind_own(const struct btf *btf, const char *name, uint32_t kind)
{
	if (btf__base_btf(btf))
		return __real_btf__find_by_name_kind_own(btf, name, kind);
	return __wrap_btf__find_by_name_kind(btf, name, kind);
}
