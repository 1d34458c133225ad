/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that read the kernel's per-CPU variables, under the names that sched_ext code in the wild uses.
 *
 * A variable is declared `extern … __ksym __weak`. On a kernel without it, a function gives NULL or 0.
 */
#ifndef __SCX_PERCPU_BPF_H
#define __SCX_PERCPU_BPF_H

#include <scx/kernel_types.bpf.h>
#include <bpf/bpf_helpers.h>

extern int sd_llc_size __ksym __weak;
extern int sd_llc_id __ksym __weak;
extern struct kernel_stat kernel_stat __ksym __weak;
extern struct kernel_cpustat kernel_cpustat __ksym __weak;

/* Define name(cpu): a pointer to the CPU's variable. */
#define DEFINE_PER_CPU_PTR_FUNC(name, type, variable)						\
static __always_inline __maybe_unused type *name(s32 cpu)					\
{												\
	return &variable ? bpf_per_cpu_ptr(&variable, cpu) : NULL;				\
}

/* Define name(cpu): what the CPU's variable, itself a pointer, points to. */
#define DEFINE_PER_CPU_PTR_PTR_FUNC(name, type, variable)					\
static __always_inline __maybe_unused type name(s32 cpu)					\
{												\
	type *__at = bpf_per_cpu_ptr(&variable, cpu);						\
												\
	return __at ? *__at : NULL;								\
}

/* Define name(cpu): the value of the CPU's variable. */
#define DEFINE_PER_CPU_VAL_FUNC(name, type, variable)						\
static __always_inline __maybe_unused type name(s32 cpu)					\
{												\
	type *__at = &variable ? bpf_per_cpu_ptr(&variable, cpu) : NULL;			\
												\
	return __at ? *__at : 0;								\
}

/* Define this_name(): the same for the CPU that it runs on. */
#define DEFINE_THIS_CPU_VAL_FUNC(name)								\
static __always_inline __maybe_unused typeof(name(0)) this_##name(void)				\
{												\
	return name(bpf_get_smp_processor_id());						\
}
#define DEFINE_THIS_CPU_PTR_FUNC(name)	DEFINE_THIS_CPU_VAL_FUNC(name)

DEFINE_PER_CPU_VAL_FUNC(cpu_llc_size, int, sd_llc_size)
DEFINE_PER_CPU_VAL_FUNC(cpu_llc_id, int, sd_llc_id)
DEFINE_THIS_CPU_VAL_FUNC(cpu_llc_size)
DEFINE_THIS_CPU_VAL_FUNC(cpu_llc_id)

#endif /* __SCX_PERCPU_BPF_H */
