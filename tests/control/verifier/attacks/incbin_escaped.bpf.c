/* By the assembler, spelled in numbers. refused: line 2, .incbin */
asm("\x2e\x69ncbin \"@SECRET@\"");
