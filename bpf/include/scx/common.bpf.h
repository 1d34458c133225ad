/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a sched_ext policy includes: <scx/common.bpf.h> and nothing else of the kernel's.
 *
 * The names are those that sched_ext code in the wild uses; the text is schedcp_gym's own. Types,
 * constants and kfuncs come from vmlinux.h, so no constant has to be filled in by the loader.
 * compat.bpf.h makes one source load on kernels 6.12 to 7.3.
 */
#ifndef __SCX_COMMON_BPF_H
#define __SCX_COMMON_BPF_H

/* The kernel is built with -fms-extensions, and its BTF has the anonymous tags to show for it. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wmicrosoft-anon-tag"
#include "vmlinux.h"
#pragma clang diagnostic pop
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

/* Constants that the kernel has as macros, which BTF does not hold. */
#define PF_IDLE			0x00000002
#define PF_EXITING		0x00000004
#define PF_WQ_WORKER		0x00000020
#define PF_FORKNOEXEC		0x00000040	/* forked, and no exec since */
#define PF_KTHREAD		0x00200000
#define PF_NO_SETAFFINITY	0x04000000

#define EPERM		1
#define ENOENT		2
#define ESRCH		3
#define E2BIG		7
#define EAGAIN		11
#define ENOMEM		12
#define EBUSY		16
#define EEXIST		17
#define ENODEV		19
#define EINVAL		22
#define ENOSPC		28
#define EOPNOTSUPP	95

#define NUMA_NO_NODE	(-1)
#define BPF_MAX_LOOPS	(8 * 1024 * 1024)

#define U32_MAX		((u32)~0U)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define U64_MAX		((u64)~0ULL)
#define S64_MAX		((s64)(U64_MAX >> 1))

#define CLOCK_MONOTONIC	1
#define CLOCK_BOOTTIME	7

#define NSEC_PER_USEC	1000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define USEC_PER_SEC	1000000ULL
#define MSEC_PER_SEC	1000ULL

/* C helpers. */
#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#endif
#ifndef unlikely
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#ifndef READ_ONCE
#define READ_ONCE(x)		(*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val)	(*(volatile typeof(x) *)&(x) = (val))
#endif
#ifndef min
#define min(a, b)	({ typeof(a) __a = (a); typeof(b) __b = (b); __a < __b ? __a : __b; })
#define max(a, b)	({ typeof(a) __a = (a); typeof(b) __b = (b); __a > __b ? __a : __b; })
#endif
#ifndef clamp
#define clamp(x, low, high)	min(max(x, low), high)
#endif
#ifndef round_up
#define round_up(x, step)	((((x) + (step) - 1) / (step)) * (step))
#endif
#ifndef __maybe_unused
#define __maybe_unused	__attribute__((unused))
#endif

/* A private section for a global with a lock, a list or a tree in it: each becomes a map of its own. */
#define private(name)	SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define __contains(type, member)	__attribute__((btf_decl_tag("contains:" #type ":" #member)))

#define bpf_obj_new(type)		((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_obj_drop(ptr)		bpf_obj_drop_impl(ptr, NULL)
#define bpf_list_push_front(head, node)	bpf_list_push_front_impl(head, node, NULL, 0)
#define bpf_list_push_back(head, node)	bpf_list_push_back_impl(head, node, NULL, 0)
#define bpf_rbtree_add(root, node, less)	bpf_rbtree_add_impl(root, node, less, NULL, 0)

/* Pointer to array[index], or NULL when the index is out of bounds; the asm keeps the check in the program. */
#define ARRAY_ELEM_PTR(array, index, count) ({							\
	u64 __at = (u64)(index);								\
	typeof(&(array)[0]) __elem = NULL;							\
												\
	barrier_var(__at);									\
	if (__at < (u64)(count))								\
		__elem = &(array)[__at];							\
	__elem;											\
})

