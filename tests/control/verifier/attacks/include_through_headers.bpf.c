/* Out of a folder for headers. refused: line 2, outside the folders */
#include "include/../policy.bpf.c"
