/* Out of the folder by dots. refused: line 2, ../../../../../../etc/passwd */
#include "../../../../../../etc/passwd"
