/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shape of the machine: which core, last-level cache (LLC) and memory node each CPU belongs to.
 *
 * The kernel is asked when the policy is loaded, and again for a CPU that comes later. Its kfunc
 * scx_bpf_cid_topo() does not serve: it knows nothing of a CPU that was offline when the policy was
 * loaded, and its arguments differ between kernels. So the CPU's own record is read, cpu_info, which
 * stays right while a CPU is away. Where there is none, each CPU is a core, and all share one LLC.
 *
 * Cores and LLCs are numbered from 0 without gaps, nodes as the kernel numbers them (a node whose number is
 * not below the number of CPUs counts as node 0). A policy calls
 * read_topology() in ops.init and has PLACED_CPU_OPS_DEFINE instead of CPU_OPS_DEFINE.
 */
#ifndef __SCHEDCP_TOPOLOGY_BPF_H
#define __SCHEDCP_TOPOLOGY_BPF_H

#include <schedcp/cpus.bpf.h>

/* The kernel's record of each CPU, as the processor describes itself. */
extern const struct cpuinfo_x86 cpu_info __ksym __weak;

/* A policy that groups CPUs in another way defines this before it includes this header. */
#ifndef LLC_ID
#define LLC_ID(cpu, id)	(id)
#endif

struct cpu_place {
	u32 core;
	u32 llc;
	u32 node;
	s32 next_thread;	/* the next CPU of the core, round and round; itself if it is alone */
	bool known;
};

/* What lies between two CPUs, the nearer the less. */
enum cpu_distance {
	SAME_CPU,
	SAME_CORE,
	SAME_LLC,
	SAME_NODE,
	OTHER_NODE,
	DISTANCES,
};

static struct cpu_place places[MAX_CPUS];
/* What the kernel calls each LLC. */
static u32 llc_ids[MAX_CPUS];
static u32 llc_count, node_count;
static u32 node_cpus[MAX_CPUS];

struct cpu_group {
	struct bpf_cpumask __kptr *cpus;
};

/* The CPUs of each LLC, and from MAX_CPUS on those of each node. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_group);
} cpu_groups SEC(".maps");

#define NODE_GROUP(node)	(MAX_CPUS + (node))

static __always_inline __maybe_unused const struct cpu_place *place_of(s32 cpu)
{
	return CPU_SLOT(places, cpu) ?: &places[0];
}

/* Whether the CPU was ever there since the policy was loaded. */
static __always_inline __maybe_unused bool is_placed(s32 cpu)
{
	return place_of(cpu)->known;
}

static __always_inline __maybe_unused u32 llc_of(s32 cpu)
{
	return place_of(cpu)->llc;
}

static __always_inline __maybe_unused u32 node_of(s32 cpu)
{
	return place_of(cpu)->node;
}

/* How many LLCs there are. */
static __always_inline __maybe_unused u32 nr_llcs(void)
{
	return llc_count ?: 1;
}

static __always_inline __maybe_unused u32 nr_nodes(void)
{
	return node_count ?: 1;
}

/* How many CPUs a node has, those that are offline included. */
static __always_inline __maybe_unused u32 nr_node_cpus(u32 node)
{
	u32 *cpus = CPU_SLOT(node_cpus, node);

	return cpus && *cpus ? *cpus : 1;
}

static __always_inline __maybe_unused enum cpu_distance cpu_distance(s32 a, s32 b)
{
	const struct cpu_place *x = place_of(a), *y = place_of(b);

	if (a == b)
		return SAME_CPU;
	if (x->core == y->core)
		return SAME_CORE;
	if (x->llc == y->llc)
		return SAME_LLC;
	return x->node == y->node ? SAME_NODE : OTHER_NODE;
}

/*
 * Claims an idle CPU that the task may use in an LLC, llc_of(cpu), or a node, NODE_GROUP(node_of(cpu)). The
 * kernel prefers the CPU of before, and a core that is idle as a whole; with SCX_PICK_IDLE_CORE it takes no
 * other. Negative when there is none. Not for tasks that are bound.
 */
static __always_inline __maybe_unused s32 claim_idle_in(struct task_struct *p, s32 prev_cpu, u32 group, u64 flags)
{
	struct cpu_group *in = bpf_map_lookup_elem(&cpu_groups, &group);
	struct bpf_cpumask *cpus = in ? in->cpus : NULL;

	return cpus ? scx_bpf_select_cpu_and(p, prev_cpu, 0, cast_mask(cpus), flags) : -ENOENT;
}

/* The same on the whole machine. */
static __always_inline __maybe_unused s32 claim_idle(struct task_struct *p, s32 prev_cpu, u64 flags)
{
	return scx_bpf_select_cpu_and(p, prev_cpu, 0, p->cpus_ptr, flags);
}

/* Whether any CPU of an LLC or a node is among the given ones. */
static __always_inline __maybe_unused bool is_any_in(const struct cpumask *some, u32 group)
{
	struct cpu_group *in = bpf_map_lookup_elem(&cpu_groups, &group);
	struct bpf_cpumask *cpus = in ? in->cpus : NULL;

	return cpus && bpf_cpumask_intersects(cast_mask(cpus), some);
}

/* Wakes an idle CPU of an LLC or a node, for work that waits. Returns whether there was any. */
static __always_inline __maybe_unused bool kick_idle_in(u32 group)
{
	struct cpu_group *in = bpf_map_lookup_elem(&cpu_groups, &group);
	struct bpf_cpumask *cpus = in ? in->cpus : NULL;
	s32 cpu = cpus ? scx_bpf_pick_idle_cpu(cast_mask(cpus), 0) : -ENOENT;

	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	return cpu >= 0;
}

