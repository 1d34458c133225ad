/* SPDX-License-Identifier: GPL-2.0-only */
/* Error numbers are macros of <scx/common.bpf.h>; this name for them is what programs are used to. */
#ifndef __SCHEDCP_ERRNO_H
#define __SCHEDCP_ERRNO_H

#include <scx/common.bpf.h>

#endif
