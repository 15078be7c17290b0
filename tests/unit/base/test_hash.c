/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/hash.c.
 *
 * Published values: the self-test table of xxhsum (Cyan4973/xxHash,
 * cli/xsum_sanity_check.c: lengths 0, 1, 4, 14, 222 of its generated buffer,
 * seeds 0 and 2654435761) and ClickHouse's 00803_xxhash.sql. The other lengths,
 * chosen at every branch of the algorithm, come from python-xxhash 3.0.0. */
#include <trimtab/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PRIME32 UINT64_C(2654435761)
#define PRIME64 UINT64_C(11400714785074694797)

static unsigned char buffer[2243];

static int fill(void **state) {
  (void)state;
  uint64_t g = PRIME32;
  for (size_t i = 0; i < sizeof buffer; i++) {
    buffer[i] = (unsigned char)(g >> 56);
    g *= PRIME64;
  }
  return 0;
}

static const struct {
  uint32_t n;
  uint64_t seed_0, seed_prime;
} known[] = {
    {0, UINT64_C(0xef46db3751d8e999), UINT64_C(0xac75fda2929b17ef)},
    {1, UINT64_C(0xe934a84adb052768), UINT64_C(0x5014607643a9b4c3)},
    {2, UINT64_C(0x5d48cd60a77e23ff), UINT64_C(0x9e93152232d54a39)},
    {3, UINT64_C(0xff7e1959cb50794a), UINT64_C(0xaa8584e83660f7d1)},
    {4, UINT64_C(0x9136a0dca57457ee), UINT64_C(0xcaab286bd8e9fdb5)},
    {5, UINT64_C(0x9b046fb1397f09a5), UINT64_C(0x2af5249930f984ec)},
    {7, UINT64_C(0x6c83909a9f01ed25), UINT64_C(0xf98d03b1ad6f9293)},
    {8, UINT64_C(0xcdbcf538e71d1348), UINT64_C(0xfe0c047a5353cdac)},
    {9, UINT64_C(0x554b1ae991eda6b6), UINT64_C(0x7908265248f6d73f)},
    {12, UINT64_C(0x0723bf50086ead9a), UINT64_C(0x8252819f4e506951)},
    {14, UINT64_C(0x8282dcc4994e35c8), UINT64_C(0xc3bd6bf63deb6df0)},
    {15, UINT64_C(0x180719316d622d84), UINT64_C(0xd61105c20e91f99f)},
    {16, UINT64_C(0x98c90b57fdfcb55c), UINT64_C(0xc900ad2d536b607e)},
    {31, UINT64_C(0x299b39a290e6d783), UINT64_C(0xda673d5feb5c1d79)},
    {32, UINT64_C(0x18b216492bb44b70), UINT64_C(0xb3f33bdf93ade409)},
    {33, UINT64_C(0x55c8dc3e578f5b59), UINT64_C(0xe92c292f64bc3071)},
    {63, UINT64_C(0xa9efbe0fa0f3f4e7), UINT64_C(0x6c911fadb05b6fc2)},
    {64, UINT64_C(0xef558f8acac2b5cd), UINT64_C(0xb5eeba99264cc44f)},
    {65, UINT64_C(0xde0f20dc2631af7a), UINT64_C(0xd3f6ff3941e310ca)},
    {100, UINT64_C(0x4bfe019cd91d9ea4), UINT64_C(0x4853706dc9625cae)},
    {222, UINT64_C(0xb641ae8cb691c174), UINT64_C(0x20cb8ab7ae10c14a)},
    {256, UINT64_C(0x5e3f5bf94d574981), UINT64_C(0x34733cbd9cc1b0d5)},
    {1000, UINT64_C(0x52bd1358f22e9ef7), UINT64_C(0x72751a2408017e26)},
    {2243, UINT64_C(0x6580659b3a2fd03d), UINT64_C(0x7e2e7265ebd87ae5)},
};

static void test_known_values(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    assert_true(ttb_hash(buffer, known[i].n, 0) == known[i].seed_0);
    assert_true(ttb_hash(buffer, known[i].n, PRIME32) == known[i].seed_prime);
  }
}

static void test_known_words(void **state) {
  (void)state;
  assert_true(ttb_hash("ABC", 3, 0) == UINT64_C(0xe66ae7354fcfee98));
  assert_true(ttb_hash("xxhash", 6, 0) == UINT64_C(0x32dd38952c4bc720));
  assert_true(ttb_hash("xxhash", 6, 20141025) == UINT64_C(0xb559b98d844e0635));
  assert_true(ttb_hash("abc", 3, UINT64_MAX) == UINT64_C(0x28306e589cc02176));
}

/* The place in memory does not matter, nor what lies around. */
static void test_any_address(void **state) {
  (void)state;
  static unsigned char copy[128 + 16];
  for (size_t at = 0; at < 16; at++) {
    memset(copy, (int)at, sizeof copy);
    memcpy(copy + at, buffer, 100);
    assert_true(ttb_hash(copy + at, 100, 0) == UINT64_C(0x4bfe019cd91d9ea4));
  }
}

static void test_null(void **state) {
  (void)state;
  assert_true(ttb_hash(NULL, 0, 0) == UINT64_C(0xef46db3751d8e999));
  assert_true(ttb_hash(NULL, 1, 0) == 0);
  assert_true(ttb_hash(NULL, UINT64_MAX, 7) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_values),
      cmocka_unit_test(test_known_words),
      cmocka_unit_test(test_any_address),
      cmocka_unit_test(test_null),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
