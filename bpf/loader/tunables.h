/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCX_RUN_TUNABLES_H
#define SCX_RUN_TUNABLES_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "report.h"

const struct btf_type *find_variable(const struct bpf_object *object, const char *section, const char *name,
				     bool by_type, bool *settable, const struct btf_var_secinfo **info);
bool set_tunables(struct report *r, struct bpf_object *object, const char *path);

#endif
