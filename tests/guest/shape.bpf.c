// SPDX-License-Identifier: GPL-2.0-only
/* Ends at once, with the place of each of the first eight CPUs as it knows it: 10000 * core + 100 * LLC + node. */
#include <scx/common.bpf.h>
#include <schedcp/topology.bpf.h>

char _license[] SEC("license") = "GPL";

UEI_DEFINE(uei);

static u32 number_of(s32 cpu)
{
	const struct cpu_place *place = place_of(cpu);

	return is_placed(cpu) ? 10000 * place->core + 100 * place->llc + place->node : 999999;
}

s32 BPF_STRUCT_OPS_SLEEPABLE(shape_init)
{
	s32 err = read_topology();

	if (err)
		return err;
	scx_bpf_error("places %u %u %u %u %u %u %u %u of %u %u", number_of(0), number_of(1), number_of(2), number_of(3),
		      number_of(4), number_of(5), number_of(6), number_of(7), nr_llcs(), nr_nodes());
	return 0;
}

void BPF_STRUCT_OPS(shape_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}

SCX_OPS_DEFINE(shape_ops,
	       .init	= (void *)shape_init,
	       .exit	= (void *)shape_exit,
	       .name	= "shape");
