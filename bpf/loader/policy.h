/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCX_RUN_POLICY_H
#define SCX_RUN_POLICY_H

#include "report.h"

/* Which tasks a policy gets: all, or those of the class SCHED_EXT only. */
enum switch_mode { SWITCH_AS_IT_IS, SWITCH_ALL, SWITCH_PARTIAL };

__attribute__((format(printf, 3, 4)))
bool fail(struct report *r, const char *outcome, const char *format, ...);
bool policy_load(struct report *r, const char *object, const char *tunables, const char *log, enum switch_mode mode);
bool policy_attach(struct report *r);
bool policy_start(struct report *r, const char *object, const char *tunables, const char *log);
bool policy_enabled(void);
void policy_count_entries(struct report *r);
bool policy_in_charge(struct report *r);
bool policy_stop(struct report *r, bool good);

#endif
