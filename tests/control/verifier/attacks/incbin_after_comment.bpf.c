/* By the assembler, behind a comment of its own. refused: line 2, .incbin */
asm("/* */ .incbin \"@SECRET@\"");
