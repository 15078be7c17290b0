/* SPDX-License-Identifier: MIT */
/* lib/balancer/crc32.c */
#include "helper.h"

#include "../../../lib/balancer/crc32.h"

static uint32_t crc(const char *text, uint64_t n) {
  return ~ttb__crc32_add(UINT32_MAX, text, n);
}

/* The check value of ISO 3309, and what zlib says of others. */
static void values(void **state) {
  (void)state;
  assert_int_equal(crc("123456789", 9), 0xcbf43926);
  assert_int_equal(crc("", 0), 0);
  assert_int_equal(crc("a", 1), 0xe8b7be43);
  assert_int_equal(crc("/index.html", 11), 0xea224b42);
}

/* Any text cut anywhere: the parts make the whole. */
static void joins(void **state) {
  char text[400];
  uint64_t seed = 3;
  (void)state;
  for (int i = 0; i < 400; i++)
    text[i] = (char)((seed = seed * UINT64_C(6364136223846793005) + 1) >> 56);
  for (uint64_t n = 0; n <= 400; n += 1 + n / 7)
    for (uint64_t cut = 0; cut <= n; cut += 1 + cut / 5)
      assert_int_equal(ttb__crc32_join(crc(text, cut), crc(text + cut, n - cut), n - cut),
                       crc(text, n));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(joins)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
