/* SPDX-License-Identifier: GPL-2.0-only */
/* Named by BCC; nothing of it is used here. */
