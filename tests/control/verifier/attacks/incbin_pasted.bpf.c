/* By an assembler that is written nowhere. refused: line 0, incbin */
#include <scx/common.bpf.h>
#define PASTE(a, b) a##b
PASTE(as, m)(".incbin \"@SECRET@\"");
