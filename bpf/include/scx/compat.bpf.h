/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One source for kernels 6.12 to 7.3.
 *
 * The kfuncs are weak: what a kernel lacks is found missing when the program is loaded, and the
 * verifier drops the branch that would call it. libbpf strips one ___suffix from a kfunc's name, so
 * foo___old declares the kernel's foo with another signature, and the kernel's own foo___v2 is
 * declared foo___v2___new.
 */
#ifndef __SCX_COMPAT_BPF_H
#define __SCX_COMPAT_BPF_H

/* 6.12 only: renamed in 6.13. */
void scx_bpf_dispatch___old(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym __weak;
void scx_bpf_dispatch_vtime___old(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				  u64 enq_flags) __ksym __weak;
bool scx_bpf_consume___old(u64 dsq_id) __ksym __weak;
bool scx_bpf_dispatch_from_dsq___old(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
				     u64 enq_flags) __ksym __weak;
bool scx_bpf_dispatch_vtime_from_dsq___old(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
					   u64 enq_flags) __ksym __weak;
void scx_bpf_dispatch_from_dsq_set_slice___old(struct bpf_iter_scx_dsq *it, u64 slice) __ksym __weak;
void scx_bpf_dispatch_from_dsq_set_vtime___old(struct bpf_iter_scx_dsq *it, u64 vtime) __ksym __weak;

/* Gone from the newest: a policy that needs it has to check with bpf_ksym_exists(). */
struct rq *scx_bpf_cpu_rq(s32 cpu) __ksym __weak;

/* Newer forms of the same calls. */
bool scx_bpf_dsq_insert___v2___new(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym __weak;
bool scx_bpf_dsq_move_to_local___v2___new(u64 dsq_id, u64 enq_flags) __ksym __weak;
void scx_bpf_reenqueue_local___v2___new(void) __ksym __weak;

#define __SCX_COMPAT static __always_inline __attribute__((unused))

__SCX_COMPAT bool __scx_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v2___new))
		return scx_bpf_dsq_insert___v2___new(p, dsq_id, slice, enq_flags);
	if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq_id, slice, enq_flags);
	else
		scx_bpf_dispatch___old(p, dsq_id, slice, enq_flags);
	return true;
}

__SCX_COMPAT bool __scx_dsq_insert_by_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime, u64 enq_flags)
{
	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime)) {
		struct scx_bpf_dsq_insert_vtime_args args = {
			.dsq_id = dsq_id,
			.slice = slice,
			.vtime = vtime,
			.enq_flags = enq_flags,
		};

		return __scx_bpf_dsq_insert_vtime(p, &args);
	}
	if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime))
		scx_bpf_dsq_insert_vtime(p, dsq_id, slice, vtime, enq_flags);
	else
		scx_bpf_dispatch_vtime___old(p, dsq_id, slice, vtime, enq_flags);
	return true;
}

/* Flags are only passed on where the kernel takes them. */
__SCX_COMPAT bool __scx_dsq_move_to_local(u64 dsq_id, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v2___new))
		return scx_bpf_dsq_move_to_local___v2___new(dsq_id, enq_flags);
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq_id);
	return scx_bpf_consume___old(dsq_id);
}

__SCX_COMPAT bool __scx_dsq_move(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move))
		return scx_bpf_dsq_move(it, p, dsq_id, enq_flags);
	return scx_bpf_dispatch_from_dsq___old(it, p, dsq_id, enq_flags);
}

__SCX_COMPAT bool __scx_dsq_move_by_vtime(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
					  u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_vtime))
		return scx_bpf_dsq_move_vtime(it, p, dsq_id, enq_flags);
	return scx_bpf_dispatch_vtime_from_dsq___old(it, p, dsq_id, enq_flags);
}

__SCX_COMPAT void __scx_dsq_move_set_slice(struct bpf_iter_scx_dsq *it, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_set_slice))
		scx_bpf_dsq_move_set_slice(it, slice);
	else
		scx_bpf_dispatch_from_dsq_set_slice___old(it, slice);
}

__SCX_COMPAT void __scx_dsq_move_set_vtime(struct bpf_iter_scx_dsq *it, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_set_vtime))
		scx_bpf_dsq_move_set_vtime(it, vtime);
	else
		scx_bpf_dispatch_from_dsq_set_vtime___old(it, vtime);
}

/* Older kernels take plain writes to these two fields, newer ones want the calls. */
__SCX_COMPAT bool __scx_task_set_slice(struct task_struct *p, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		return scx_bpf_task_set_slice(p, slice);
	p->scx.slice = slice;
	return true;
}

