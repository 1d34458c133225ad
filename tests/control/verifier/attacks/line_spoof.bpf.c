/* Errors that name another file. refused: line 2, #line */
#line 1 "/etc/shadow"
#error root:$6$
