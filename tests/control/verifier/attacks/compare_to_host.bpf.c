/* The host's paths and name. refused: line 3, undeclared */
#include <scx/common.bpf.h>
const char *where = HOSTNAME;
