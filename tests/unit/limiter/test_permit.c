/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/limiter/permit.c: what is found and in which order, which
 * bits stand, when all permits are looked at, and what wrong bits can do. */
#include "../../../lib/limiter/permit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW UINT64_C(1000000) /* units are ms here */
#define AHEAD 3600000
#define ROW 3

static ttb__a64 mem[1 + 256 + 7 + 16384 + 8];
static ttb__permits p;

static void make(uint32_t n, uint32_t lease) {
  memset(mem, 0, sizeof mem);
  p = ttb__permits_of(n, 1, lease, AHEAD);
  assert_true(ttb__permits_bytes(n) <= sizeof mem - 64);
  assert_int_equal(ttb__permits_bytes(n) % 64, 0);
  assert_true(p.head % 8 == 0 && p.head >= 1 + (n + 63) / 64);
  memset((char *)mem + ttb__permits_bytes(n), 0x5a, 64);
}
static void nothing_behind(void) {
  for (size_t i = 0; i < 64; i++)
    assert_int_equal(((unsigned char *)mem + ttb__permits_bytes(p.n))[i], 0x5a);
}
static int64_t find(uint32_t from, uint32_t to, uint64_t now) {
  return ttb__permits_search(&p, mem, 0, from, to, ROW, now);
}
static uint32_t index_of(int64_t t) { return ttb__ticket_unpack(t).permit; }
static int32_t give(int64_t t) {
  uint64_t was;
  return ttb__permit_give(&p, mem, ttb__ticket_unpack(t), &was);
}
static bool bit(uint32_t i) {
  return ttb__load_rlx(ttb__permit_skip(mem, i)) >> i % 64 & 1;
}
static uint32_t bits(void) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < p.n; i++) n += bit(i);
  return n;
}
static bool is_out(uint32_t i, uint64_t now) {
  return ttb__permit_is_out(&p, ttb__load_rlx(ttb__permit_at(&p, mem, i)), now);
}
static void hide(uint32_t i) {
  ttb__store_rlx(ttb__permit_skip(mem, i),
                 ttb__load_rlx(ttb__permit_skip(mem, i)) | UINT64_C(1) << i % 64);
}

/* The lowest of a range, each once, and then none; given back, it is found. */
static void test_boundaries(void **state) {
  (void)state;
  static int64_t t[16384];
  const uint32_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 129, 1000, 16383, 16384};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    uint32_t n = sizes[k], froms[] = {0, 1, 62, 63, 64, 65, n - 1};
    for (size_t f = 0; f < 7; f++) {
      uint32_t from = froms[f];
      if (from >= n) continue;
      make(n, 0);
      for (uint32_t i = from; i < n; i++) {
        t[i] = find(from, n, NOW);
        assert_int_equal(index_of(t[i]), i);
      }
      for (int i = 0; i < 3; i++) assert_int_equal(find(from, n, NOW), TTB_LIMIT);
      assert_int_equal(bits(), n - from);
      for (uint32_t i = 0; i < from; i++) assert_false(is_out(i, NOW));
      const uint32_t some[] = {from, n - 1, from + (n - from) / 2};
      for (int i = 0; i < 3; i++) {
        assert_int_equal(give(t[some[i]]), TTB_OK);
        assert_int_equal(give(t[some[i]]), TTB_STALE);
        assert_false(bit(some[i]));
        t[some[i]] = find(from, n, NOW);
        assert_int_equal(index_of(t[some[i]]), some[i]);
        assert_int_equal(find(from, n, NOW), TTB_LIMIT);
      }
      nothing_behind();
    }
  }
}

/* A range that ends below others. */
static void test_ranges(void **state) {
  (void)state;
  make(200, 0);
  const uint32_t to[] = {1, 63, 64, 65, 128, 199, 200};
  uint32_t taken = 0;
  for (int k = 0; k < 7; k++) {
    while (find(0, to[k], NOW) >= 0) taken++;
    assert_int_equal(taken, to[k]);
  }
}

/* Who takes and gives in peace sets no bit; only who is in another's way is
 * passed over. */
