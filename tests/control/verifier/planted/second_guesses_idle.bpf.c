// SPDX-License-Identifier: GPL-2.0-only
/* planted: Woken tasks wait up to 20 ms before they are let go, even on an idle machine: correct,
 * and of no use to anybody.
 * stage: performance
 * caught-by: wake-up latency, throughput
 */
/*
 * second_guesses_idle: batches wake-ups.
 *
 * Tasks that become ready are collected and let go together every 20 milliseconds, so that a CPU
 * that is woken from idle finds enough work to stay awake.
 */
#include <scx/common.bpf.h>
#include <schedcp/helpers.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

const volatile u64 slice_ns = 4 * NSEC_PER_MSEC;
const volatile u64 period_ns = 20 * NSEC_PER_MSEC;

#define COLLECTED	0
#define READY	1
#define MOST	512

struct clockwork {
	struct bpf_timer	timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clockwork);
} clockworks SEC(".maps");

/* Time at which what is queued now may go. */
static u64 release_at;

static int let_go(void *map, int *key, struct bpf_timer *timer)
{
	u32 cpu, cpus = scx_bpf_nr_cpu_ids();

	WRITE_ONCE(release_at, scx_bpf_now());
	bpf_for(cpu, 0, cpus)
		scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
	bpf_timer_start(timer, period_ns, 0);
	return 0;
}

s32 BPF_STRUCT_OPS(second_guesses_idle_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return prev_cpu;
}

void BPF_STRUCT_OPS(second_guesses_idle_enqueue, struct task_struct *p, u64 enq_flags)
{
	if (is_cpu_kthread(p)) {
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, slice_ns, enq_flags);
		return;
	}
	/* Who used up a slice has been let go already. */
	if (enq_flags & SCX_ENQ_WAKEUP)
		scx_bpf_dsq_insert_vtime(p, COLLECTED, slice_ns, scx_bpf_now(), enq_flags);
	else
		scx_bpf_dsq_insert(p, READY, slice_ns, enq_flags);
}

void BPF_STRUCT_OPS(second_guesses_idle_dispatch, s32 cpu, struct task_struct *prev)
{
	u64 limit = READ_ONCE(release_at);

	if (time_before(first_key(COLLECTED, limit), limit) && scx_bpf_dsq_move_to_local(COLLECTED))
		return;
	scx_bpf_dsq_move_to_local(READY);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(second_guesses_idle_init)
{
	struct clockwork *clockwork;
	u32 zero = 0;
	s32 err = scx_bpf_create_dsq(COLLECTED, -1) ?: scx_bpf_create_dsq(READY, -1);

	clockwork = bpf_map_lookup_elem(&clockworks, &zero);
	if (err || !clockwork)
		return err ?: -ESRCH;
	bpf_timer_init(&clockwork->timer, &clockworks, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&clockwork->timer, let_go);
	return bpf_timer_start(&clockwork->timer, period_ns, 0);
}

void BPF_STRUCT_OPS(second_guesses_idle_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(second_guesses_idle_ops,
	       .select_cpu	= (void *)second_guesses_idle_select_cpu,
	       .enqueue		= (void *)second_guesses_idle_enqueue,
	       .dispatch	= (void *)second_guesses_idle_dispatch,
	       .init		= (void *)second_guesses_idle_init,
	       .exit		= (void *)second_guesses_idle_exit,
	       .name		= "second_guesses_idle");
