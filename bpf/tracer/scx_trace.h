/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCX_TRACE_MAIN_H
#define SCX_TRACE_MAIN_H

#include <stdbool.h>

#include "trace.h"

/* What was counted, as JSON. Returns whether all of it reached the file. */
bool write_trace(const char *path, const struct trace *trace, int edges_fd);

#endif
