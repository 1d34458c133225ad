/* By the assembler, in two strings. refused: line 2, .incbin */
asm(".section .rodata\n.in" "cbin \"@SECRET@\"");
