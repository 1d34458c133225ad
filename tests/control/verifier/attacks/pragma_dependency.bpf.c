/* Another way to open a file. refused: line 2, #pragma GCC dependency */
#pragma GCC dependency "@SECRET@"