__SCX_COMPAT bool __scx_task_set_dsq_vtime(struct task_struct *p, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_task_set_dsq_vtime))
		return scx_bpf_task_set_dsq_vtime(p, vtime);
	p->scx.dsq_vtime = vtime;
	return true;
}

/* Before 6.15, and only sensible with the built-in idle tracking. */
__SCX_COMPAT s32 __scx_select_cpu_and(struct task_struct *p, s32 prev_cpu, u64 wake_flags,
				      const struct cpumask *allowed, u64 flags)
{
	if (bpf_ksym_exists(__scx_bpf_select_cpu_and)) {
		struct scx_bpf_select_cpu_and_args args = {
			.prev_cpu = prev_cpu,
			.wake_flags = wake_flags,
			.flags = flags,
		};

		return __scx_bpf_select_cpu_and(p, allowed, &args);
	}
	if (bpf_ksym_exists(scx_bpf_select_cpu_and))
		return scx_bpf_select_cpu_and(p, prev_cpu, wake_flags, allowed, flags);
	return scx_bpf_pick_idle_cpu(allowed, flags);
}

__SCX_COMPAT u64 __scx_now(void)
{
	return bpf_ksym_exists(scx_bpf_now) ? scx_bpf_now() : bpf_ktime_get_ns();
}

/* The first task of a queue, or NULL; it may be gone the next moment. */
__SCX_COMPAT struct task_struct *__scx_dsq_peek(u64 dsq_id)
{
	struct task_struct *p = NULL;

	if (bpf_ksym_exists(scx_bpf_dsq_peek))
		return scx_bpf_dsq_peek(dsq_id);
	bpf_for_each(scx_dsq, p, dsq_id, 0)
		return p;
	return NULL;
}

/* Calls by NUMA node came with 6.15. */
__SCX_COMPAT s32 __scx_pick_idle_cpu_node(const struct cpumask *allowed, s32 node, u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_pick_idle_cpu_node))
		return scx_bpf_pick_idle_cpu_node(allowed, node, flags);
	return scx_bpf_pick_idle_cpu(allowed, flags);
}

__SCX_COMPAT s32 __scx_pick_any_cpu_node(const struct cpumask *allowed, s32 node, u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_pick_any_cpu_node))
		return scx_bpf_pick_any_cpu_node(allowed, node, flags);
	return scx_bpf_pick_any_cpu(allowed, flags);
}

__SCX_COMPAT s32 __scx_cpu_node(s32 cpu)
{
	return bpf_ksym_exists(scx_bpf_cpu_node) ? scx_bpf_cpu_node(cpu) : 0;
}

__SCX_COMPAT void __scx_reenqueue_local(void)
{
	if (bpf_ksym_exists(scx_bpf_reenqueue_local___v2___new))
		scx_bpf_reenqueue_local___v2___new();
	else if (bpf_ksym_exists(scx_bpf_reenqueue_local))
		scx_bpf_reenqueue_local();
}

/* Whether ops.select_cpu was asked before this ops.enqueue. Kernels without the flag always ask for a wake-up. */
__SCX_COMPAT bool __scx_enq_cpu_selected(u64 enq_flags)
{
	if (bpf_core_enum_value_exists(enum scx_enq_flags, SCX_ENQ_CPU_SELECTED))
		return enq_flags & SCX_ENQ_CPU_SELECTED;
	return enq_flags & SCX_ENQ_WAKEUP;
}

#define scx_bpf_dsq_insert(p, dsq, slice, flags)	__scx_dsq_insert(p, dsq, slice, flags)
#define scx_bpf_dsq_insert_vtime(p, dsq, slice, vtime, flags)					\
	__scx_dsq_insert_by_vtime(p, dsq, slice, vtime, flags)
#define __scx_second(a, b, ...)				b
#define scx_bpf_dsq_move_to_local(dsq, flags...)	__scx_dsq_move_to_local(dsq, __scx_second(0, ##flags, 0))
#define scx_bpf_dsq_move(it, p, dsq, flags)		__scx_dsq_move(it, p, dsq, flags)
#define scx_bpf_dsq_move_vtime(it, p, dsq, flags)	__scx_dsq_move_by_vtime(it, p, dsq, flags)
#define scx_bpf_dsq_move_set_slice(it, slice)		__scx_dsq_move_set_slice(it, slice)
#define scx_bpf_dsq_move_set_vtime(it, vtime)		__scx_dsq_move_set_vtime(it, vtime)
#define scx_bpf_task_set_slice(p, slice)		__scx_task_set_slice(p, slice)
#define scx_bpf_task_set_dsq_vtime(p, vtime)		__scx_task_set_dsq_vtime(p, vtime)
#define scx_bpf_select_cpu_and(p, prev, wake, allowed, flags)					\
	__scx_select_cpu_and(p, prev, wake, allowed, flags)
