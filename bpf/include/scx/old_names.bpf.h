/* SPDX-License-Identifier: GPL-2.0-only */
/* For policies that include none of our headers and use kfuncs by their names of Linux 6.12: the compiler step adds it. */
#ifndef __SCX_OLD_NAMES_BPF_H
#define __SCX_OLD_NAMES_BPF_H

#include <scx/kernel_types.bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <scx/compat.bpf.h>

#define scx_bpf_switch_all()	((void)0)

#if __has_include("brought.bpf.h")
#include "brought.bpf.h"
#endif

#endif /* __SCX_OLD_NAMES_BPF_H */
