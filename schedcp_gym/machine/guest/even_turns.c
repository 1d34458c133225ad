// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives all CPUs of an instruction-counted machine equal shares of time, at a low price in host time.
 *
 * The emulator (QEMU's accel/tcg/tcg-accel-ops-rr.c) runs one CPU after the other. At the start of a lap it divides
 * the time to the machine's next timer by the number of CPUs; each CPU then gets a turn of that length. When a timer
 * expires, or one is armed that becomes the first to expire, the emulator asks every CPU to stop. Each CPU's next
 * turn then begins with a new division of what is left: with S CPUs the turns are L/S, (L - L/S)/S and so on, and the
 * last of eight CPUs gets 0.39 of what the first one gets. After that first lap the turns are equal.
 *
 * So this module makes the unequal lap very short:
 *
 * - Time is divided into rounds. The CPUs' own timers expire only at the start of a round, and in its first
 *   window_ns (1 us of 40 us). In this window another timer, the guard, is always about to expire, so that a lap lasts
 *   no longer than the window.
 * - Before the guard expires, it is moved to the window of the next round. Moving a timer back stops no CPU. The rest
 *   of the round is then divided into equal turns.
 *
 * The guard is moved by the conductor: one more CPU of the virtual machine that the kernel has never heard of. It
 * runs the few instructions below, and passes on its turn with PAUSE. It is the last CPU of a lap, so when it sees
 * the window for the second time, each CPU has had its short turn.
 *
 * The price: a sleep ends at the start of a round, so up to round_ns late. The kernel's own timer slack is 50 us.
 */
#include <linux/clockchips.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kprobes.h>
#include <linux/math64.h>
#include <linux/module.h>

#include <asm/apicdef.h>
#include <asm/tsc.h>

#define LAPIC_BASE 0xfee00000
#define LAPIC_SIZE 0x1000
#define LAPIC_TICK_NS 16	/* the kernel divides the 1 GHz clock by 16 */
#define HPET_BASE 0xfed00000
#define HPET_SIZE 0x400
#define HPET_CONFIG 0x010
#define HPET_COUNTER 0x0f0
#define HPET_COUNTS 1u
#define HPET_TICK_NS 10
#define TIMER_CONFIG(n) (0x100 + 0x20 * (n))
#define TIMER_COMPARATOR(n) (0x108 + 0x20 * (n))
#define TIMER_32_BITS (1u << 8)	/* one-shot, without an interrupt */
/* The kernel uses timers 0 and 1. The addresses of these two are in the conductor's code. */
#define ROUND_TIMER 2
#define GUARD_TIMER 3
/* A page below 1 MiB that nothing uses; its address is in the conductor's code. */
#define CONDUCTOR_PAGE 0x10000
/* The first round starts when the conductor is certainly running. */
#define LEAD_NS 2000000

static uint round_ns = 40000;
module_param(round_ns, uint, 0444);
MODULE_PARM_DESC(round_ns, "length of a round, a multiple of 10");
static uint window_ns = 1000;
module_param(window_ns, uint, 0444);
MODULE_PARM_DESC(window_ns, "length of the window at the start of a round, a multiple of 10");
static uint phase_ns = 64;
module_param(phase_ns, uint, 0444);
MODULE_PARM_DESC(phase_ns, "when in a round the CPUs' timers expire; longer than an HPET tick");
static uint conductor;
module_param(conductor, uint, 0444);
MODULE_PARM_DESC(conductor, "APIC id of the CPU that conducts");

struct score {
	u32 start_ns;		/* TSC at the start of the next round, lower half */
	u32 guard_ticks;	/* HPET at the end of the window of the round after that */
	u32 round_ns;
	u32 round_ticks;
	u32 window_ns;
	u32 window_ticks;
	u32 settled_ns;		/* when in a round all of the CPUs' timers have expired */
	u32 missed;		/* windows that ended before the guard was moved */
};

/*
 * %esi: the score; %ebp: start of the next round; %edi: where the guard goes next; %ecx: visits to this window.
 *
 * Just before a round and in its first part it must not pass on its turn: turns are so short there that it would
 * come to the start of the loop a lap late. If a window is missed (only at the start), it begins anew two rounds later.
 */
asm(
"	.pushsection .rodata\n"
"	.balign 16\n"
"conductor_code:\n"
"	.code16\n"
"	cli\n"
"	lgdtl	%cs:(conductor_gdtr - conductor_code)\n"
"	movl	%cr0, %eax\n"
"	orl	$1, %eax\n"
"	movl	%eax, %cr0\n"
"	ljmpl	$8, $(0x10000 + conductor_flat - conductor_code)\n"
"	.code32\n"
"conductor_flat:\n"
"	movl	$16, %eax\n"
"	movl	%eax, %ds\n"
"	movl	$(0x10000 + conductor_score - conductor_code), %esi\n"
"	movl	0(%esi), %ebp\n"
"	movl	4(%esi), %edi\n"
"	xorl	%ecx, %ecx\n"
"conductor_pass:\n"
"	pause\n"
"conductor_look:\n"
"	rdtsc\n"
"	subl	%ebp, %eax\n"
"	movl	%eax, %edx\n"
"	addl	16(%esi), %edx\n"
"	js	conductor_pass\n"
"	cmpl	24(%esi), %eax\n"
"	jl	conductor_look\n"
"	jecxz	conductor_first_visit\n"
"	cmpl	16(%esi), %eax\n"
"	jg	conductor_missed\n"
"	movl	%edi, %eax\n"
"	subl	20(%esi), %eax\n"
"	movl	%eax, 0xfed00148\n"	/* the next round: the guard is due sooner */
"	movl	%edi, 0xfed00168\n"	/* the guard: the next round is due sooner */
"	addl	8(%esi), %ebp\n"
"	addl	12(%esi), %edi\n"
"	xorl	%ecx, %ecx\n"
"	jmp	conductor_pass\n"
"conductor_first_visit:\n"
"	incl	%ecx\n"
"	jmp	conductor_pass\n"
"conductor_missed:\n"
"	incl	28(%esi)\n"
"	movl	$2, %ecx\n"
"1:	addl	8(%esi), %ebp\n"
"	addl	12(%esi), %edi\n"
"	subl	8(%esi), %eax\n"
"	jns	1b\n"
"	loop	1b\n"
"	movl	%edi, %eax\n"
"	subl	12(%esi), %eax\n"
"	movl	%eax, 0xfed00168\n"
"	subl	20(%esi), %eax\n"
"	movl	%eax, 0xfed00148\n"
"	jmp	conductor_pass\n"
"	.balign 8\n"
"conductor_gdt:\n"
"	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
"conductor_gdtr:\n"
"	.word	23\n"
"	.long	0x10000 + conductor_gdt - conductor_code\n"
"	.balign 8\n"
"conductor_score:\n"
"	.fill	8, 4, 0\n"
"conductor_end:\n"
"	.code64\n"
"	.popsection\n");
extern const char conductor_code[], conductor_score[], conductor_end[];

static int (*arm_lapic)(unsigned long ticks, struct clock_event_device *device);
static u32 grid_ns;	/* TSC at the start of a round, modulo round_ns; the TSC counts nanoseconds */

/* Arms a CPU's timer for the first start of a round at or after its time. */
static int arm_at_round(unsigned long ticks, struct clock_event_device *device)
{
	u64 now = rdtsc();
	u32 phase = grid_ns + phase_ns;
	u64 due = now + (u64)ticks * LAPIC_TICK_NS - phase;
	u64 at = div_u64(due + round_ns - 1, round_ns) * round_ns + phase;

	return arm_lapic(div_u64(at - now + LAPIC_TICK_NS - 1, LAPIC_TICK_NS), device);
}

static struct score *the_score(void)
{
	return __va(CONDUCTOR_PAGE) + (conductor_score - conductor_code);
}

static int show_missed(char *buffer, const struct kernel_param *parameter)
{
	return sysfs_emit(buffer, "%u\n", READ_ONCE(the_score()->missed));
}

static const struct kernel_param_ops missed_ops = { .get = show_missed };
module_param_cb(missed, &missed_ops, NULL, 0444);
MODULE_PARM_DESC(missed, "windows that ended before the guard was moved");

/* The address of a kernel symbol that is not exported to modules. */
static unsigned long __init find_symbol(const char *name)
{
	struct kprobe probe = { .symbol_name = name };
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

static void __init send(void __iomem *lapic, u32 what)
{
	writel(conductor << 24, lapic + APIC_ICR2);
	writel(what, lapic + APIC_ICR);
}

static void __init start_conductor(void __iomem *hpet, void __iomem *lapic)
{
	struct score *score = the_score();
	unsigned long flags;
	u32 first_ticks;
	u64 first_ns;

	send(lapic, APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT);
	msleep(10);
	memcpy(__va(CONDUCTOR_PAGE), conductor_code, conductor_end - conductor_code);
	writel(readl(hpet + HPET_CONFIG) | HPET_COUNTS, hpet + HPET_CONFIG);
	writel(TIMER_32_BITS, hpet + TIMER_CONFIG(ROUND_TIMER));
	writel(TIMER_32_BITS, hpet + TIMER_CONFIG(GUARD_TIMER));
	local_irq_save(flags);
	first_ticks = readl(hpet + HPET_COUNTER) + LEAD_NS / HPET_TICK_NS;
	first_ns = rdtsc() + LEAD_NS;
	div_u64_rem(first_ns, round_ns, &grid_ns);
	*score = (struct score){
		.start_ns = (u32)first_ns,
		.guard_ticks = first_ticks + (window_ns + round_ns) / HPET_TICK_NS,
		.round_ns = round_ns,
		.round_ticks = round_ns / HPET_TICK_NS,
		.window_ns = window_ns,
		.window_ticks = window_ns / HPET_TICK_NS,
		.settled_ns = 3 * phase_ns,
	};
	writel(first_ticks + score->window_ticks, hpet + TIMER_COMPARATOR(GUARD_TIMER));
	writel(first_ticks, hpet + TIMER_COMPARATOR(ROUND_TIMER));
	send(lapic, APIC_DM_STARTUP | CONDUCTOR_PAGE >> PAGE_SHIFT);
	local_irq_restore(flags);
}

static int __init even_turns_init(void)
{
	unsigned long (*find)(const char *name) = (void *)find_symbol("kallsyms_lookup_name");
	void __iomem *hpet = ioremap(HPET_BASE, HPET_SIZE), *lapic = ioremap(LAPIC_BASE, LAPIC_SIZE);
	struct clock_event_device __percpu *devices;
	struct clock_event_device *model;
	int cpu;

	if (!hpet || !lapic || !find || !round_ns || round_ns % HPET_TICK_NS || window_ns % HPET_TICK_NS)
		return -EINVAL;
	if (memchr_inv(__va(CONDUCTOR_PAGE), 0, PAGE_SIZE))
		return -EBUSY;
	/* The CPUs' timers, and what a CPU that comes online later gets a copy of. */
	devices = (void __percpu *)find("lapic_events");
	model = (void *)find("lapic_clockevent");
	if (!devices || !model)
		return -ENOENT;
	start_conductor(hpet, lapic);
	cpus_read_lock();
	arm_lapic = model->set_next_event;
	model->set_next_event = arm_at_round;
	for_each_online_cpu(cpu)
		per_cpu_ptr(devices, cpu)->set_next_event = arm_at_round;
	cpus_read_unlock();
	return 0;
}

module_init(even_turns_init);
MODULE_DESCRIPTION("Equal turns for the CPUs of an instruction-counted machine");
MODULE_LICENSE("GPL");
