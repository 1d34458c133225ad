/* Kills the compiler. refused: line 2, #pragma clang __debug */
_Pragma("clang __debug llvm_fatal_error")
