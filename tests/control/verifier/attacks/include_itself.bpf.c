/* Without end. refused: line 2, outside the folders */
#include "policy.bpf.c"
