/* An object that is never the same. refused: line 3, date-time */
#include <scx/common.bpf.h>
const char when[] = __DATE__ __TIME__;
