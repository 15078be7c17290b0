/* SPDX-License-Identifier: MIT */
/* Runs while building: `embed NAME < file > header` turns a file into the C
 * array NAME, with a NUL at its end. */
#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  printf("static const unsigned char %s[] = {", argv[1]);
  int column = 0;
  for (int c; (c = getchar()) != EOF; column++) printf("%s%d,", column % 24 == 0 ? "\n  " : "", c);
  printf("\n  0};\n");
  return ferror(stdin) || ferror(stdout) || fclose(stdout) != 0;
}