/* Whether another thread of the core is at work. */
static __always_inline __maybe_unused bool is_sibling_busy(s32 cpu)
{
	const struct cpumask *idle;
	s32 at = place_of(cpu)->next_thread;
	bool busy = false;
	u32 i;

	if (at == cpu)
		return false;
	idle = scx_bpf_get_idle_cpumask();
	bpf_for(i, 0, 8) {
		if (at == cpu || busy)
			break;
		busy = !bpf_cpumask_test_cpu(at, idle);
		at = place_of(at)->next_thread;
	}
	scx_bpf_put_idle_cpumask(idle);
	return busy;
}

static __always_inline __maybe_unused void join_group(s32 cpu, u32 group)
{
	struct cpu_group *in = bpf_map_lookup_elem(&cpu_groups, &group);
	struct bpf_cpumask *cpus;

	if (!in)
		return;
	bpf_rcu_read_lock();
	cpus = in->cpus;
	if (cpus)
		bpf_cpumask_set_cpu(cpu, cpus);
	bpf_rcu_read_unlock();
}

/* The number of an LLC that the kernel calls by this id; the next one if none of its CPUs was seen yet. */
static __always_inline __maybe_unused u32 llc_number(u32 id)
{
	u32 llc, known = llc_count;

	bpf_for(llc, 0, known) {
		u32 *known_id = CPU_SLOT(llc_ids, llc);

		if (known_id && *known_id == id)
			return llc;
	}
	return known;
}

/* Puts a CPU into the ring of the threads of its core. */
static __always_inline __maybe_unused void join_core(s32 cpu, struct cpu_place *place)
{
	u32 other, cpus = scx_bpf_nr_cpu_ids();

	place->next_thread = cpu;
	bpf_for(other, 0, cpus) {
		struct cpu_place *thread = CPU_SLOT(places, other);

		if (!thread || !thread->known || thread->core != place->core)
			continue;
		place->next_thread = thread->next_thread;
		thread->next_thread = cpu;
		break;
	}
}

/* Asks the kernel where a CPU belongs; what is known stays as it is. */
static __noinline __maybe_unused void read_place(s32 cpu)
{
	const struct cpuinfo_x86 *info = NULL;
	struct cpu_place *place = CPU_SLOT(places, cpu);
	u32 *llc_id, *cpus, id;
	s32 node;

	if (!place || place->known)
		return;
	if (bpf_ksym_exists(&cpu_info))
		info = bpf_per_cpu_ptr(&cpu_info, cpu);
	node = __COMPAT_scx_bpf_cpu_node(cpu);
	place->node = node > 0 && (u32)node < scx_bpf_nr_cpu_ids() ? node : 0;
	node_count = max(node_count, place->node + 1);
	cpus = CPU_SLOT(node_cpus, place->node);
	if (cpus)
		(*cpus)++;
	place->core = info ? info->topo.logical_core_id : cpu;
	id = LLC_ID(cpu, info ? info->topo.llc_id : 0);
	place->llc = llc_number(id);
	llc_id = CPU_SLOT(llc_ids, place->llc);
	if (llc_id)
		*llc_id = id;
	llc_count = max(llc_count, place->llc + 1);
	join_core(cpu, place);
	place->known = true;
	join_group(cpu, place->llc);
	join_group(cpu, NODE_GROUP(place->node));
}

static __always_inline __maybe_unused s32 make_group(u32 group)
{
	struct cpu_group *in = bpf_map_lookup_elem(&cpu_groups, &group);
	struct bpf_cpumask *cpus = in ? bpf_cpumask_create() : NULL;

	if (!cpus)
		return -ENOMEM;
	cpus = bpf_kptr_xchg(&in->cpus, cpus);
	if (cpus)
		bpf_cpumask_release(cpus);
	return 0;
}

/* For ops.init. A CPU that is offline is asked when it comes: if it never came, the kernel does not know. */
static __always_inline __maybe_unused s32 read_topology(void)
{
	const struct cpumask *online;
	u32 at, cpus = scx_bpf_nr_cpu_ids();
	s32 err = cpus > MAX_CPUS ? -E2BIG : 0;

	bpf_for(at, 0, cpus) {
		err = err ?: make_group(at);
		err = err ?: make_group(NODE_GROUP(at));
	}
	if (err)
		return err;
	online = scx_bpf_get_online_cpumask();
	bpf_for(at, 0, cpus)
		if (bpf_cpumask_test_cpu(at, online))
			read_place(at);
	scx_bpf_put_cpumask(online);
	return 0;
}

#define PLACED_CPU_OPS_DEFINE(name, drain...)							\
void BPF_STRUCT_OPS(name##_cpu_online, s32 cpu)							\
{												\
	read_place(cpu);									\
	set_cpu_leaves(cpu, false);								\
}												\
												\
void BPF_STRUCT_OPS(name##_cpu_offline, s32 cpu)						\
{												\
	set_cpu_leaves(cpu, true);								\
	drain;											\
}												\
												\
void BPF_STRUCT_OPS(name##_cpu_release, s32 cpu, struct scx_cpu_release_args *args)		\
{												\
	give_back_local();									\
}

#endif /* __SCHEDCP_TOPOLOGY_BPF_H */
