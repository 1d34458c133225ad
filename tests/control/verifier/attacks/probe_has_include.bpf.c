/* Asks what there is. refused: line 2, __has_include */
#if __has_include("@SECRET@")
#error yes
#endif
