/* SPDX-License-Identifier: MIT */
/* lib/base/random.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/base/random.h"

/* The first numbers of splitmix64 for seed 1234567, as published with its many
 * implementations (Rosetta Code, "Pseudo-random numbers/Splitmix64"). */
static void splitmix_published(void **state) {
  static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
  uint64_t s = 1234567;
  (void)state;
  for (int i = 0; i < 5; i++) assert_int_equal(ttb__splitmix(&s), expected[i]);
}

/* With wyhash's own second constant for a key it is wyrand, here for counter 0
 * and worked out apart: (p0 * (p0 ^ p1)), high half folded onto low half. */
static void is_wyrand(void **state) {
  ttb__random r = {.key = UINT64_C(0xe7037ed1a0b428db), .counter = 0};
  uint64_t a = UINT64_C(0xa0761d6478bd642f), b = a ^ r.key, low = a * b;
  /* schoolbook, 32 bits at a time */
  uint64_t p = (a & UINT32_MAX) * (b & UINT32_MAX), q = (a >> 32) * (b & UINT32_MAX),
           s = (a & UINT32_MAX) * (b >> 32), t = (a >> 32) * (b >> 32);
  uint64_t carry = ((p >> 32) + (q & UINT32_MAX) + (s & UINT32_MAX)) >> 32;
  uint64_t high = t + (q >> 32) + (s >> 32) + carry;
  (void)state;
  assert_int_equal(ttb__random_next(&r), high ^ low);
  assert_int_equal(r.counter, a);
}

static void same_seed_same_numbers(void **state) {
  ttb__random a = ttb__random_start(7, 3), b = ttb__random_start(7, 3);
  ttb__random c = ttb__random_start(7, 4), d = ttb__random_start(8, 3);
  int equal = 0;
  (void)state;
  for (int i = 0; i < 1000; i++) {
    uint64_t x = ttb__random_next(&a);
    assert_int_equal(x, ttb__random_next(&b));
    equal += x == ttb__random_next(&c);
    equal += x == ttb__random_next(&d);
  }
  assert_int_equal(equal, 0);
}

/* Chi-square of 256 classes, of the top and of the bottom byte, over many
 * streams: 255 +- 22.6, so 400 is beyond six deviations. */
static void even(void **state) {
  (void)state;
  for (uint64_t stream = 0; stream < 64; stream++) {
    uint32_t top[256] = {0}, bottom[256] = {0}, pairs[256] = {0};
    ttb__random r = ttb__random_start(0, stream);
    uint64_t last = 0;
    const uint32_t n = 256 * 256;
    for (uint32_t i = 0; i < n; i++) {
      uint64_t x = ttb__random_next(&r);
      top[x >> 56]++;
      bottom[x & 255]++;
      pairs[((x >> 60) << 4 | last >> 60) & 255]++;
      last = x;
    }
    double chi[3] = {0, 0, 0};
    for (int i = 0; i < 256; i++) {
      double e = 256, a = top[i] - e, b = bottom[i] - e, c = pairs[i] - e;
      chi[0] += a * a / e;
      chi[1] += b * b / e;
      chi[2] += c * c / e;
    }
    for (int i = 0; i < 3; i++) assert_true(chi[i] > 120 && chi[i] < 400);
  }
}

static void scale_covers(void **state) {
  (void)state;
  assert_int_equal(ttb__scale32(0, 10), 0);
  assert_int_equal(ttb__scale32(UINT32_MAX, 10), 9);
  assert_int_equal(ttb__scale32(UINT32_C(1) << 31, 10), 5);
  assert_int_equal(ttb__scale32(UINT32_MAX, 1), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splitmix_published), cmocka_unit_test(is_wyrand),
      cmocka_unit_test(same_seed_same_numbers), cmocka_unit_test(even),
      cmocka_unit_test(scale_covers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
