/* SPDX-License-Identifier: GPL-2.0-only */
/* Integer types by their size, as vmlinux.h defines them (clang's own have other names for the same), and their limits. */
#ifndef __SCHEDCP_STDINT_H
#define __SCHEDCP_STDINT_H

#include <scx/kernel_types.bpf.h>

#define INT8_MIN	(-128)
#define INT8_MAX	127
#define UINT8_MAX	255
#define INT16_MIN	(-32768)
#define INT16_MAX	32767
#define UINT16_MAX	65535
#define INT32_MAX	2147483647
#define INT32_MIN	(-INT32_MAX - 1)
#define UINT32_MAX	4294967295U
#define INT64_MAX	9223372036854775807LL
#define INT64_MIN	(-INT64_MAX - 1)
#define UINT64_MAX	18446744073709551615ULL
#define SIZE_MAX	UINT64_MAX

#endif
