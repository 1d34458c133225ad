/* The same as the preprocessor writes it. refused: line 2, #line */
# 1 "/etc/shadow" 1 3
#error root:$6$
