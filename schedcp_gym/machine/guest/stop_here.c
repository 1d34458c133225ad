// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops the machine at one instruction, with no timer running: loading this module is the stop.
 *
 * A write to the pvpanic port stops the CPU at once, but the machine only when the host's main loop comes round.
 * In between all CPUs count as idle, and an instruction-counted machine that is idle jumps to its next timer, or
 * does not, as the host happens to be fast or slow. So no timer is left to jump to: the tick that is pending is
 * let pass with interrupts off (it is one-shot), the clock chip, which has a daily alarm, is stopped, and the HPET
 * is halted (QEMU lets its periodic timer run on after the kernel has let go of it; all other times that is welcome,
 * it ends long turns). The emulator itself may still have one: it hands on the turn every 100 ms. Whether it jumped
 * shows in the time stamp counter, which otherwise stands still during the stop: with exact=1 such a stop is
 * refused, and the host tries again.
 *
 * The clock chip stays stopped; the kernel does not need it once it runs. Setting it going again would make QEMU
 * announce the change to its monitor, then arm a timer of a second of host time against announcing too often, and
 * the emulator ends a CPU's turn early when such a timer is due: runs differed by a few instructions, then by all.
 */
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/mc146818rtc.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/timekeeping.h>

#include <asm/tsc.h>

#define PVPANIC_PORT 0x505
#define HPET_BASE 0xfed00000
#define HPET_SIZE 0x400
#define HPET_CONFIG 0x10
#define HPET_COUNTS 1u
/* QEMU puts off a timer that is set within 1 us of where it was set before, but has forgotten that after a restore. */
#define HPET_REST_NS 10000
#define MOST_CYCLES 1000	/* 1 us; the few instructions take some 20 ns */

static bool exact;
module_param(exact, bool, 0);
MODULE_PARM_DESC(exact, "refuse a stop during which the clock jumped");

static int __init stop_here_init(void)
{
	u64 end = ktime_get_ns() + 2 * TICK_NSEC;
	void __iomem *hpet = ioremap(HPET_BASE, HPET_SIZE);
	unsigned long flags;
	u32 counting;
	u64 before, after;

	if (!hpet)
		return -ENOMEM;
	local_irq_save(flags);
	while (ktime_get_ns() < end)
		barrier();	/* not PAUSE, which leaves the emulator's fast path */
	spin_lock(&rtc_lock);
	CMOS_WRITE(CMOS_READ(RTC_REG_A) | RTC_DIV_RESET2, RTC_REG_A);
	counting = readl(hpet + HPET_CONFIG);
	writel(counting & ~HPET_COUNTS, hpet + HPET_CONFIG);
	end = ktime_get_ns() + HPET_REST_NS;
	while (ktime_get_ns() < end)
		barrier();
	before = rdtsc_ordered();
	outb(1, PVPANIC_PORT);
	after = rdtsc_ordered();
	writel(counting, hpet + HPET_CONFIG);
	spin_unlock(&rtc_lock);
	local_irq_restore(flags);
	iounmap(hpet);
	if (!exact || after - before <= MOST_CYCLES)
		return -ECANCELED;	/* done: the module is not kept */
	pr_emerg("stop_here: the clock jumped by %llu cycles, from %llu\n", after - before, before);
	return -ERANGE;
}

module_init(stop_here_init);
MODULE_DESCRIPTION("Stops the machine where the host takes its snapshot");
MODULE_LICENSE("GPL");
