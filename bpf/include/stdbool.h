/* SPDX-License-Identifier: GPL-2.0-only */
/* bool, true and false: vmlinux.h has them as kernel types, and clang's own macros go with it. */
#ifndef __SCHEDCP_STDBOOL_H
#define __SCHEDCP_STDBOOL_H

#define __bool_true_false_are_defined	1
#ifndef __cplusplus
#define bool	_Bool
#define true	1
#define false	0
#endif

#endif
