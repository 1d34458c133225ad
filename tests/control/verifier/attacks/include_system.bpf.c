/* The host's own headers. refused: line 2, stdio.h */
#include <stdio.h>