#define scx_bpf_now()					__scx_now()
#define scx_bpf_dsq_peek(dsq)				__scx_dsq_peek(dsq)

/* Old names. */
#define scx_bpf_dispatch(p, dsq, slice, flags)		__scx_dsq_insert(p, dsq, slice, flags)
#define scx_bpf_dispatch_vtime(p, dsq, slice, vtime, flags)					\
	__scx_dsq_insert_by_vtime(p, dsq, slice, vtime, flags)
#define scx_bpf_consume(dsq)				__scx_dsq_move_to_local(dsq, 0)
#define scx_bpf_dispatch_from_dsq(it, p, dsq, flags)	__scx_dsq_move(it, p, dsq, flags)
#define scx_bpf_dispatch_vtime_from_dsq(it, p, dsq, flags)					\
	__scx_dsq_move_by_vtime(it, p, dsq, flags)
#define scx_bpf_dispatch_from_dsq_set_slice(it, slice)	__scx_dsq_move_set_slice(it, slice)
#define scx_bpf_dispatch_from_dsq_set_vtime(it, vtime)	__scx_dsq_move_set_vtime(it, vtime)

/* Names with which code in the wild asks for the same. */
#define __COMPAT_scx_bpf_dsq_move(it, p, dsq, flags)		__scx_dsq_move(it, p, dsq, flags)
#define __COMPAT_scx_bpf_dsq_move_vtime(it, p, dsq, flags)	__scx_dsq_move_by_vtime(it, p, dsq, flags)
#define __COMPAT_scx_bpf_dsq_move_set_slice(it, slice)		__scx_dsq_move_set_slice(it, slice)
#define __COMPAT_scx_bpf_dsq_move_set_vtime(it, vtime)		__scx_dsq_move_set_vtime(it, vtime)
#define __COMPAT_scx_bpf_dsq_peek(dsq)				__scx_dsq_peek(dsq)
#define __COMPAT_scx_bpf_dispatch_from_dsq(it, p, dsq, flags)	__scx_dsq_move(it, p, dsq, flags)
#define __COMPAT_scx_bpf_dispatch_vtime_from_dsq(it, p, dsq, flags)	__scx_dsq_move_by_vtime(it, p, dsq, flags)
#define __COMPAT_scx_bpf_dispatch_from_dsq_set_slice(it, slice)	__scx_dsq_move_set_slice(it, slice)
#define __COMPAT_scx_bpf_dispatch_from_dsq_set_vtime(it, vtime)	__scx_dsq_move_set_vtime(it, vtime)
#define __COMPAT_scx_bpf_select_cpu_and(p, prev, wake, allowed, flags)				\
	__scx_select_cpu_and(p, prev, wake, allowed, flags)
#define __COMPAT_scx_bpf_now()					__scx_now()
#define __COMPAT_scx_bpf_consume(dsq)				__scx_dsq_move_to_local(dsq, 0)
#define __COMPAT_scx_bpf_dsq_move_to_local(dsq)			__scx_dsq_move_to_local(dsq, 0)
#define __COMPAT_scx_bpf_task_cgroup(p)				scx_bpf_task_cgroup(p)
#define __COMPAT_scx_bpf_get_online_cpumask()			scx_bpf_get_online_cpumask()
#define __COMPAT_scx_bpf_pick_idle_cpu_node(allowed, node, flags) __scx_pick_idle_cpu_node(allowed, node, flags)
#define __COMPAT_scx_bpf_pick_any_cpu_node(allowed, node, flags) __scx_pick_any_cpu_node(allowed, node, flags)
#define __COMPAT_scx_bpf_cpu_node(cpu)				__scx_cpu_node(cpu)
#define __COMPAT_scx_bpf_cpu_curr(cpu)				scx_bpf_cpu_curr(cpu)
#define __COMPAT_scx_bpf_reenqueue_local_from_anywhere()	__scx_reenqueue_local()
#define __COMPAT_is_enq_cpu_selected(flags)			__scx_enq_cpu_selected(flags)
#define __COMPAT_SCX_KICK_IDLE					SCX_KICK_IDLE
#define __COMPAT_scx_bpf_kick_cpu_IDLE(cpu)			scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE)
#define __COMPAT_ENUM_OR_ZERO(type, value)							\
	(bpf_core_enum_value_exists(type, value) ? bpf_core_enum_value(type, value) : 0)

#endif /* __SCX_COMPAT_BPF_H */
