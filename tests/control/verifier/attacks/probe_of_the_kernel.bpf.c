/* A program for another hook. refused: line 0, program for another hook */
#include <scx/common.bpf.h>
char _license[] SEC("license") = "GPL";
SEC("kprobe/do_exit") int probe(void *ctx)
{
	return 0;
}
