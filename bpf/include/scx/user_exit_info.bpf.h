/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit record: why a policy stopped, kept in .data where the loader reads it.
 *
 * The loader finds it by the struct's name, so the variable may have any. kind is written last: as
 * long as it is 0 (SCX_EXIT_NONE), the policy has not exited.
 */
#ifndef __SCX_USER_EXIT_INFO_BPF_H
#define __SCX_USER_EXIT_INFO_BPF_H

struct user_exit_info {
	int	kind;
	s64	exit_code;
	char	reason[128];
	char	msg[1024];
};

#define UEI_DEFINE(name)	struct user_exit_info name SEC(".data")

#define UEI_RECORD(name, info) ({								\
	bpf_probe_read_kernel_str((name).reason, sizeof((name).reason), (info)->reason);	\
	bpf_probe_read_kernel_str((name).msg, sizeof((name).msg), (info)->msg);			\
	(name).exit_code = (info)->exit_code;							\
	__sync_lock_test_and_set(&(name).kind, (info)->kind);					\
})

#endif /* __SCX_USER_EXIT_INFO_BPF_H */
