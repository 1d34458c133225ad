/* Include by another name. refused: line 2, #import */
#import "@SECRET@"
