/* SPDX-License-Identifier: GPL-2.0-only */
/* BCC only asks whether the kernel is newer than 4.x. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(6, 12, 0)
