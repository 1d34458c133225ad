/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Round robin over a few BPF queues (BPF_MAP_TYPE_QUEUE) of process ids, each served for a while in turn. Task
 * storage remembers who may skip the queues. For the look of schedulers that keep their queues in BPF maps.
 */
#include <scx/common.bpf.h>

char _license[] SEC("license") = "GPL";

const volatile u64 slice_ns = 5 * 1000 * 1000;
const volatile u32 batch = 4;

UEI_DEFINE(uei);

struct ring {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__type(value, s32);
} ring0 SEC(".maps"), ring1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, int);
	__array(values, struct ring);
} rings SEC(".maps") = {
	.values = { [0] = &ring0, [1] = &ring1 },
};

struct task_ctx {
	bool	force_local;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
} task_ctx_stor SEC(".maps");

struct cpu_ctx {
	u64	idx;
	u64	cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_ctx);
} cpu_ctx_stor SEC(".maps");

u64 nr_enqueued, nr_dispatched, nr_overflows;

s32 BPF_STRUCT_OPS(rings_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct task_ctx *tctx;
	s32 cpu;

	tctx = bpf_task_storage_get(&task_ctx_stor, p, 0, 0);
	if (!tctx) {
		scx_bpf_error("task_ctx lookup failed");
		return -ESRCH;
	}

	if (scx_bpf_test_and_clear_cpu_idle(prev_cpu)) {
		tctx->force_local = true;
		return prev_cpu;
	}

	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0) {
		tctx->force_local = true;
		return cpu;
	}

	return prev_cpu;
}

void BPF_STRUCT_OPS(rings_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_ctx *tctx;
	s32 pid = p->pid, cpu;
	int idx = p->scx.weight > 100;
	void *ring;

	tctx = bpf_task_storage_get(&task_ctx_stor, p, 0, 0);
	if (!tctx) {
		scx_bpf_error("task_ctx lookup failed");
		return;
	}

	if (tctx->force_local || ((p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1)) {
		tctx->force_local = false;
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}

	ring = bpf_map_lookup_elem(&rings, &idx);
	if (!ring) {
		scx_bpf_error("failed to find ring %d", idx);
		return;
	}

	if (bpf_map_push_elem(ring, &pid, 0)) {
		__sync_fetch_and_add(&nr_overflows, 1);
		scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, enq_flags);
		return;
	}
	__sync_fetch_and_add(&nr_enqueued, 1);

	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, __COMPAT_SCX_KICK_IDLE);
}

void BPF_STRUCT_OPS(rings_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *p;
	struct cpu_ctx *cpuc;
	u32 zero = 0, left = batch;
	void *ring;
	s32 i, pid;

	cpuc = bpf_map_lookup_elem(&cpu_ctx_stor, &zero);
	if (!cpuc) {
		scx_bpf_error("failed to look up cpu_ctx");
		return;
	}

	bpf_for(i, 0, 2) {
		int idx = (cpuc->idx + i) % 2;

		ring = bpf_map_lookup_elem(&rings, &idx);
		if (!ring)
			return;

		bpf_repeat(BPF_MAX_LOOPS) {
			if (!left || bpf_map_pop_elem(ring, &pid))
				break;
			p = bpf_task_from_pid(pid);
			if (!p)
				continue;
			__sync_fetch_and_add(&nr_dispatched, 1);
			scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, slice_ns, 0);
			bpf_task_release(p);
			left--;
			if (!scx_bpf_dispatch_nr_slots())
				break;
		}
		if (left < batch)
			break;
	}
	cpuc->idx++;
	cpuc->cnt += batch - left;
}

s32 BPF_STRUCT_OPS(rings_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	if (bpf_task_storage_get(&task_ctx_stor, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return 0;
	return -ENOMEM;
}

void BPF_STRUCT_OPS(rings_dump, struct scx_dump_ctx *dctx)
{
	scx_bpf_dump("enqueued=%llu dispatched=%llu", nr_enqueued, nr_dispatched);
}

void BPF_STRUCT_OPS(rings_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(rings_ops,
	       .select_cpu		= (void *)rings_select_cpu,
	       .enqueue			= (void *)rings_enqueue,
	       .dispatch		= (void *)rings_dispatch,
	       .init_task		= (void *)rings_init_task,
	       .dump			= (void *)rings_dump,
	       .exit			= (void *)rings_exit,
	       .timeout_ms		= 5000U,
	       .name			= "rings");
