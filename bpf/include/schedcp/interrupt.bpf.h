/* SPDX-License-Identifier: GPL-2.0-only */
/* On whose behalf something is done: the current task's, or an interrupt's that happens to have hit it. */
#ifndef __SCHEDCP_INTERRUPT_BPF_H
#define __SCHEDCP_INTERRUPT_BPF_H

#include <scx/common.bpf.h>

/* The bits of the first moved when the second came to the kernel. */
extern const int __preempt_count __ksym __weak;
extern const int local_interrupt_disable_state __ksym __weak;

#define SERVES_SOFT_INTERRUPT		0x00000100
#define IN_HARD_INTERRUPT		0x1f000000	/* or an NMI */
#define IN_HARD_INTERRUPT_BEFORE	0x00ff0000

/* Whether this CPU is in an NMI or a hard interrupt, as far as the kernel lets us know. */
static __always_inline __maybe_unused bool in_hard_interrupt(void)
{
	u32 mask = bpf_ksym_exists(&local_interrupt_disable_state) ? IN_HARD_INTERRUPT : IN_HARD_INTERRUPT_BEFORE;
	const int *count = &__preempt_count;

	if (!bpf_ksym_exists(&__preempt_count))
		return false;
	count = bpf_this_cpu_ptr(&__preempt_count);
	return *count & mask;
}

/* Whether this CPU serves a soft interrupt, as far as the kernel lets us know. */
static __always_inline __maybe_unused bool serves_soft_interrupt(void)
{
	const int *count = &__preempt_count;

	if (!bpf_ksym_exists(&__preempt_count))
		return false;
	count = bpf_this_cpu_ptr(&__preempt_count);
	return *count & SERVES_SOFT_INTERRUPT;
}

#endif
