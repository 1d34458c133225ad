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

#include <scx/kernel_types.bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

/* Constants that the kernel has as macros, which BTF does not hold. */
#define PF_IDLE			0x00000002
#define PF_EXITING		0x00000004
#define PF_IO_WORKER		0x00000010
#define PF_WQ_WORKER		0x00000020
#define PF_FORKNOEXEC		0x00000040	/* forked, and no exec since */
#define PF_MEMALLOC		0x00000800
#define PF_KCOMPACTD		0x00010000
#define PF_KSWAPD		0x00020000
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
#define NR_CPUS		1024
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

/*
 * An array that upstream's loader would size to the machine. Ours has no such step: it has room for far more CPUs than
 * any machine of ours has.
 */
#define RESIZABLE_ARRAY(section, array)	array[512] SEC("." #section "." #array)

/*
 * Comparison of clocks and virtual times that may wrap around. These and all other names without "scx" in them are macros
 * or defined under a private name: a policy that brings a function of the same name gets its own (see the end of this file).
 */
static __always_inline __maybe_unused bool __scx_time_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

#define time_before(a, b)	__scx_time_before(a, b)
#define time_after(a, b)	__scx_time_before(b, a)
#define time_before_eq(a, b)	(!__scx_time_before(b, a))
#define time_after_eq(a, b)	(!__scx_time_before(a, b))
#define time_in_range(x, first, last)	__scx_time_in_range(x, first, last)
#define vtime_before(a, b)	__scx_time_before(a, b)
#define vtime_after(a, b)	__scx_time_before(b, a)
#define time_delta(a, b)	__scx_time_delta(a, b)

static __always_inline __maybe_unused bool __scx_time_in_range(u64 x, u64 first, u64 last)
{
	return !__scx_time_before(x, first) && !__scx_time_before(last, x);
}

/* Nanoseconds from b to a, 0 when a is not after b. */
static __always_inline __maybe_unused s64 __scx_time_delta(u64 a, u64 b)
{
	return __scx_time_before(b, a) ? (s64)(a - b) : 0;
}

static __always_inline __maybe_unused u32 __scx_log2_u32(u32 v)
{
	u32 bits = 0;

	if (v >> 16) { v >>= 16; bits += 16; }
	if (v >> 8) { v >>= 8; bits += 8; }
	if (v >> 4) { v >>= 4; bits += 4; }
	if (v >> 2) { v >>= 2; bits += 2; }
	return bits + (v >> 1);
}

static __always_inline __maybe_unused u32 __scx_log2_u64(u64 v)
{
	return v >> 32 ? 32 + __scx_log2_u32(v >> 32) : __scx_log2_u32(v);
}

#define log2_u32(v)	__scx_log2_u32(v)
#define log2_u64(v)	__scx_log2_u64(v)

/* A value in proportion to the task's weight (nice value, 100 is nice 0), or in inverse proportion. */
static __always_inline __maybe_unused u64 __scx_by_weight(const struct task_struct *p, u64 value)
{
	return value * p->scx.weight / 100;
}

static __always_inline __maybe_unused u64 __scx_by_inverse_weight(const struct task_struct *p, u64 value)
{
	return value * 100 / p->scx.weight;
}

#define scale_by_task_weight(p, value)		__scx_by_weight(p, value)
#define scale_by_task_weight_inverse(p, value)	__scx_by_inverse_weight(p, value)

/* The iterator of the innermost bpf_for_each(), for scx_bpf_dsq_move() and the like. */
#define BPF_FOR_EACH_ITER	(&___it)

/*
 * for_each_possible_cpu(cpu) and for_each_online_cpu(cpu), where cpu is an int pointer: iterators over the bits of the
 * kernel's masks, which are given back at the loop's end.
 */
#define __SCX_CPU_ITERATOR(name)									\
struct bpf_iter_##name {									\
	struct bpf_iter_bits bits;								\
	const struct cpumask *mask;								\
};												\
static __always_inline __maybe_unused int						\
bpf_iter_##name##_new(struct bpf_iter_##name *it, const void *unused, u32 none)		\
{												\
	it->mask = scx_bpf_get_##name##_cpumask();						\
	return bpf_iter_bits_new(&it->bits, (const u64 *)it->mask, sizeof(*it->mask) / 8);	\
}												\
static __always_inline __maybe_unused int *bpf_iter_##name##_next(struct bpf_iter_##name *it)	\
{												\
	return bpf_iter_bits_next(&it->bits);							\
}												\
static __always_inline __maybe_unused void bpf_iter_##name##_destroy(struct bpf_iter_##name *it)	\
{												\
	scx_bpf_put_cpumask(it->mask);								\
	bpf_iter_bits_destroy(&it->bits);							\
}
__SCX_CPU_ITERATOR(possible)
__SCX_CPU_ITERATOR(online)
#define for_each_possible_cpu(cpu)	bpf_for_each(possible, cpu, NULL, 0)
#define for_each_online_cpu(cpu)	bpf_for_each(online, cpu, NULL, 0)

/* bpf_cpumask kfuncs that only read take a plain cpumask. */
static __always_inline __maybe_unused const struct cpumask *__scx_cast_mask(struct bpf_cpumask *mask)
{
	return (const struct cpumask *)mask;
}

#define cast_mask(mask)	__scx_cast_mask(mask)

/* Whether the task is kept on its CPU for now. A BPF program itself does so to the task it runs in. */
static __always_inline __maybe_unused bool __scx_is_migration_disabled(const struct task_struct *p)
{
	if (!bpf_core_field_exists(p->migration_disabled))
		return false;
	if (p->migration_disabled == 1)
		return bpf_get_current_task_btf() != p;
	return p->migration_disabled;
}

#define is_migration_disabled(p)	__scx_is_migration_disabled(p)

/* Keeps the compiler from dropping or moving a value. */
#define __sink(value)	asm volatile ("" : "+g"(value))

/* Callbacks and the table that names them. */
#define BPF_STRUCT_OPS(name, args...)		SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...)	SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)
#define SCX_OPS_DEFINE(table, fields...)							\
	SEC(".struct_ops.link") struct sched_ext_ops table = { fields }
#define SCX_OPS_CID_DEFINE(table, fields...)							\
	SEC(".struct_ops.link") struct sched_ext_ops_cid table = { fields }

#define SCX_STRINGIFY(x)	#x
#define SCX_TOSTRING(x)		SCX_STRINGIFY(x)

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

#define scx_bpf_dump_header()	scx_bpf_dump("scx\n")

#include <scx/compat.bpf.h>
#include <scx/user_exit_info.bpf.h>

/* The compiler step writes this file for a policy that defines names of ours itself: an #undef for each. */
#if __has_include("brought.bpf.h")
#include "brought.bpf.h"
#endif

#endif /* __SCX_COMMON_BPF_H */
