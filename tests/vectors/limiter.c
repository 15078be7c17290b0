/* SPDX-License-Identifier: MIT */
/* The limiter's sets alone: build/tests/vectors/limiter FILE... */
#include <stdio.h>

#include "breaker_sets.h"

int main(int argc, char **argv) {
  unsigned passed = 0, failed = 0;
  for (int a = 1; a < argc; a++) {
    json_error_t error;
    json_t *root = json_load_file(argv[a], 0, &error);
    const json_t *scenarios = json_object_get(root, "scenarios");
    if (json_array_size(scenarios) == 0) {
      printf("FAILED %s: %s\n", argv[a], root ? "no scenarios" : error.text);
      failed++;
    }
    for (size_t i = 0; i < json_array_size(scenarios); i++) {
      if (limits_scenario(json_array_get(scenarios, i))) passed++;
      else failed++;
    }
    json_decref(root);
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
