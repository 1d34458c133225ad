/* An absolute path. refused: line 2, /etc/passwd */
#include "/etc/passwd"