static void test_bits_are_lazy(void **state) {
  (void)state;
  make(100, 0);
  for (int i = 0; i < 10; i++) assert_int_equal(give(find(0, 100, NOW)), TTB_OK);
  assert_int_equal(bits(), 0);
  int64_t a = find(0, 100, NOW), b = find(0, 100, NOW), c = find(0, 100, NOW);
  assert_true(bit(0) && bit(1) && !bit(2));
  assert_int_equal(give(b), TTB_OK);
  assert_true(bit(0) && !bit(1));
  assert_int_equal(give(a), TTB_OK);
  assert_int_equal(give(c), TTB_OK);
  assert_int_equal(bits(), 0);
}

/* Between two looks at all permits nothing but the bits is read: a bit that was
 * set wrongly hides its permit, for the pause and no longer. */
static void test_the_pause(void **state) {
  (void)state;
  make(300, 0);
  while (find(0, 300, NOW) >= 0) continue;
  for (uint32_t i = 0; i < 300; i += 150) { /* as a giver leaves them that is killed */
    uint64_t w = ttb__load_rlx(ttb__permit_at(&p, mem, i));
    ttb__store_rlx(ttb__permit_at(&p, mem, i), ttb__permit_free(w));
  }
  assert_int_equal(find(0, 300, NOW + 99), TTB_LIMIT);
  assert_int_equal(index_of(find(0, 300, NOW + 100)), 0);
  assert_int_equal(index_of(find(0, 300, NOW + 101)), 150);
  assert_int_equal(find(0, 300, NOW + 102), TTB_LIMIT);
  /* The time of a neighbour that is beyond belief is no pause. */
  ttb__store_rlx(&mem[0], NOW + 1000000);
  uint64_t w = ttb__load_rlx(ttb__permit_at(&p, mem, 299));
  ttb__store_rlx(ttb__permit_at(&p, mem, 299), ttb__permit_free(w));
  assert_int_equal(index_of(find(0, 300, NOW + 103)), 299);
}

/* Leases end to the unit, in tables that are full; one that ends while another
 * is looked for, too. */
static void test_leases(void **state) {
  (void)state;
  const uint32_t leases[] = {1, 2, 99, 100, 101, 250, 3600000};
  for (int k = 0; k < 7; k++) {
    uint32_t lease = leases[k], at[] = {0, lease / 3, lease / 2, lease - 1};
    make(130, lease);
    uint32_t taken = 0;
    for (int i = 0; i < 4; i++) /* a third of them at each of four times */
      while (taken < 32u * (uint32_t)i + 34 && find(0, 130, NOW + at[i]) >= 0) taken++;
    if (lease > 1) assert_int_equal(taken, 130);
    for (uint64_t t = lease - 1, step; t < lease + at[3] + 2; t += step) {
      uint32_t lapsed = 0, found = 0;
      for (uint32_t i = 0; i < 130; i++) lapsed += !is_out(i, NOW + t);
      int64_t ticket;
      while ((ticket = find(0, 130, NOW + t)) >= 0) {
        assert_int_equal(++found <= lapsed, true);
        uint64_t w = ttb__load_rlx(ttb__permit_at(&p, mem, index_of(ticket)));
        assert_int_equal(w & TTB__PERMIT_TIME, NOW + t);
      }
      assert_int_equal(found, lapsed);
      step = lease < 1000 ? 1 : t < lease ? 1 : lease / 60;
    }
  }
}

/* Many that lapse one after the other, each to the ms. */
static void test_leases_one_by_one(void **state) {
  (void)state;
  make(500, 1000);
  for (uint32_t i = 0; i < 500; i++) assert_int_equal(index_of(find(0, 500, NOW + i)), i);
  for (uint32_t i = 0; i < 500; i++) {
    if (i > 0) assert_int_equal(find(0, 500, NOW + 999 + i), TTB_LIMIT);
    assert_int_equal(index_of(find(0, 500, NOW + 1000 + i)), i);
    assert_int_equal(find(0, 500, NOW + 1000 + i), TTB_LIMIT);
  }
}

/* A taker whose time was later than the reader's. */
static void test_ahead(void **state) {
  (void)state;
  make(1, 50);
  assert_true(find(0, 1, NOW + AHEAD) >= 0);
  assert_int_equal(find(0, 1, NOW), TTB_LIMIT);
  assert_int_equal(ttb__permit_age(&p, ttb__load_rlx(ttb__permit_at(&p, mem, 0)), NOW), 0);
  assert_true(is_out(0, NOW) && !is_out(0, NOW - 1)); /* more is long ago */
}

/* Who searches with an older time than the last look, and hides again what it
 * had found lapsed: that does not stay hidden until the next. */
