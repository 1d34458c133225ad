/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In place of the kernel's headers: the little that BCC's own headers want of them. The probes name offsets that come
 * from the kernel's type information, so nothing else is needed, and a compilation takes a guest second, not six.
 */
#define CONFIG_BPF_SYSCALL 1
