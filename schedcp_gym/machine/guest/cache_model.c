// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges tasks for what the emulator does not have: cold caches, hyper-threads that share a core, remote memory.
 *
 * The footprint model (Thiébaut and Stone, "Footprints in the Cache", ACM TOCS 5(4), 1987). Each core has a private L2
 * cache and each group of cores a last-level cache (LLC). A task has a footprint: the lines that it uses again and
 * again. While it runs, they are in the caches of its CPU. After it leaves, what it left decays with what others bring
 * in: of k lines, k * exp(-x / size) are left after x lines. When it is given a CPU, it pays for the lines that are
 * missing there, by where they come from.
 *
 * A task pays in CPU time of its own: it runs an empty loop on its way back to user space, with interrupts on, no lock
 * held, and gives way like user code does. So the policy and the accounts see a task that takes longer.
 *
 * What the model leaves out: lines that two tasks share do not warm each other's caches (but see hand-offs), kernel
 * threads and interrupts bring in nothing, a task whose footprint exceeds a cache pays only when it is given a CPU.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/task_work.h>
#include <linux/tracepoint.h>
#include <linux/vmalloc.h>

#include <asm/tsc.h>

#define MOST_CPUS 16
#define MOST_PIDS 32768		/* the kernel's own limit with few CPUs */
#define MOST_PROFILES 32
#define MOST_NAMES 512
#define LINES_PER_KIB 16
#define NOWHERE (-1)
#define REST_NS 500000		/* time that a running task may owe unnoticed */
#define FIRST_LOOKS 8		/* arrivals of a new task, each with a look at its resident memory */
#define REFRESH 64		/* arrivals between two looks after that */

/* The machine: CPUs are numbered from the inside out. */
static int threads = 1, cpus_per_llc = MOST_CPUS, cpus_per_node = MOST_CPUS;
module_param(threads, int, 0444);
module_param(cpus_per_llc, int, 0444);
module_param(cpus_per_node, int, 0444);
static int l2_kib = 1024, llc_kib = 16384;
module_param(l2_kib, int, 0444);
module_param(llc_kib, int, 0444);
/* Picoseconds for a line of 64 bytes; those of the last three come on top of the first. */
static int l2_line_ps = 5000, memory_line_ps = 25000, other_llc_line_ps = 25000, other_node_line_ps = 40000;
module_param(l2_line_ps, int, 0444);
module_param(memory_line_ps, int, 0444);
module_param(other_llc_line_ps, int, 0444);
module_param(other_node_line_ps, int, 0444);
static int smt_speed_pct = 62, remote_speed_pct = 80;
module_param(smt_speed_pct, int, 0444);
module_param(remote_speed_pct, int, 0444);
static int shared_kib = 4, resident_pct = 25, resident_cap_kib = 512;
module_param(shared_kib, int, 0444);
module_param(resident_pct, int, 0444);
module_param(resident_cap_kib, int, 0444);
/* NAME=KIB,... where a NAME that ends in * is a prefix; the same with KiB per second; WAKER>WOKEN=KIB,... */
static char *footprints = "", *streams = "", *shared = "";
module_param(footprints, charp, 0444);
module_param(streams, charp, 0444);
module_param(shared, charp, 0444);

struct profile {
	char name[TASK_COMM_LEN + 1];
	u8 length;		/* of the part that counts */
	bool prefix;
	int footprint;		/* lines; -1: from resident memory */
	u32 stream_kib_per_s;
};

static struct profile profiles[MOST_PROFILES];	/* 0: tasks that no other fits */
static u32 profile_count = 1;
static u32 shared_lines[MOST_PROFILES][MOST_PROFILES];

enum cost { COLD_L2, COLD_LLC, HANDOFF, SMT, REMOTE, COSTS };
enum move { SWITCHES, CORE_MOVES, LLC_MOVES, NODE_MOVES, MOVES };

struct account {
	u64 ns[COSTS];
	u64 count[MOVES];
};

/* What is known of a task, by its pid. Only the CPU that runs the task writes it, but for the waker's fields. */
struct task_record {
	struct callback_head work;
	u64 owed_ns;
	struct account account;
	u64 l2_seen, llc_seen;	/* the caches' clocks when it left */
	u32 footprint, arrivals;
	s16 cpu, home;		/* where it ran last; the node of its memory */
	s16 waker_llc;
	u16 waker_profile;
	u8 profile;
	bool known, queued, paying;
};

