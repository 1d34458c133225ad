/* Memory without end. refused: line 2, .rept */
asm(".rept 2000000000\n.quad 1\n.endr");
