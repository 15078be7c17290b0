/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/base/errors.c: names, sentences, details in words. */
#include <trimtab/base.h>

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ALL(X)                                                                                 \
  X(TTB_OK) X(TTB_ERR_MISUSE) X(TTB_ERR_NOMEM) X(TTB_ERR_RANGE) X(TTB_ERR_NOSPACE)              \
  X(TTB_ERR_UNSUPPORTED) X(TTB_ERR_CORRUPT) X(TTB_ERR_VERSION) X(TTB_ERR_MISMATCH)              \
  X(TTB_ERR_UNKNOWN_ID) X(TTB_ERR_DUPLICATE) X(TTB_AGAIN) X(TTB_STALE) X(TTB_NO_ENDPOINT)       \
  X(TTB_ALL_EXCLUDED) X(TTB_OPEN) X(TTB_HALF_OPEN_FULL) X(TTB_LIMIT) X(TTB_THROTTLED)           \
  X(TTB_NO_PRIMARY) X(TTB_TOO_STALE) X(TTB_LOST_WRITE) X(TTB_NOT_ELIGIBLE) X(TTB_FORGED)

static const struct {
  int32_t code;
  const char *name;
} codes[] = {
#define ROW(c) {c, #c},
    ALL(ROW)
#undef ROW
};
#define COUNT (sizeof codes / sizeof codes[0])

/* The numbers of the first release; none may ever change. */
static void test_numbers(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(codes[i].code, i <= 10 ? -(int)i : -100 - (int)(i - 11));
}

static void test_every_code_has_name_and_sentence(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT; i++) {
    assert_string_equal(ttb_errname(codes[i].code), codes[i].name);
    assert_true(strlen(ttb_strerror(codes[i].code)) >= 4);
    assert_string_not_equal(ttb_strerror(codes[i].code), "unknown code");
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(ttb_strerror(codes[i].code), ttb_strerror(codes[j].code));
  }
}

static int is_known(int32_t code) {
  for (size_t i = 0; i < COUNT; i++)
    if (codes[i].code == code) return 1;
  return 0;
}

static void test_any_number_gets_an_answer(void **state) {
  (void)state;
  for (int32_t code = -1000; code <= 1000; code++) {
    assert_non_null(ttb_strerror(code));
    if (is_known(code)) continue;
    assert_string_equal(ttb_errname(code), "TTB_?");
    assert_string_equal(ttb_strerror(code), code > 0 ? "done (a positive result)" : "unknown code");
  }
  assert_string_equal(ttb_strerror(INT32_MIN), "unknown code");
  assert_string_equal(ttb_errname(INT32_MAX), "TTB_?");
}

static void test_version(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", TTB_VERSION_MAJOR, TTB_VERSION_MINOR,
           TTB_VERSION_PATCH);
  assert_string_equal(ttb_version(), TTB_VERSION);
  assert_string_equal(ttb_version(), text);
  assert_int_equal(ttb_abi(), TTB_ABI);
}

static ttb_detail range(const char *field, int32_t index, int64_t got, int64_t min, int64_t max) {
  return (ttb_detail){.struct_size = sizeof(ttb_detail),
                      .code = TTB_ERR_RANGE,
                      .index = index,
                      .got = got,
                      .min = min,
                      .max = max,
                      .field = field};
}

static void expect(const ttb_detail *d, const char *text) {
  char buf[160];
  assert_int_equal(ttb_detail_format(d, buf, sizeof buf), strlen(text));
  assert_string_equal(buf, text);
}

static void test_detail_in_words(void **state) {
  (void)state;
  ttb_detail d = range("open_ms", -1, 99999999, 1, 3600000);
  expect(&d, "open_ms: 99999999 is not within 1..3600000");
  d = range("weight", 3, -1, 1, 65535);
  expect(&d, "weight[3]: -1 is not within 1..65535");
  d = range("x", 0, INT64_MIN, INT64_MIN, INT64_MAX);
  expect(&d, "x[0]: -9223372036854775808 is not within "
             "-9223372036854775808..9223372036854775807");
  d = range("reserved", -1, 1, 0, 0);
  d.code = TTB_ERR_UNSUPPORTED;
  expect(&d, "reserved: unsupported: the program is newer than the library, or the object was not made for "
             "this call");
  d = (ttb_detail){.struct_size = sizeof d};
  expect(&d, "done");
  d = range(NULL, -1, 1, 2, 3);
  expect(&d, ttb_strerror(TTB_ERR_RANGE));
}

/* As snprintf: the whole length comes back, what fits is ended by a NUL, and
 * not a byte behind it is touched. */
static void test_detail_cut_short(void **state) {
  (void)state;
  const char *whole = "open_ms: 0 is not within 1..9";
  ttb_detail d = range("open_ms", -1, 0, 1, 9);
  int32_t length = (int32_t)strlen(whole);
  assert_int_equal(ttb_detail_format(&d, NULL, 0), length);
  for (uint32_t n = 1; n <= (uint32_t)length + 3; n++) {
    char buf[64];
    memset(buf, '#', sizeof buf);
    assert_int_equal(ttb_detail_format(&d, buf, n), length);
    uint32_t fits = n - 1 < (uint32_t)length ? n - 1 : (uint32_t)length;
    assert_memory_equal(buf, whole, fits);
    assert_int_equal(buf[fits], 0);
    for (size_t i = fits + 1; i < sizeof buf; i++) assert_int_equal(buf[i], '#');
  }
}

static void test_detail_misuse(void **state) {
  (void)state;
  char buf[8];
  ttb_detail d = range("x", -1, 0, 1, 9);
  assert_int_equal(ttb_detail_format(NULL, buf, sizeof buf), TTB_ERR_MISUSE);
  assert_int_equal(ttb_detail_format(&d, NULL, 8), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_every_code_has_name_and_sentence),
      cmocka_unit_test(test_any_number_gets_an_answer),
      cmocka_unit_test(test_version),
      cmocka_unit_test(test_detail_in_words),
      cmocka_unit_test(test_detail_cut_short),
      cmocka_unit_test(test_detail_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
