/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tunables: what may be set before a policy is loaded, declared once, in its source.
 *
 *	TUNABLE(type, name, default, "unit", low, high, scale, "One sentence.");
 *	TUNABLE_TEXT(name, "One sentence.");
 *	TUNABLE_CGROUP(name, "One sentence.");
 *
 * type is u32, u64 or bool; scale is linear or log, the latter for a low above 0. Numbers are plain
 * decimal integers, a bool's default is true or false, its range 0, 1, linear. A text holds up to 15
 * characters, empty unless set: TUNABLE_TEXT the beginning of a process name, TUNABLE_CGROUP that of
 * a cgroup's. A number's name carries its unit: slice_us.
 *
 * The catalogue reads these calls as text: each begins in column 0, outside of any #if, and ends
 * with ");" at the end of a line; arguments are literals, and strings hold no quotation marks.
 */
#ifndef __SCHEDCP_TUNABLE_BPF_H
#define __SCHEDCP_TUNABLE_BPF_H

#define __TUNABLE_TYPE_u32	1
#define __TUNABLE_TYPE_u64	1
#define __TUNABLE_TYPE_bool	1
#define __TUNABLE_SCALE_linear	0
#define __TUNABLE_SCALE_log	1

#define TUNABLE(type, name, value, unit, low, high, scale, text)				\
	_Static_assert(__TUNABLE_TYPE_##type, "type: u32, u64 or bool");			\
	_Static_assert((low) < (high) && (value) >= (low) && (value) <= (high),			\
		       #name ": the default lies outside of the range");			\
	_Static_assert((low) >= __TUNABLE_SCALE_##scale, #name ": log needs a low above 0");	\
	_Static_assert(sizeof("" unit) && sizeof("" text) > 1, #name ": needs a sentence");	\
	const volatile type name = (value)

#define TUNABLE_TEXT(name, text)								\
	_Static_assert(sizeof("" text) > 1, #name ": needs a sentence");			\
	const volatile char name[16] = ""

#define TUNABLE_CGROUP(name, text)	TUNABLE_TEXT(name, text)

#endif /* __SCHEDCP_TUNABLE_BPF_H */
