/* SPDX-License-Identifier: GPL-2.0-only */
/* Which cgroup a task is in, by name: the unified hierarchy's, whatever controllers are on. */
#ifndef __SCHEDCP_CGROUP_BPF_H
#define __SCHEDCP_CGROUP_BPF_H

#include <scx/common.bpf.h>

/* Levels below the root that are looked at. */
#define CGROUP_LEVELS	6

/* Stands for the task's cgroup as long as it stays in there: what was found out about it may be kept. */
static __always_inline __maybe_unused u64 cgroup_handle(const struct task_struct *p)
{
	return (u64)BPF_CORE_READ(p, cgroups);
}

/*
 * Whether the name of the task's cgroup, or of one it lies in, begins with the text of a TUNABLE_CGROUP. An
 * empty text is the beginning of none.
 */
static __always_inline __maybe_unused bool cgroup_begins(const struct task_struct *p, const volatile char text[16])
{
	struct cgroup *own = BPF_CORE_READ(p, cgroups, dfl_cgrp), *at;
	int level, i, depth = BPF_CORE_READ(own, level);
	const char *name;
	char seen[16];

	if (!text[0])
		return false;
	bpf_for(level, 1, 1 + CGROUP_LEVELS) {
		if (level > depth || bpf_core_read(&at, sizeof(at), &own->ancestors[level]))
			break;
		name = BPF_CORE_READ(at, kn, name);
		if (bpf_probe_read_kernel_str(seen, sizeof(seen), name) < 0)
			break;
		bpf_for(i, 0, 15)
			if (!text[i & 15] || seen[i & 15] != text[i & 15])
				break;
		if (i >= 15 || !text[i & 15])
			return true;
	}
	return false;
}

#endif /* __SCHEDCP_CGROUP_BPF_H */
