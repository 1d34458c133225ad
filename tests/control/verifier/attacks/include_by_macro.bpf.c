/* A name that is not written. refused: line 3, macro */
#define NAME "/etc/passwd"
#include NAME
