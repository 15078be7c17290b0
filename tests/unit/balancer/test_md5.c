/* SPDX-License-Identifier: MIT */
/* lib/balancer/md5.c */
#include "helper.h"

#include "../../../lib/balancer/md5.h"

/* The test suite of RFC 1321, A.5. */
static void rfc_1321(void **state) {
  static const struct {
    const char *text, *digest;
  } cases[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ttb__md5 md = ttb__md5_of(cases[i].text, strlen(cases[i].text));
    char hex[33] = {0};
    for (uint32_t k = 0; k < 16; k++) {
      uint32_t byte = md.word[k / 4] >> 8 * (k % 4) & 255;
      hex[2 * k] = "0123456789abcdef"[byte >> 4];
      hex[2 * k + 1] = "0123456789abcdef"[byte & 15];
    }
    assert_string_equal(hex, cases[i].digest);
  }
}

/* Around the ends of blocks: first words of MD5 of n times 'x', from Python's
 * hashlib. */
static void lengths(void **state) {
  static const struct {
    uint32_t n, word;
  } cases[] = {{55, 0x20443604}, {56, 0xd5728a66}, {63, 0x20cac27d}, {64, 0x814fbbc1},
               {65, 0x0532c91b}, {119, 0x5f7a34ab},
               {120, 0x7f6698fb}, {128, 0x1ab69cd6}};
  char text[200];
  (void)state;
  memset(text, 'x', sizeof text);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(ttb__md5_of(text, cases[i].n).word[0], cases[i].word);
  assert_int_equal(ttb__md5_of(NULL, 0).word[0], 0xd98c1dd4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rfc_1321),
      cmocka_unit_test(lengths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