/* Pointer to base member, such as MEMBER_VPTR(ctx, .slots[i]), or NULL when it lies outside of base. */
#define MEMBER_VPTR(base, member) ({								\
	u64 __base = (u64)&(base);								\
	u64 __off = (u64)&((base)member) - __base;						\
	typeof(&((base)member)) __member = NULL;						\
												\
	barrier_var(__off);									\
	if (__off <= sizeof(base) - sizeof((base)member))					\
		__member = (void *)(__base + __off);						\
	__member;										\
})

/* Comparison of clocks and virtual times that may wrap around. */
static __always_inline __maybe_unused bool time_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

static __always_inline __maybe_unused bool time_after(u64 a, u64 b)
{
	return time_before(b, a);
}

static __always_inline __maybe_unused bool time_before_eq(u64 a, u64 b)
{
	return !time_after(a, b);
}

static __always_inline __maybe_unused bool time_after_eq(u64 a, u64 b)
{
	return !time_before(a, b);
}

static __always_inline __maybe_unused bool time_in_range(u64 x, u64 first, u64 last)
{
	return time_after_eq(x, first) && time_before_eq(x, last);
}

#define vtime_before(a, b)	time_before(a, b)
#define vtime_after(a, b)	time_after(a, b)

/* Nanoseconds from b to a, 0 when a is not after b. */
static __always_inline __maybe_unused s64 time_delta(u64 a, u64 b)
{
	return time_after(a, b) ? (s64)(a - b) : 0;
}

static __always_inline __maybe_unused u32 log2_u32(u32 v)
{
	u32 bits = 0;

	if (v >> 16) { v >>= 16; bits += 16; }
	if (v >> 8) { v >>= 8; bits += 8; }
	if (v >> 4) { v >>= 4; bits += 4; }
	if (v >> 2) { v >>= 2; bits += 2; }
	return bits + (v >> 1);
}

static __always_inline __maybe_unused u32 log2_u64(u64 v)
{
	return v >> 32 ? 32 + log2_u32(v >> 32) : log2_u32(v);
}

/* The iterator of the innermost bpf_for_each(), for scx_bpf_dsq_move() and the like. */
#define BPF_FOR_EACH_ITER	(&___it)

/* bpf_cpumask kfuncs that only read take a plain cpumask. */
static __always_inline __maybe_unused const struct cpumask *cast_mask(struct bpf_cpumask *mask)
{
	return (const struct cpumask *)mask;
}

/* Whether the task is kept on its CPU for now. A BPF program itself does so to the task it runs in. */
static __always_inline __maybe_unused bool is_migration_disabled(const struct task_struct *p)
{
	if (!bpf_core_field_exists(p->migration_disabled))
		return false;
	if (p->migration_disabled == 1)
		return bpf_get_current_task_btf() != p;
	return p->migration_disabled;
}

/* Callbacks and the table that names them. */
#define BPF_STRUCT_OPS(name, args...)		SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...)	SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)
#define SCX_OPS_DEFINE(table, fields...)							\
	SEC(".struct_ops.link") struct sched_ext_ops table = { fields }

/*
 * Printf-like calls into sched_ext. The kfuncs take the arguments as an array of u64; the format
 * must be in writable memory for the verifier, hence not const.
 */
#define __scx_format(fmt, args...)								\
	static char __fmt[] = fmt;								\
	unsigned long long __args[___bpf_narg(args) + 1] = {};					\
												\
	_Pragma("GCC diagnostic push")								\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")					\
	___bpf_fill(__args, args);								\
	_Pragma("GCC diagnostic pop")

#define scx_bpf_error(fmt, args...) ({								\
	__scx_format(fmt, ##args);								\
	scx_bpf_error_bstr(__fmt, __args, sizeof(__args));					\
})

#define scx_bpf_dump(fmt, args...) ({								\
	__scx_format(fmt, ##args);								\
	scx_bpf_dump_bstr(__fmt, __args, sizeof(__args));					\
})

#define scx_bpf_exit(code, fmt, args...) ({							\
	__scx_format(fmt, ##args);								\
	scx_bpf_exit_bstr(code, __fmt, __args, sizeof(__args));					\
})

#include <scx/compat.bpf.h>
#include <scx/user_exit_info.bpf.h>
#include <scx/more.bpf.h>

#endif /* __SCX_COMMON_BPF_H */
