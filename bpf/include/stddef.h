/* SPDX-License-Identifier: GPL-2.0-only */
/* NULL, offsetof, size_t and the like; the types are those of vmlinux.h. */
#ifndef __SCHEDCP_STDDEF_H
#define __SCHEDCP_STDDEF_H

#include <scx/kernel_types.bpf.h>

#ifndef NULL
#define NULL	((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member)	__builtin_offsetof(type, member)
#endif

#endif
