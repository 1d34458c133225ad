/* SPDX-License-Identifier: GPL-2.0-only */
/* The three functions that clang makes into plain BPF instructions, for sizes known when the policy is compiled. */
#ifndef __SCHEDCP_STRING_H
#define __SCHEDCP_STRING_H

#ifndef memset
#define memset(to, value, size)		__builtin_memset(to, value, size)
#endif
#ifndef memcpy
#define memcpy(to, from, size)		__builtin_memcpy(to, from, size)
#endif
#ifndef memmove
#define memmove(to, from, size)		__builtin_memmove(to, from, size)
#endif

#endif
