/* A globals section of a terabyte. refused: line 0, bytes of memory */
#include <scx/common.bpf.h>
char huge[1UL << 40];
