/* What the jail does hold: the compiler's libraries. refused: line 2, outside the folders */
#include "/lib/x86_64-linux-gnu/libc.so.6"
