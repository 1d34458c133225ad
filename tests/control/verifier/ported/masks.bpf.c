/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cpumasks as kptrs: a global mask of primary CPUs, and one in each task's storage with what of it the
 * task may use. Tasks prefer an idle primary CPU and fall back to any.
 */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

#define SHARED_DSQ 0

const volatile u64 slice_ns = 10ULL * NSEC_PER_MSEC;
const volatile u32 nr_primary = 1;

private(MASKS) struct bpf_cpumask __kptr *primary_cpumask;

struct task_ctx {
	struct bpf_cpumask __kptr *cpumask;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
} task_ctx_stor SEC(".maps");

UEI_DEFINE(uei);

static struct task_ctx *try_lookup_task_ctx(struct task_struct *p)
{
	return bpf_task_storage_get(&task_ctx_stor, p, 0, 0);
}

static void refresh_mask(struct task_struct *p, const struct cpumask *allowed)
{
	struct task_ctx *tctx = try_lookup_task_ctx(p);
	struct bpf_cpumask *primary, *mine;

	if (!tctx)
		return;

	bpf_rcu_read_lock();
	primary = primary_cpumask;
	mine = tctx->cpumask;
	if (primary && mine)
		bpf_cpumask_and(mine, cast_mask(primary), allowed);
	bpf_rcu_read_unlock();
}

s32 BPF_STRUCT_OPS(masks_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct task_ctx *tctx = try_lookup_task_ctx(p);
	struct bpf_cpumask *mine;
	s32 cpu = -EBUSY;

	if (!tctx)
		return prev_cpu;

	bpf_rcu_read_lock();
	mine = tctx->cpumask;
	if (mine && !bpf_cpumask_empty(cast_mask(mine)))
		cpu = scx_bpf_pick_idle_cpu(cast_mask(mine), SCX_PICK_IDLE_CORE);
	bpf_rcu_read_unlock();
	if (cpu < 0)
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu < 0)
		return prev_cpu;

	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, slice_ns, 0);
	return cpu;
}

void BPF_STRUCT_OPS(masks_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu;

	if (((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1) || is_migration_disabled(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	scx_bpf_dsq_insert(p, SHARED_DSQ, slice_ns, enq_flags);
	if (__COMPAT_is_enq_cpu_selected(enq_flags))
		return;
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(masks_dispatch, s32 cpu, struct task_struct *prev)
{
	scx_bpf_dsq_move_to_local(SHARED_DSQ);
}

void BPF_STRUCT_OPS(masks_set_cpumask, struct task_struct *p, const struct cpumask *cpumask)
{
	refresh_mask(p, cpumask);
}

s32 BPF_STRUCT_OPS(masks_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct bpf_cpumask *mask;
	struct task_ctx *tctx;

	tctx = bpf_task_storage_get(&task_ctx_stor, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!tctx)
		return -ENOMEM;
	mask = bpf_cpumask_create();
	if (!mask)
		return -ENOMEM;
	mask = bpf_kptr_xchg(&tctx->cpumask, mask);
	if (mask)
		bpf_cpumask_release(mask);
	refresh_mask(p, p->cpus_ptr);
	return 0;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(masks_init)
{
	struct bpf_cpumask *mask;
	u32 i;

	mask = bpf_cpumask_create();
	if (!mask)
		return -ENOMEM;
	bpf_for(i, 0, nr_primary)
		bpf_cpumask_set_cpu(i, mask);
	mask = bpf_kptr_xchg(&primary_cpumask, mask);
	if (mask)
		bpf_cpumask_release(mask);

	return scx_bpf_create_dsq(SHARED_DSQ, -1);
}

void BPF_STRUCT_OPS(masks_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(masks_ops,
	       .select_cpu		= (void *)masks_select_cpu,
	       .enqueue			= (void *)masks_enqueue,
	       .dispatch		= (void *)masks_dispatch,
	       .set_cpumask		= (void *)masks_set_cpumask,
	       .init_task		= (void *)masks_init_task,
	       .init			= (void *)masks_init,
	       .exit			= (void *)masks_exit,
	       .name			= "masks");