static void test_late(void **state) {
  (void)state;
  make(2, 1000);
  assert_int_equal(index_of(find(0, 2, NOW)), 0);
  assert_int_equal(index_of(find(0, 2, NOW + 50)), 1);
  assert_int_equal(find(1, 2, NOW + 1000), TTB_LIMIT); /* 0 has lapsed, 1 will at 1050 */
  assert_int_equal(find(0, 1, NOW + 999), TTB_LIMIT);
  assert_true(bit(0));
  assert_int_equal(find(0, 2, NOW + 999), TTB_LIMIT);
  assert_int_equal(index_of(find(0, 1, NOW + 1000)), 0);
  assert_int_equal(find(0, 2, NOW + 1049), TTB_LIMIT);
  assert_int_equal(index_of(find(0, 2, NOW + 1050)), 1);
}

static void test_give_all(void **state) {
  (void)state;
  make(130, 0);
  for (uint32_t i = 0; i < 130; i++)
    assert_true(ttb__permits_search(&p, mem, 0, 0, 130, i % 3, NOW) >= 0);
  ttb__permits_give_all(&p, mem, 1);
  assert_int_equal(bits(), 0); /* also what the dead left on those of others */
  uint32_t found = 0;
  for (int64_t t; (t = find(0, 130, NOW)) >= 0; found++) assert_int_equal(index_of(t) % 3, 1);
  assert_int_equal(found, 43);
}

static void test_tickets(void **state) {
  (void)state;
  make(65, 0);
  int64_t t = find(64, 65, NOW), other;
  uint64_t was = 7;
  ttb__ticket x = ttb__ticket_unpack(t), bad[4] = {x, x, x, x};
  bad[0].permit = 63, bad[1].permit = 65, bad[2].gen++, bad[3].row++;
  for (int i = 0; i < 4; i++)
    assert_int_equal(ttb__permit_give(&p, mem, bad[i], &was), TTB_STALE);
  assert_int_equal(ttb__permit_give(&p, mem, x, &was), TTB_OK);
  assert_int_equal(was & TTB__PERMIT_TIME, NOW);
  /* The nonce goes round, and the word with it. */
  ttb__store_rlx(ttb__permit_at(&p, mem, 64), ttb__permit_free(UINT64_MAX));
  other = find(64, 65, NOW);
  assert_int_equal(ttb__ticket_unpack(other).gen, 0);
  assert_int_equal(ttb__ticket_unpack(other).row, ROW);
  assert_int_equal(give(other), TTB_OK);
}

/* Any bits, any times, any words: never one permit to two, nothing outside. */
static void test_hostile(void **state) {
  (void)state;
  uint64_t x = 88172645463325252u;
  for (int round = 0; round < 200; round++) {
    uint32_t n = 1 + (uint32_t)round * 7 % 200;
    make(n, round % 2 ? 50 : 0);
    uint32_t words = (uint32_t)(ttb__permits_bytes(n) / 8);
    if (round % 4 == 3) words = p.head; /* bits and time alone */
    for (uint32_t i = 0; i < words; i++) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      ttb__store_rlx(&mem[i], round % 3 ? x : x << (x >> 58));
    }
    bool seen[200] = {false};
    for (uint32_t i = 0; i < 2 * n; i++) {
      int64_t t = find((uint32_t)x % n, n, NOW);
      if (t < 0) continue;
      assert_true(index_of(t) < n && !seen[index_of(t)]);
      seen[index_of(t)] = true;
    }
    ttb__permits_give_all(&p, mem, ROW);
    nothing_behind();
  }
  /* Bits and time alone keep nothing for longer than the pause. */
  make(200, 0);
  for (uint32_t i = 0; i < 200; i++) hide(i);
  ttb__store_rlx(&mem[0], NOW + 100);
  assert_int_equal(find(0, 200, NOW), TTB_LIMIT);
  for (uint32_t i = 0; i < 200; i++) assert_int_equal(index_of(find(0, 200, NOW + 100)), i);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_boundaries),        cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_bits_are_lazy),     cmocka_unit_test(test_the_pause),
      cmocka_unit_test(test_leases),            cmocka_unit_test(test_leases_one_by_one),
      cmocka_unit_test(test_ahead),             cmocka_unit_test(test_late),
      cmocka_unit_test(test_give_all),
      cmocka_unit_test(test_tickets),           cmocka_unit_test(test_hostile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
