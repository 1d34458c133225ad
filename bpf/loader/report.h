/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCX_RUN_REPORT_H
#define SCX_RUN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MAX_EVENTS	64
#define MAX_NAMES	64

struct event {
	char		name[64];
	long long	count;
};

struct share {
	char	name[17];
	double	cpu_s;
};

/* What is reported; scx_run.c fills it in as it goes, so that it holds at any point. */
struct report {
	const char	*outcome, *stage;
	char		message[1024];
	char		ops[128];
	unsigned int	timeout_ms;	/* 0: the kernel's default */
	bool		takes_all;	/* tasks; or only those of the class SCHED_EXT */
	long long	memory_kib;	/* that loading took */
	long long	entries;	/* in the policy's hash tables, at the end */
	int		exit_kind;
	long long	exit_code;
	char		exit_reason[128], exit_msg[1024];
	int		command_exit, command_signal;
	double		cpu_s, wall_s;
	long		cpus;
	struct event	events[MAX_EVENTS];
	int		nr_events;
	struct share	shares[MAX_NAMES];
	int		nr_shares;
	char		kernel_log[16384];
};

int read_file(const char *path, char *buf, size_t size);
int read_events(const char *ops, struct event *events);
void read_acct(const char *path, struct report *r);
int open_kernel_log(void);
void read_kernel_log(int fd, char *buf, size_t size);
void put_string(FILE *out, const char *text);
bool write_report(const char *path, const struct report *r);

#endif
