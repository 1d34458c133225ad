// SPDX-License-Identifier: GPL-2.0-only
// A probe: how often each process is woken up. Its tables are printed when the workload has ended.
struct name {
	char text[16];
};

BPF_HASH(wakeups, struct name, u64);

TRACEPOINT_PROBE(sched, sched_wakeup)
{
	struct name name = {};

	bpf_probe_read_kernel_str(name.text, sizeof(name.text), (void *)args->comm);
	wakeups.increment(name);
	return 0;
}
