/* A file as an array, the directive in two lines. refused: line 4, embed */
const char stolen[] = {
#\
embed "@SECRET@"
};
