// SPDX-License-Identifier: GPL-2.0-only
/*
 * home: each task has a home node, whose memory is near, and runs on another node only after a wait.
 *
 * A new task goes where it is born, or to the node with the fewest homes for its CPUs if that has clearly fewer,
 * and is at home where it first runs, since its memory comes from there. It wakes up on an idle CPU of its home,
 * and waits in its home's line, first come, first served. A CPU without work takes a task of another node when
 * it has waited for remote_us. Who runs abroad goes home as soon as it wakes up, or when the kernel's tick sees
 * an idle CPU there. A CPU with work serves another node's tasks that have waited for patience_ms.
 *
 * Good for: machines with several memory nodes, and tasks that live long enough to fill their node's memory.
 * Bad for: loads that differ between the homes, which wait beside idle CPUs for remote_us and now and then until
 * a tick, some milliseconds; homes are shared out by number, not by work. Short-lived tasks have no memory to be
 * near. Caches within a node count only for the choice of an idle CPU. With one node it is one line for all.
 *
 * Nice values count as longer or shorter slices, within a factor of 8.
 */
#include <scx/common.bpf.h>
#include <schedcp/domains.bpf.h>
#include <schedcp/move.bpf.h>
#include <schedcp/topology.bpf.h>
#include <schedcp/tunable.bpf.h>
#include <schedcp/turn.bpf.h>

char _license[] SEC("license") = "GPL";

TUNABLE(u64, slice_us, 20000, "us", 100, 200000, log, "Time a task of nice 0 may run while others wait.");
TUNABLE(u64, remote_us, 500, "us", 0, 100000, linear, "Wait after which a task runs on another node than its home.");
TUNABLE(bool, go_home, true, "", 0, 1, linear, "Whether a task that runs abroad goes home when a CPU there is idle.");
TUNABLE(u64, patience_ms, 25, "ms", 1, 1000, log, "Wait after which other nodes' CPUs serve a task before their own.");

UEI_DEFINE(uei);

struct home_task {
	u32 home;	/* a node, plus 1; 0: none yet */
	bool has_run;	/* and so has memory there */
};

TASK_DATA_DEFINE(home, struct home_task)

/* How many tasks are at home on each node, and nodes without any CPU left. */
static u32 tasks_of[MAX_CPUS];
static bool is_empty[MAX_CPUS];

static u64 slice_ns(const struct task_struct *p)
{
	return weighted_slice(p, US_TO_NS(slice_us));
}

static void count_home(u32 node, s32 change)
{
	u32 *tasks = CPU_SLOT(tasks_of, node);

	if (tasks)
		__sync_fetch_and_add(tasks, change);
}

static void set_home(struct home_task *t, u32 node)
{
	if (t->home)
		count_home(t->home - 1, -1);
	t->home = 1 + node;
	count_home(node, 1);
}

/* Homes on a node, in hundredths of its CPUs. */
static u32 crowd_of(u32 node)
{
	u32 *tasks = CPU_SLOT(tasks_of, node);

	return tasks ? *tasks * 100 / nr_node_cpus(node) : 0;
}

static bool can_live(const struct task_struct *p, u32 node)
{
	bool *empty = CPU_SLOT(is_empty, node);

	return empty && !*empty && is_any_in(p->cpus_ptr, NODE_GROUP(node));
}

/* The home of a new task: here, or where there are clearly fewer. */
static u32 settle(const struct task_struct *p, u32 here)
{
	u32 node, best = here, nodes = nr_nodes(), least = crowd_of(here);

	least -= min(least, 100 / nr_node_cpus(here));
	bpf_for(node, 0, nodes) {
		if (node == here || crowd_of(node) >= least || !can_live(p, node))
			continue;
		least = crowd_of(node);
		best = node;
	}
	return best;
}

/* The node to run on: home, if the task may go there and anyone is there. */
static u32 home_of(struct task_struct *p, s32 cpu)
{
	struct home_task *t = data_of(p);
	u32 here = node_of(cpu);

	if (!t || is_bound(p) || nr_nodes() == 1)
		return here;
	if (!t->home)
		set_home(t, p->se.sum_exec_runtime ? here : settle(p, here));
	return t->home - 1 == here || can_live(p, t->home - 1) ? t->home - 1 : here;
}

static s32 claim(struct task_struct *p, s32 cpu, u32 node)
{
	if (is_bound(p))
		return scx_bpf_test_and_clear_cpu_idle(cpu) ? cpu : -EBUSY;
	return claim_idle_in(p, cpu, NODE_GROUP(node), 0);
}

