/* A section named like a path. refused: line 0, there is a section ../../etc/cron.d/x */
#include <scx/common.bpf.h>
char _license[] SEC("license") = "GPL";
int stray SEC("../../etc/cron.d/x") = 1;
