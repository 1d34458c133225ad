/* Reaches into processes. refused: line 7, bpf_probe_write_user */
#include <scx/common.bpf.h>
char _license[] SEC("license") = "GPL";
SEC("syscall") int reach(void *ctx)
{
	u64 x = 0;
	return bpf_probe_write_user((void *)8, &x, sizeof(x));
}
