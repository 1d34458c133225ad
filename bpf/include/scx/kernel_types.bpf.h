/* SPDX-License-Identifier: GPL-2.0-only */
/* vmlinux.h without the warnings that come from how the kernel itself is compiled. */
#ifndef __SCX_KERNEL_TYPES_BPF_H
#define __SCX_KERNEL_TYPES_BPF_H

/* The kernel is built with -fms-extensions, and its BTF has the anonymous tags to show for it. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wmicrosoft-anon-tag"
#include "vmlinux.h"
#pragma clang diagnostic pop

#endif /* __SCX_KERNEL_TYPES_BPF_H */
