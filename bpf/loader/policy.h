/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCX_RUN_POLICY_H
#define SCX_RUN_POLICY_H

#include "report.h"

__attribute__((format(printf, 3, 4)))
bool fail(struct report *r, const char *outcome, const char *format, ...);
bool policy_start(struct report *r, const char *object, const char *tunables, const char *log);
bool policy_enabled(void);
void policy_count_entries(struct report *r);
bool policy_in_charge(struct report *r);
bool policy_stop(struct report *r, bool good);

#endif
