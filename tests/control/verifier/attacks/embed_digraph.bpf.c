/* The same, spelled otherwise. refused: line 3, embed */
const char stolen[] = {
%: /* here */ embed "@SECRET@" limit(16)
};
