/* An object of gigabytes. refused: line 0, compiling was stopped */
#include <scx/common.bpf.h>
int huge[1 << 30] = { [0 ... (1 << 30) - 1] = 3 };
int *first = huge;
