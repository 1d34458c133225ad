/* Asks for a file's size. refused: line 2, __has_embed */
#if __has_embed("@SECRET@" limit(7)) == 1
#error yes
#endif