struct cpu_state {
	struct task_record *running;	/* NULL: nobody, or a kernel thread */
	u64 settled_ns;			/* up to when its time was looked at */
	u64 busy_ns, busy_since;	/* all that was not idle; since 0: idle now */
	u64 sibling_busy_ns;		/* the sibling's busy time at settled_ns */
};

static struct task_record *records;
static struct cpu_state cpu_states[MOST_CPUS];
static u64 l2_clock[MOST_CPUS], llc_clock[MOST_CPUS];	/* lines brought in, by core and by LLC */
static u64 loops_per_ms;
static bool watches_time;

static struct ended {
	char name[TASK_COMM_LEN];
	struct account account;
} ended[MOST_NAMES];
static u32 ended_count;
static DEFINE_RAW_SPINLOCK(ended_lock);

static int core_of(int cpu) { return cpu / threads; }
static int llc_of(int cpu) { return cpu / cpus_per_llc; }
static int node_of(int cpu) { return cpu / cpus_per_node; }

static struct task_record *record_of(const struct task_struct *task)
{
	return (u32)task->pid < MOST_PIDS ? &records[task->pid] : NULL;
}

/* exp(-i) and exp(-i / 16), times 2^16. */
static const u32 whole[] = { 65536, 24109, 8869, 3263, 1200, 442, 162, 60, 22, 8, 3, 1 };
static const u32 part[] = { 65536, 61565, 57835, 54331, 51039, 47947, 45042, 42313, 39750, 37341, 35079, 32953,
			    30957, 29081, 27319, 25664, 24109 };

/* Lines that are left of kept ones after others brought in some: kept * exp(-brought / size). */
static u32 left_of(u32 kept, u64 brought, u32 size)
{
	u64 sixteenths, factor;
	u32 step;

	if (!brought)
		return kept;
	if (brought >= (u64)size * ARRAY_SIZE(whole))
		return 0;
	sixteenths = brought * 16 * 256 / size;	/* in 1/256 of a sixteenth */
	step = (sixteenths >> 8) % 16;
	factor = part[step] - ((part[step] - part[step + 1]) * (sixteenths & 255) >> 8);
	return kept * (factor * whole[sixteenths >> 12] >> 16) >> 16;
}

static void owe(struct task_record *record, enum cost cost, u64 ns)
{
	record->account.ns[cost] += ns;
	record->owed_ns += ns;
}

static void ask_to_pay(struct task_struct *task, struct task_record *record)
{
	if (!record->owed_ns || record->queued || record->paying || task->flags & PF_EXITING)
		return;
	record->queued = true;
	if (task_work_add(task, &record->work, TWA_RESUME))
		record->queued = false;
}

static u64 busy_until(const struct cpu_state *state, u64 now)
{
	return state->busy_ns + (state->busy_since ? now - state->busy_since : 0);
}

/*
 * Charges a running task for the time since the last look: the part in which its sibling was busy, and all of it where
 * its memory is remote. Time that it spent paying is not charged again.
 */
static void settle(struct task_struct *task, int cpu, u64 now)
{
	struct cpu_state *state = &cpu_states[cpu];
	struct task_record *record = state->running;
	u64 ran = now - state->settled_ns, sibling = 0;

	if (threads > 1) {
		sibling = busy_until(&cpu_states[cpu ^ 1], now);
		swap(sibling, state->sibling_busy_ns);
		sibling = min(state->sibling_busy_ns - sibling, ran);
	}
	state->settled_ns = now;
	if (!record || record->paying)
		return;
	if (sibling)
		owe(record, SMT, div_u64(sibling * (100 - smt_speed_pct), smt_speed_pct));
	if (record->home != node_of(cpu))
		owe(record, REMOTE, div_u64(ran * (100 - remote_speed_pct), remote_speed_pct));
	if (profiles[record->profile].stream_kib_per_s) {
		u64 lines = div_u64(ran * profiles[record->profile].stream_kib_per_s, 1000000000 / LINES_PER_KIB);

		l2_clock[core_of(cpu)] += lines;
		llc_clock[llc_of(cpu)] += lines;
	}
}

/* The compiler must not unroll it: what is calibrated must be what is paid. */
static noinline void run_loops(u64 loops)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(loops));
}

/* Begins or ends the time in which a task pays, which is not charged. */
static void set_paying(struct task_record *record, bool paying)
{
	preempt_disable();
	if (watches_time)
		settle(current, smp_processor_id(), rdtsc());
	record->paying = paying;
	preempt_enable();
}

