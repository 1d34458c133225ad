/* A file that the compiler's user could read. refused: line 2, @SECRET@ */
#include "@SECRET@"
