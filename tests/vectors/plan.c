/* SPDX-License-Identifier: MIT */
/* build/tests/vectors/plan FILE...: the set is told by the file's name. Nothing
 * of these sets is left out. */
#include <stdio.h>
#include <string.h>

#include "plan_cases.h"

static unsigned passed, failed;

static void run_file(const char *path) {
  json_error_t error;
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  const char *dot = strstr(name, ".json");
  char set[64], why[200];
  snprintf(set, sizeof set, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
  json_t *file = json_load_file(path, 0, &error);
  const json_t *cases = json_object_get(file, "cases");
  if (json_array_size(cases) == 0 || !plan_has_set(set)) {
    printf("FAILED %s: %s\n", path, file ? "no cases, or a set plan does not know" : error.text);
    failed++;
  } else {
    for (size_t i = 0; i < json_array_size(cases); i++) {
      if (plan_case(set, json_array_get(cases, i), why, sizeof why)) {
        passed++;
        continue;
      }
      printf("FAILED %s case %zu: %s\n", set, i, why);
      failed++;
    }
  }
  json_decref(file);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
