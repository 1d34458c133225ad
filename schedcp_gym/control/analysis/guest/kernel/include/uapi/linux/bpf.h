/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own: bcc_profile.py links its folder to kernel/uapi. */
#include "../../../uapi/linux/bpf.h"
