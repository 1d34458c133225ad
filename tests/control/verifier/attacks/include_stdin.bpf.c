/* Whatever comes in. refused: line 2, /dev/stdin */
#include </dev/stdin>
