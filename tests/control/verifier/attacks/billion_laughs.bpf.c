/* A macro that grows tenfold, ten times. refused: line 0, compiling was stopped */
#include <scx/common.bpf.h>
#define A1 ha, ha, ha, ha, ha, ha, ha, ha, ha, ha,
#define A2 A1 A1 A1 A1 A1 A1 A1 A1 A1 A1
#define A3 A2 A2 A2 A2 A2 A2 A2 A2 A2 A2
#define A4 A3 A3 A3 A3 A3 A3 A3 A3 A3 A3
#define A5 A4 A4 A4 A4 A4 A4 A4 A4 A4 A4
#define A6 A5 A5 A5 A5 A5 A5 A5 A5 A5 A5
#define A7 A6 A6 A6 A6 A6 A6 A6 A6 A6 A6
#define A8 A7 A7 A7 A7 A7 A7 A7 A7 A7 A7
#define A9 A8 A8 A8 A8 A8 A8 A8 A8 A8 A8
enum { ha = 1 };
int laughs[] = { A9 A9 A9 A9 A9 A9 A9 A9 A9 A9 };
