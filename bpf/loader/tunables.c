// SPDX-License-Identifier: GPL-2.0-only
/* Variables of a policy's object, and the values that its tunables are given before it is loaded. */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "tunables.h"

/* A variable of a section and its type, with what qualifies it taken off. */
const struct btf_type *find_variable(const struct bpf_object *object, const char *section, const char *name,
				     bool by_type, bool *settable, const struct btf_var_secinfo **info)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1, i;
	const struct btf_type *type, *var;
	bool constant, changes;
	uint32_t at;

	if (id < 0)
		return NULL;
	type = btf__type_by_id(btf, id);
	*info = btf_var_secinfos(type);
	for (i = btf_vlen(type); i > 0; i--, (*info)++) {
		var = btf__type_by_id(btf, (*info)->type);
		if (!var || !btf_is_var(var))
			continue;
		if (!by_type && strcmp(btf__name_by_offset(btf, var->name_off) ?: "", name))
			continue;
		constant = changes = false;
		for (at = var->type; (type = btf__type_by_id(btf, at));) {
			constant |= btf_is_const(type);
			changes |= btf_is_volatile(type);
			if (!btf_is_mod(type) && !btf_is_typedef(type))
				break;
			at = type->type;
		}
		if (by_type && (!type || strcmp(btf__name_by_offset(btf, type->name_off) ?: "", name)))
			continue;
		for (at = type && btf_is_array(type) ? btf_array(type)->type : 0; at;) {
			const struct btf_type *element = btf__type_by_id(btf, at);

			constant |= element && btf_is_const(element);
			changes |= element && btf_is_volatile(element);
			at = element && btf_is_mod(element) ? element->type : 0;
		}
		*settable = constant && changes;
		return type;
	}
	return NULL;
}

static bool set_number(const struct btf_type *type, void *where, const char *value)
{
	bool is_signed = btf_int_encoding(type) & BTF_INT_SIGNED, negative = value[0] == '-';
	unsigned int bits = type->size * 8;
	unsigned long long number, most;
	char *end;

	if (btf_int_encoding(type) & BTF_INT_BOOL)
		bits = 1;
	if (!strcmp(value, "true") || !strcmp(value, "false"))
		value = bits != 1 ? "" : value[0] == 't' ? "1" : "0";
	if (bits > 64 || (negative && !is_signed) || value[negative] < '0' || value[negative] > '9')
		return false;
	errno = 0;
	number = strtoull(value + negative, &end, 10);
	most = bits == 64 ? ~0ULL : (1ULL << bits) - 1;
	if (is_signed)
		most = most / 2 + negative;
	if (errno || *end || number > most)
		return false;
	if (negative)
		number = -number;
	memcpy(where, &number, type->size);	/* little endian */
	return true;
}

static bool set_tunable(struct report *r, struct bpf_object *object, const char *name, const char *value)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	const struct btf_type *type, *element;
	const struct btf_var_secinfo *info;
	bool settable = false, good = false;
	size_t size = 0;
	char *base = map ? bpf_map__initial_value(map, &size) : NULL;

	type = find_variable(object, ".rodata", name, false, &settable, &info);
	if (!base || !type || !settable || (uint64_t)info->offset + info->size > size)
		return fail(r, "rejected", "the policy has no tunable %s", name);
	base += info->offset;
	if (btf_is_int(type) && type->size == info->size) {
		good = set_number(type, base, value);
	} else if (btf_is_array(type)) {
		element = btf__type_by_id(bpf_object__btf(object),
					  btf__resolve_type(bpf_object__btf(object), btf_array(type)->type));
		good = element && btf_is_int(element) && element->size == 1 && strlen(value) < info->size;
		if (good)
			strncpy(base, value, info->size);
	}
	return good || fail(r, "rejected", "tunable %s does not take the value %s", name, value);
}

bool set_tunables(struct report *r, struct bpf_object *object, const char *path)
{
	char line[512], *value;
	bool good = true;
	FILE *file;

	r->stage = "tunables";
	if (!path)
		return true;
	file = fopen(path, "re");
	if (!file)
		return fail(r, "rejected", "%s: %s", path, strerror(errno));
	while (good && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		value = strchr(line, '=');
		if (value)
			*value++ = '\0';
		good = value ? set_tunable(r, object, line, value) : fail(r, "rejected", "not name=value: %s", line);
	}
	fclose(file);
	return good;
}
