/* By the assembler, as one of two dialects. refused: line 2, .incbin */
asm("{.incbin \"@SECRET@\"|}");
