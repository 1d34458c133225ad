/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * More names that sched_ext code in the wild uses: <scx/common.bpf.h> includes them last.
 *
 * They have a file of their own, since a policy's object holds the line numbers of the headers that it uses: a line more in
 * the middle of common.bpf.h or compat.bpf.h would change every object, and with it recorded figures.
 */
#ifndef __SCX_MORE_BPF_H
#define __SCX_MORE_BPF_H

#include <scx/compat.bpf.h>

#define PF_IO_WORKER		0x00000010
#define PF_MEMALLOC		0x00000800
#define PF_KCOMPACTD		0x00010000
#define PF_KSWAPD		0x00020000
#define NR_CPUS			1024

#define SCX_STRINGIFY(x)	#x
#define SCX_TOSTRING(x)		SCX_STRINGIFY(x)

/* Keeps the compiler from dropping or moving a value. */
#define __sink(value)		asm volatile ("" : "+g"(value))

/*
 * An array that upstream's loader would size to the machine. Ours has no such step: it has room for far more CPUs than
 * any machine of ours has.
 */
#define RESIZABLE_ARRAY(section, array)	array[512] SEC("." #section "." #array)

#define SCX_OPS_CID_DEFINE(table, fields...)							\
	SEC(".struct_ops.link") struct sched_ext_ops_cid table = { fields }

#define scx_bpf_dump_header()	scx_bpf_dump("scx\n")

/* A counter of scx_bpf_events(); 0 on a kernel that does not count this. */
#define scx_read_event(events, name)								\
	(bpf_core_field_exists((events)->name) ? (events)->name : 0)

/* A flag of 6.12 that says nothing any more: the kernel only warned when it was missing. */
#define SCX_OPS_HAS_CGROUP_WEIGHT	0

/* All tasks are switched unless SCX_OPS_SWITCH_PARTIAL is set; the call is from before that flag. */
#define scx_bpf_switch_all()		((void)0)

#define __SCX_MORE static __always_inline __attribute__((unused))

/* A value in proportion to the task's weight (nice value, 100 is nice 0), or in inverse proportion. */
__SCX_MORE u64 __scx_by_weight(const struct task_struct *p, u64 value)
{
	return value * p->scx.weight / 100;
}

__SCX_MORE u64 __scx_by_inverse_weight(const struct task_struct *p, u64 value)
{
	return value * 100 / p->scx.weight;
}

#define scale_by_task_weight(p, value)		__scx_by_weight(p, value)
#define scale_by_task_weight_inverse(p, value)	__scx_by_inverse_weight(p, value)

/*
 * for_each_possible_cpu(cpu) and for_each_online_cpu(cpu), where cpu is an int pointer: iterators over the bits of the
 * kernel's masks, which are given back at the loop's end.
 */
#define __SCX_CPU_ITERATOR(name)								\
struct bpf_iter_##name {									\
	struct bpf_iter_bits bits;								\
	const struct cpumask *mask;								\
};												\
__SCX_MORE int bpf_iter_##name##_new(struct bpf_iter_##name *it, const void *unused, u32 none)	\
{												\
	it->mask = scx_bpf_get_##name##_cpumask();						\
	return bpf_iter_bits_new(&it->bits, (const u64 *)it->mask, sizeof(*it->mask) / 8);	\
}												\
__SCX_MORE int *bpf_iter_##name##_next(struct bpf_iter_##name *it)				\
{												\
	return bpf_iter_bits_next(&it->bits);							\
}												\
__SCX_MORE void bpf_iter_##name##_destroy(struct bpf_iter_##name *it)				\
{												\
	scx_bpf_put_cpumask(it->mask);								\
	bpf_iter_bits_destroy(&it->bits);							\
}
__SCX_CPU_ITERATOR(possible)
__SCX_CPU_ITERATOR(online)
#define for_each_possible_cpu(cpu)	bpf_for_each(possible, cpu, NULL, 0)
#define for_each_online_cpu(cpu)	bpf_for_each(online, cpu, NULL, 0)

/* The barrier keeps clang from making one | of the two addresses, which the kernel's verifier refuses. */
__SCX_MORE bool __scx_has_select_cpu_and(void)
{
	bool has = bpf_ksym_exists(scx_bpf_select_cpu_and);

	barrier_var(has);
	return has || bpf_ksym_exists(__scx_bpf_select_cpu_and);
}

__SCX_MORE u32 __scx_nr_node_ids(void)
{
	return bpf_ksym_exists(scx_bpf_nr_node_ids) ? scx_bpf_nr_node_ids() : 1;
}

__SCX_MORE const struct cpumask *__scx_idle_cpumask_node(s32 node)
{
	return bpf_ksym_exists(scx_bpf_get_idle_cpumask_node) ? scx_bpf_get_idle_cpumask_node(node)
							      : scx_bpf_get_idle_cpumask();
}

__SCX_MORE const struct cpumask *__scx_idle_smtmask_node(s32 node)
{
	return bpf_ksym_exists(scx_bpf_get_idle_smtmask_node) ? scx_bpf_get_idle_smtmask_node(node)
							      : scx_bpf_get_idle_smtmask();
}

#define __COMPAT_HAS_scx_bpf_select_cpu_and		__scx_has_select_cpu_and()
#define __COMPAT_scx_bpf_nr_node_ids()			__scx_nr_node_ids()
#define __COMPAT_scx_bpf_get_idle_cpumask_node(node)	__scx_idle_cpumask_node(node)
#define __COMPAT_scx_bpf_get_idle_smtmask_node(node)	__scx_idle_smtmask_node(node)
#define __COMPAT_has_generic_reenq()			bpf_ksym_exists(scx_bpf_dsq_reenq)
#define __COMPAT_scx_bpf_events(events, size)							\
	(bpf_ksym_exists(scx_bpf_events) ? scx_bpf_events(events, size) : (void)0)
#define __COMPAT_bpf_cpumask_populate(cpumask, from, size)					\
	(bpf_ksym_exists(bpf_cpumask_populate) ? bpf_cpumask_populate(cpumask, from, size) : -EOPNOTSUPP)

/* The compiler step writes this file for a policy that defines names of ours itself: an #undef for each. */
#if __has_include("brought.bpf.h")
#include "brought.bpf.h"
#endif

#endif /* __SCX_MORE_BPF_H */
