// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the probes share: who belongs to the workload, and since when each task is in its state.
 *
 * A task is known by its pid, which is an index: an array's lookup is compiled into a few instructions. A task's name
 * is a small number, given when it is made or renamed; so an event costs no string and no hashing. Probes fill
 * histograms per name, with the time in us by powers of two.
 *
 * This is compiled by BCC, together with the probes asked for and hooks.c. Offsets (TASK_PID …) and the macros that
 * call the probes (ON_RUNS …) are put in front by ../program.py.
 */
#define PIDS		32768	/* the kernel's own limit for up to 32 CPUs */
#define NAMES		128
#define SLOTS		32
#define NS_PER_US	1000

enum {
	NOBODY,		/* not of the workload */
	TIMER,		/* as a waker: a timer that expired */
	OTHER,		/* as a waker: a task that is not of the workload; else: a name too many */
	FIRST_NAME,
	LAUNCHED = 0xfffffffe,	/* will be of the workload when it has become its first program */
	LAUNCHER = 0xffffffff,	/* is not, but its children are */
};

struct task {
	u32 name;
	u32 waker;
	u32 syscall;	/* in which it blocked */
	u64 woken_at;	/* somebody began to wake it */
	u64 ready_at;	/* it waits for a CPU */
	u64 ran_at;	/* it has a CPU */
	u64 blocked_at;	/* it gave up the CPU to wait for something */
	u64 burst_ns;	/* CPU time since it was woken */
	u64 moved_at;	/* it came to this CPU, or into being */
	bool waits;	/* for a pipe */
};

struct histogram {
	u64 slots[SLOTS];
	u64 total_us;
	u64 max_us;
};

struct name {
	char text[16];
};

BPF_ARRAY(tasks, struct task, PIDS);
BPF_HASH(name_ids, struct name, u32, NAMES);
BPF_HASH(name_of_id, u32, struct name, NAMES);
BPF_ARRAY(names_used, u32, 1);

/* Bits that a number needs: slot n holds what is 2^(n-1) or more and less than 2^n. */
static __always_inline u32 slot_of(u64 value)
{
	u32 v = value > 0x7fffffff ? 0x7fffffff : value, slot = 0;

	if (v >> 16) {
		slot += 16;
		v >>= 16;
	}
	if (v >> 8) {
		slot += 8;
		v >>= 8;
	}
	if (v >> 4) {
		slot += 4;
		v >>= 4;
	}
	if (v >> 2) {
		slot += 2;
		v >>= 2;
	}
	return slot + (v >> 1 ? 2 : v);
}

static __always_inline void record(struct histogram *histogram, u64 ns)
{
	u64 us = ns / NS_PER_US;

	__sync_fetch_and_add(&histogram->slots[slot_of(us) & (SLOTS - 1)], 1);
	__sync_fetch_and_add(&histogram->total_us, us);
	if (us > histogram->max_us)
		histogram->max_us = us;
}

static __always_inline u64 kernel_word(u64 at)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)at);
	return value;
}

static __always_inline u32 kernel_int(u64 at)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)at);
	return value;
}

static __always_inline struct task *find(u32 pid)
{
	return tasks.lookup(&pid);
}

static __always_inline bool is_ours(struct task *task)
{
	return task && task->name != NOBODY && task->name < NAMES;
}

/* A field of the user's registers at the entry of the system call that the current task is in. */
static __always_inline u64 system_call(u32 offset)
{
	u64 registers = bpf_task_pt_regs(bpf_get_current_task_btf());

	return kernel_word(registers + offset);
}

#define PROBE(name) BPF_ARRAY(name, struct histogram, NAMES)
