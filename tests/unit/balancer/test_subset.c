/* SPDX-License-Identifier: MIT */
/* lib/balancer/subset.c */
#include "helper.h"

static void endpoints(ttb_endpoint *list, uint32_t n, const uint32_t *weights) {
  for (uint32_t i = 0; i < n; i++)
    list[i] = (ttb_endpoint){sizeof *list, weights ? weights[i] : 1, i + 1};
}

/* 3 clients, 6 servers, 2 each: the arcs lie side by side. 2 clients, 3 servers
 * of 1, 2, 1: the middle one is shared in halves. */
static void small_circles(void **state) {
  ttb_endpoint list[6];
  uint32_t index[6], w[] = {1, 2, 1};
  uint64_t share[6];
  (void)state;
  endpoints(list, 6, NULL);
  for (uint32_t me = 0; me < 3; me++) {
    assert_int_equal(ttb_balancer_aperture(3, me, list, 6, 2, index, share, 6), 2);
    assert_int_equal(index[0], 2 * me);
    assert_int_equal(index[1], 2 * me + 1);
    assert_int_equal(share[0], 3);
    assert_int_equal(share[1], 3);
  }
  endpoints(list, 3, w);
  assert_int_equal(ttb_balancer_aperture(2, 1, list, 3, 1, index, share, 6), 2);
  assert_int_equal(index[0], 1);
  assert_int_equal(index[1], 2);
  assert_int_equal(share[0], 2);
  assert_int_equal(share[1], 2);
  /* Told of two, given room for one; without shares. */
  index[1] = 77;
  assert_int_equal(ttb_balancer_aperture(2, 0, list, 3, 1, index, NULL, 1), 2);
  assert_int_equal(index[0], 0);
  assert_int_equal(index[1], 77);
}

/* All clients' shares of a server sum to the same multiple of its weight. */
static void all_are_met_alike(void **state) {
  uint64_t seed = 9;
  (void)state;
  for (int round = 0; round < 200; round++) {
    uint32_t n = 1 + (uint32_t)(ttb_hash(&seed, 8, 1) % 40), clients, w[40], index[40];
    uint64_t total[40] = {0}, share[40];
    ttb_endpoint list[40];
    seed += 1;
    clients = 1 + (uint32_t)(ttb_hash(&seed, 8, 2) % 30);
    for (uint32_t i = 0; i < n; i++) w[i] = 1 + (uint32_t)(ttb_hash(&seed, 8, 3 + i) % 9);
    endpoints(list, n, w);
    for (uint32_t me = 0; me < clients; me++) {
      int32_t k = ttb_balancer_aperture(clients, me, list, n, 5, index, share, 40);
      assert_true(k >= 1 && (uint32_t)k <= n);
      for (int32_t i = 0; i < k; i++) total[index[i]] += share[i];
    }
    for (uint32_t i = 0; i < n; i++)
      assert_int_equal(total[i] * w[0], total[0] * w[i]);
  }
}

/* The lowest hashes, in their order; who leaves is replaced, the others stay. */
static void subset(void **state) {
  enum { N = 50 };
  ttb_endpoint list[N];
  uint32_t all[N], some[N];
  (void)state;
  endpoints(list, N, NULL);
  for (uint64_t seed = 0; seed < 50; seed++) {
    assert_int_equal(ttb_balancer_subset(seed, list, N, all, 60), N);
    uint64_t before = 0;
    for (int i = 0; i < N; i++) {
      unsigned char key[8] = {(unsigned char)list[all[i]].id};
      assert_true(ttb_hash(key, 8, seed) >= before);
      before = ttb_hash(key, 8, seed);
    }
    for (uint32_t k = 0; k <= N; k += 7) {
      assert_int_equal(ttb_balancer_subset(seed, list, N, some, k), k);
      assert_memory_equal(some, all, 4 * k);
    }
  }
}

/* Elements of a later, longer kind, whose tail is zero. */
static void longer_elements(void **state) {
  struct {
    ttb_endpoint e;
    uint64_t more;
  } list[3];
  uint32_t index[3];
  (void)state;
  memset(list, 0, sizeof list);
  for (uint32_t i = 0; i < 3; i++) list[i].e = (ttb_endpoint){sizeof *list, 1, i + 1};
  assert_int_equal(ttb_balancer_aperture(1, 0, &list[0].e, 3, 0, index, NULL, 3), 3);
  assert_int_equal(ttb_balancer_subset(1, &list[0].e, 3, index, 3), 3);
  list[2].more = 1;
  assert_int_equal(ttb_balancer_subset(1, &list[0].e, 3, index, 3), TTB_ERR_RANGE);
}

static void bad_input(void **state) {
  ttb_endpoint list[2];
  uint32_t index[2] = {8, 9};
  (void)state;
  endpoints(list, 2, NULL);
  assert_int_equal(ttb_balancer_aperture(1, 0, NULL, 2, 0, index, NULL, 2), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_aperture(1, 0, list, 2, 0, NULL, NULL, 2), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_aperture(0, 0, list, 2, 0, index, NULL, 2), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_aperture(3, 3, list, 2, 0, index, NULL, 2), TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_aperture(1, 0, NULL, 0, 0, NULL, NULL, 0), 0);
  assert_int_equal(ttb_balancer_subset(1, NULL, 2, index, 2), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_subset(1, list, 2, NULL, 2), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_subset(1, NULL, 0, NULL, 0), 0);
  list[1].weight = 65536;
  assert_int_equal(ttb_balancer_aperture(1, 0, list, 2, 0, index, NULL, 2), TTB_ERR_RANGE);
  list[1] = list[0];
  list[1].struct_size = 8;
  assert_int_equal(ttb_balancer_subset(1, list, 2, index, 2), TTB_ERR_RANGE);
  list[0].struct_size = 0;
  assert_int_equal(ttb_balancer_subset(1, list, 2, index, 2), TTB_ERR_RANGE);
  assert_int_equal(index[0], 8);
  assert_int_equal(index[1], 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_circles),
      cmocka_unit_test(all_are_met_alike),
      cmocka_unit_test(subset),
      cmocka_unit_test(longer_elements),
      cmocka_unit_test(bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
