/* The compiler's own environment. refused: line 2, /proc/self/environ */
#include "/proc/self/environ"