static void pay(struct callback_head *head)
{
	struct task_record *record = container_of(head, struct task_record, work);
	u64 ns;

	WRITE_ONCE(record->queued, false);
	if (current->flags & PF_EXITING)
		return;
	set_paying(record, true);
	while ((ns = xchg(&record->owed_ns, 0))) {
		u64 loops = div_u64(ns * loops_per_ms, 1000000);

		while (loops && !fatal_signal_pending(current)) {
			u32 some = min(loops, loops_per_ms / 64 + 1);

			run_loops(some);
			loops -= some;
			if (test_thread_flag(TIF_NEED_RESCHED) || test_thread_flag(TIF_NEED_RESCHED_LAZY))
				schedule();
		}
	}
	set_paying(record, false);
}

static u8 profile_of(const char *name)
{
	u8 best = 0;

	for (u32 i = 1; i < profile_count; i++) {
		const struct profile *profile = &profiles[i];

		if (strncmp(name, profile->name, profile->length) || (!profile->prefix && name[profile->length]))
			continue;
		if (!profile->prefix)
			return i;
		if (!best || profile->length > profiles[best].length)
			best = i;
	}
	return best;
}

static u32 footprint_of(struct task_struct *task, struct task_record *record)
{
	int declared = profiles[record->profile].footprint;
	u64 lines;

	if (declared >= 0)
		return declared;
	if (record->arrivals++ < FIRST_LOOKS || record->arrivals % REFRESH == 0) {
		lines = ((u64)get_mm_rss(task->mm) << PAGE_SHIFT) / SMP_CACHE_BYTES * resident_pct / 100;
		lines = div_u64(lines, get_nr_threads(task));
		record->footprint = min(lines, (u64)resident_cap_kib * LINES_PER_KIB);
	}
	return record->footprint;
}

/* A task begins to run: what is missing in the caches here? */
static void arrive(struct task_struct *task, struct task_record *record, int cpu)
{
	int core = core_of(cpu), llc = llc_of(cpu), node = node_of(cpu);
	u32 l2_lines = l2_kib * LINES_PER_KIB, llc_lines = llc_kib * LINES_PER_KIB;
	u32 footprint = footprint_of(task, record);
	u32 in_l2 = min(footprint, l2_lines), in_llc = min(footprint, llc_lines);
	u32 l2_missing = in_l2, llc_missing = in_llc, elsewhere = 0;
	int last = record->cpu;

	record->account.count[SWITCHES]++;
	if (last == NOWHERE) {
		record->home = node;
	} else {
		u32 left = left_of(in_llc, llc_clock[llc_of(last)] - record->llc_seen, llc_lines);

		if (core_of(last) == core)
			l2_missing -= left_of(in_l2, l2_clock[core] - record->l2_seen, l2_lines);
		else
			record->account.count[CORE_MOVES]++;
		if (llc_of(last) == llc) {
			llc_missing -= left;
		} else {
			record->account.count[LLC_MOVES]++;
			elsewhere = left;
			if (node_of(last) != node)
				record->account.count[NODE_MOVES]++;
		}
	}
	record->cpu = cpu;
	if (l2_missing) {
		l2_clock[core] += l2_missing;
		owe(record, COLD_L2, div_u64((u64)l2_missing * l2_line_ps, 1000));
	}
	if (llc_missing) {
		u64 ps = (u64)(llc_missing - elsewhere) * (record->home == node ? memory_line_ps : other_node_line_ps);

		if (elsewhere)
			ps += (u64)elsewhere * (node_of(last) == node ? other_llc_line_ps : other_node_line_ps);
		llc_clock[llc] += llc_missing;
		owe(record, COLD_LLC, div_u64(ps, 1000));
	}
	if (record->waker_llc != NOWHERE && record->waker_llc != llc) {
		u64 lines = shared_lines[record->waker_profile][record->profile];
		bool same_node = record->waker_llc * cpus_per_llc / cpus_per_node == node;

		owe(record, HANDOFF, div_u64(lines * (same_node ? other_llc_line_ps : other_node_line_ps), 1000));
	}
	record->waker_llc = NOWHERE;
}

static void learn(struct task_struct *task, struct task_record *record)
{
	memset(record, 0, sizeof(*record));
	init_task_work(&record->work, pay);
	record->cpu = record->home = record->waker_llc = NOWHERE;
	record->profile = profile_of(task->comm);
	record->known = true;
}

