/* The next folder of the search. refused: line 2, include_next */
#include_next <stdlib.h>
