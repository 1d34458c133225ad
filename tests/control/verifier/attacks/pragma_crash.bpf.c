/* Kills the compiler. refused: line 2, #pragma clang __debug */
#pragma clang __debug crash