static void on_switch(void *data, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int was)
{
	int cpu = smp_processor_id();
	struct cpu_state *state = &cpu_states[cpu];
	struct task_record *record = state->running;
	u64 now = watches_time ? rdtsc() : 0;

	if (record) {
		if (watches_time)
			settle(prev, cpu, now);
		record->l2_seen = l2_clock[core_of(cpu)];
		record->llc_seen = llc_clock[llc_of(cpu)];
		state->running = NULL;
	}
	if (watches_time) {
		state->busy_ns = busy_until(state, now);
		state->busy_since = is_idle_task(next) ? 0 : now;
		state->settled_ns = now;
		if (threads > 1)
			state->sibling_busy_ns = busy_until(&cpu_states[cpu ^ 1], now);
	}
	if (!next->mm || next->flags & PF_KTHREAD)
		return;
	record = record_of(next);
	if (!record)
		return;
	if (!record->known)
		learn(next, record);
	state->running = record;
	arrive(next, record, cpu);
	ask_to_pay(next, record);
}

/* Called for the running task, at each tick at the latest. */
static void on_runtime(void *data, struct task_struct *task, u64 runtime)
{
	int cpu = smp_processor_id();
	struct cpu_state *state = &cpu_states[cpu];
	u64 now = rdtsc();

	if (task != current || !state->running || now - state->settled_ns < REST_NS)
		return;
	settle(task, cpu, now);
	ask_to_pay(task, state->running);
}

static void on_waking(void *data, struct task_struct *task)
{
	struct task_record *woken, *waker;

	if (!in_task() || !current->mm || !task->mm)
		return;
	woken = record_of(task);
	waker = record_of(current);
	if (woken && waker && woken->known) {
		woken->waker_llc = llc_of(smp_processor_id());
		woken->waker_profile = waker->profile;
	}
}

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct task_record *record = record_of(child);

	if (record)
		learn(child, record);
}

static void add(struct account *to, const struct account *from)
{
	for (int i = 0; i < COSTS; i++)
		to->ns[i] += from->ns[i];
	for (int i = 0; i < MOVES; i++)
		to->count[i] += from->count[i];
}

/* Adds a task's account to that of its name, which the last one of the table is if there are too many. */
static void close_account(const struct task_struct *task, struct task_record *record)
{
	unsigned long flags;
	u32 i;

	if (!record->account.count[SWITCHES])
		return;
	raw_spin_lock_irqsave(&ended_lock, flags);
	for (i = 0; i < ended_count; i++)
		if (!strcmp(ended[i].name, task->comm))
			break;
	if (i == ended_count && i == MOST_NAMES)
		i--;
	if (i == ended_count)
		strscpy(ended[ended_count++].name, task->comm, TASK_COMM_LEN);
	add(&ended[i].account, &record->account);
	memset(&record->account, 0, sizeof(record->account));
	raw_spin_unlock_irqrestore(&ended_lock, flags);
}

static void on_exit(void *data, struct task_struct *task, bool group_dead)
{
	struct task_record *record = record_of(task);

	if (record && record->known)
		close_account(task, record);
}

/* A task takes another name, mostly since it executes another program: then its memory is new. */
static void on_rename(void *data, struct task_struct *task, const char *name)
{
	struct task_record *record = record_of(task);

	if (!record || !record->known)
		return;
	close_account(task, record);
	record->profile = profile_of(name);
	record->arrivals = 0;
	record->cpu = NOWHERE;
	if (task == current) {
		preempt_disable();
		arrive(task, record, smp_processor_id());
		preempt_enable();
		ask_to_pay(task, record);
	}
}

static void close_all(void)
{
	struct task_struct *group, *task;

	rcu_read_lock();
	for_each_process_thread(group, task) {
		struct task_record *record = record_of(task);

		if (record && record->known)
			close_account(task, record);
	}
	rcu_read_unlock();
}

