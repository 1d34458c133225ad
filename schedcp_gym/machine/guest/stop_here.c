// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops the machine at one instruction, with no timer running: loading this module is the stop.
 *
 * A write to the pvpanic port stops the CPU at once, but the machine only when the host's main loop comes round.
 * In between all CPUs count as idle, and an instruction-counted machine that is idle jumps to its next timer, or
 * does not, as the host happens to be fast or slow: two snapshots differed by part of a tick. So the tick that is
 * pending is first let pass with interrupts off. It is one-shot: nothing is left to jump to.
 */
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timekeeping.h>

#define PVPANIC_PORT 0x505

static int __init stop_here_init(void)
{
	u64 end = ktime_get_ns() + 2 * TICK_NSEC;
	unsigned long flags;

	local_irq_save(flags);
	while (ktime_get_ns() < end)
		barrier();	/* not PAUSE, which leaves the emulator's fast path */
	outb(1, PVPANIC_PORT);
	local_irq_restore(flags);
	return -ECANCELED;	/* done: the module is not kept */
}

module_init(stop_here_init);
MODULE_DESCRIPTION("Stops the machine where the host takes its snapshot");
MODULE_LICENSE("GPL");