/* Wakes an idle CPU for a node's line: one of the node, or any for a task that has waited for too long. */
static void call_help(u32 node, u64 now)
{
	struct task_struct *first = scx_bpf_dsq_peek(node);

	if (!first || kick_idle_in(NODE_GROUP(node)) || !is_overdue(node, US_TO_NS(remote_us), now))
		return;
	wake_idle_cpu(first);
}

s32 BPF_STRUCT_OPS(home_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	s32 cpu = claim(p, prev_cpu, home_of(p, prev_cpu));

	if (cpu < 0)
		return prev_cpu;
	scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), 0);
	return cpu;
}

void BPF_STRUCT_OPS(home_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p), found;
	u32 node;

	if (goes_local(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns(p), enq_flags);
		return;
	}
	node = home_of(p, cpu);
	/* Nobody else wants the CPU that it was asked to leave. */
	if (enq_flags & SCX_ENQ_LAST) {
		found = claim(p, cpu, node);
		scx_bpf_dsq_insert(p, found < 0 ? SCX_DSQ_LOCAL : SCX_DSQ_LOCAL_ON | found, slice_ns(p), enq_flags);
		return;
	}
	scx_bpf_dsq_insert_vtime(p, domain_dsq(node, p), slice_ns(p), scx_bpf_now(), enq_flags);
	found = claim(p, cpu, node);
	if (found >= 0)
		scx_bpf_kick_cpu(found, SCX_KICK_IDLE);
	else if (!is_at_work(node))
		wake_idle_cpu(p);
}

void BPF_STRUCT_OPS(home_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 node = node_of(cpu);

	if (serve_neglected(node, nr_nodes(), cpu, MS_TO_NS(patience_ms)))
		return;
	if (serve_domain(node, cpu))
		call_help(node, scx_bpf_now());
	else if (!if_runnable(prev))
		steal(node, nr_nodes(), US_TO_NS(remote_us));
	else if (!must_leave(cpu))
		scx_bpf_task_set_slice(prev, slice_ns(prev));
}

/* Sees tasks that wait at home or elsewhere, and a CPU that is idle at the home of one that runs abroad. */
void BPF_STRUCT_OPS(home_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u32 node = node_of(cpu), home, *other = CPU_SLOT(looked_at, cpu);
	const struct cpumask *idle;
	u64 now = scx_bpf_now();

	if (nr_nodes() == 1)
		return;
	call_help(node, now);
	if (other)
		call_help(*other, now);
	home = home_of(p, cpu);
	if (!go_home || home == node)
		return;
	idle = scx_bpf_get_idle_cpumask();
	if (is_any_in(idle, NODE_GROUP(home)))
		ask_to_leave(p);
	scx_bpf_put_idle_cpumask(idle);
}

void BPF_STRUCT_OPS(home_running, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	bool *empty = CPU_SLOT(is_empty, node_of(cpu));
	struct home_task *t = data_of(p);

	/* Memory comes from the node where it is first written to. */
	if (t && !t->has_run) {
		t->has_run = true;
		set_home(t, node_of(cpu));
	}
	arrived(cpu);
	note_work(node_of(cpu), true);
	if (empty && *empty)
		*empty = false;
}

void BPF_STRUCT_OPS(home_stopping, struct task_struct *p, bool runnable)
{
	note_work(node_of(scx_bpf_task_cpu(p)), false);
}

void BPF_STRUCT_OPS(home_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct home_task *t = data_of(p);

	if (t && t->home)
		count_home(t->home - 1, -1);
}

/* Whether other CPUs of the node are left when one goes. */
static void note_offline(s32 cpu)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	bool *empty = CPU_SLOT(is_empty, node_of(cpu));
	u32 other, cpus = scx_bpf_nr_cpu_ids(), left = 0;

	bpf_for(other, 0, cpus)
		left += other != cpu && is_placed(other) && node_of(other) == node_of(cpu) &&
			bpf_cpumask_test_cpu(other, online);
	if (empty && !left)
		*empty = true;
	scx_bpf_put_cpumask(online);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(home_init)
{
	return read_topology() ?: create_domains();
}

void BPF_STRUCT_OPS(home_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

PLACED_CPU_OPS_DEFINE(home, note_offline(cpu); drain_domains(nr_nodes(), cpu))

SCX_OPS_DEFINE(home_ops,
	       .select_cpu	= (void *)home_select_cpu,
	       .enqueue		= (void *)home_enqueue,
	       .dispatch	= (void *)home_dispatch,
	       .tick		= (void *)home_tick,
	       .running		= (void *)home_running,
	       .stopping	= (void *)home_stopping,
	       .init_task	= (void *)home_init_task,
	       .exit_task	= (void *)home_exit_task,
	       CPU_OPS(home),
	       .init		= (void *)home_init,
	       .exit		= (void *)home_exit,
	       .flags		= SCX_OPS_ENQ_LAST,
	       .name		= "home");
