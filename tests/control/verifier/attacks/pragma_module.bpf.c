/* Modules. refused: line 2, #pragma clang module */
#pragma clang module import std