static int costs_show(struct seq_file *file, void *data)
{
	close_all();
	seq_puts(file, "name\tcold_l2_ns\tcold_llc_ns\thandoff_ns\tsmt_ns\tremote_ns\t");
	seq_puts(file, "switches\tcore_moves\tllc_moves\tnode_moves\n");
	for (u32 i = 0; i < ended_count; i++) {
		seq_escape(file, ended[i].name, "\t\n\\");
		for (int cost = 0; cost < COSTS; cost++)
			seq_printf(file, "\t%llu", ended[i].account.ns[cost]);
		for (int move = 0; move < MOVES; move++)
			seq_printf(file, "\t%llu", ended[i].account.count[move]);
		seq_putc(file, '\n');
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(costs);

/* A write begins anew: the measured part of a trial starts here. */
static int reset_set(void *data, u64 value)
{
	close_all();
	ended_count = 0;
	memset(ended, 0, sizeof(ended));
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(reset_fops, NULL, reset_set, "%llu\n");

static struct { const char *name; void *probe; struct tracepoint *point; } hooks[] = {
	{ "sched_switch", on_switch }, { "sched_waking", on_waking }, { "sched_process_fork", on_fork },
	{ "sched_process_exit", on_exit }, { "task_rename", on_rename }, { "sched_stat_runtime", on_runtime },
};

static void find_hook(struct tracepoint *point, void *data)
{
	for (int i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strcmp(point->name, hooks[i].name))
			hooks[i].point = point;
}

/* The profile of a declared name, a new one if need be. */
static int __init declare(const char *name, u32 *found)
{
	u32 length = strlen(name), i;
	bool prefix = length && name[length - 1] == '*';

	if (!length || length > TASK_COMM_LEN)
		return -EINVAL;
	if (!strcmp(name, "*")) {
		*found = 0;
		return 0;
	}
	for (i = 1; i < profile_count; i++)
		if (!strcmp(profiles[i].name, name))
			break;
	if (i == MOST_PROFILES)
		return -E2BIG;
	if (i == profile_count) {
		profiles[i] = (struct profile){ .length = length - prefix, .prefix = prefix, .footprint = -1 };
		strscpy(profiles[i].name, name, sizeof(profiles[i].name));
		profile_count++;
	}
	*found = i;
	return 0;
}

/* Reads NAME=VALUE,...; a VALUE of WAKER>WOKEN goes to the pair. All names must be there before the pairs' defaults. */
static int __init read_list(const char *text, int what)
{
	char *copy = kstrdup(text, GFP_KERNEL), *rest = copy, *item, *name, *woken;
	u32 profile, other, value;
	int error = copy ? 0 : -ENOMEM;

	while (!error && (item = strsep(&rest, ",")) && *item) {
		name = strsep(&item, "=");
		error = item ? kstrtou32(item, 10, &value) : -EINVAL;
		woken = what == 's' ? strchr(name, '>') : NULL;
		if (woken)
			*woken++ = 0;
		error = error ?: declare(name, &profile) ?: (woken ? declare(woken, &other) : 0);
		if (error)
			break;
		if (what == 'f')
			profiles[profile].footprint = value * LINES_PER_KIB;
		else if (what == 'r')
			profiles[profile].stream_kib_per_s = value;
		else if (woken)
			shared_lines[profile][other] = value * LINES_PER_KIB + 1;
	}
	kfree(copy);
	return error;
}

/* Fills in what is not declared of pairs: 0 stands for nothing declared, else lines + 1. */
static void __init complete_pairs(void)
{
	u32 usual = shared_lines[0][0] ? shared_lines[0][0] - 1 : shared_kib * LINES_PER_KIB;

	for (u32 i = 0; i < MOST_PROFILES; i++)
		for (u32 j = 0; j < MOST_PROFILES; j++) {
			u32 told = shared_lines[i][j] ?: shared_lines[i][0] ?: shared_lines[0][j];

			if (i || j)
				shared_lines[i][j] = told ? told - 1 : usual;
		}
	shared_lines[0][0] = usual;
}

static void __init calibrate(void)
{
	const u32 loops = 400000;
	u64 ns;

	preempt_disable();
	ns = rdtsc();
	run_loops(loops);
	ns = rdtsc() - ns;
	preempt_enable();
	loops_per_ms = div64_u64(loops * 1000000ull, ns);
}

static int __init cache_model_init(void)
{
	struct dentry *folder;
	int error;

	profiles[0].footprint = -1;
	error = read_list(footprints, 'f') ?: read_list(streams, 'r') ?: read_list(shared, 's');
	if (error)
		return error;
	complete_pairs();
	records = vzalloc(array_size(MOST_PIDS, sizeof(*records)));
	if (!records)
		return -ENOMEM;
	calibrate();
	watches_time = threads > 1 || cpus_per_node < num_possible_cpus();
	for (u32 i = 0; i < profile_count; i++)
		watches_time |= profiles[i].stream_kib_per_s;
	for_each_kernel_tracepoint(find_hook, NULL);
	for (int i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].probe == on_runtime && !watches_time)
			continue;
		error = hooks[i].point ? tracepoint_probe_register(hooks[i].point, hooks[i].probe, NULL) : -ENOENT;
		if (error)
			return error;	/* the machine is not used then: init fails, and with it the job */
	}
	folder = debugfs_create_dir("cache_model", NULL);
	debugfs_create_file("costs", 0444, folder, NULL, &costs_fops);
	debugfs_create_file_unsafe("reset", 0200, folder, NULL, &reset_fops);
	return 0;
}

module_init(cache_model_init);
MODULE_DESCRIPTION("The cost of cold caches, busy siblings and remote memory");
MODULE_LICENSE("GPL");
