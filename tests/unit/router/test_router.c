/* SPDX-License-Identifier: MIT */
/* lib/router/router.c: life of a table, and regions that lie. */
#include "fleet.h"

static void *map(uint64_t size) {
  void *p = aligned_alloc(64, (size_t)size);
  assert_non_null(p);
  memset(p, 0, (size_t)size);
  return p;
}

static void test_size(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  int64_t sizes[65];
  for (uint32_t n = 1; n <= 64; n++) {
    c.capacity = n;
    sizes[n] = ttb_router_size(&c);
    assert_true(sizes[n] > 0 && sizes[n] % 64 == 0);
  }
  for (uint32_t n = 2; n <= 64; n++) assert_int_equal(sizes[n] - sizes[n - 1], 384);
  c.threads = 12; /* cells that fill the second line */
  int64_t with = ttb_router_size(&c);
  c.capacity = 63;
  assert_int_equal(with - ttb_router_size(&c), 128);
  assert_int_equal(ttb_router_size(NULL), TTB_ERR_MISUSE);
}

static void test_init(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  uint64_t size = (uint64_t)ttb_router_size(&c);
  unsigned char *mem = map(size + 64);
  ttb_router h, before;
  memset(&h, 0xa5, sizeof h);
  before = h;
  assert_int_equal(ttb_router_init(NULL, mem, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_init(&h, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_init(&h, mem + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_init(&h, mem, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_init(&h, mem, size, NULL), TTB_ERR_MISUSE);
  c.capacity = 65;
  assert_int_equal(ttb_router_init(&h, mem, size, &c), TTB_ERR_RANGE);
  assert_memory_equal(&h, &before, sizeof h);
  c.capacity = 0;
  memset(mem, 0xff, size);
  assert_int_equal(ttb_router_init(&h, mem, size, &c), TTB_OK);
  assert_int_equal(ttb_router_find(&h, 1), TTB_ERR_UNKNOWN_ID);
  ttb_router_free(&h);
  ttb_router_free(&h);
  ttb_router_free(NULL);
  free(mem);
}

static void test_attach(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  uint64_t size = (uint64_t)ttb_router_size(&c);
  unsigned char *mem = map(size), *other = map(size);
  fleet f;
  ttb_router h;
  assert_int_equal(ttb_router_attach(&h, mem, size), TTB_AGAIN);
  assert_int_equal(ttb_router_init(&f.shared, mem, size, &c), TTB_OK);
  assert_int_equal(ttb_router_join(&f.shared, 1, &f.mine), TTB_OK);
  assert_int_equal(add(&f, 7), 0);
  assert_int_equal(observe(&f, 7, P, 0, 1, T0), TTB_OK);

  assert_int_equal(ttb_router_attach(NULL, mem, size), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_attach(&h, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_attach(&h, mem, 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_router_attach(&h, mem + 4, size), TTB_ERR_MISUSE);
  memcpy(other, mem, size); /* relocatable */
  fleet g;
  assert_int_equal(ttb_router_attach(&g.shared, other, size), TTB_OK);
  assert_int_equal(ttb_router_join(&g.shared, 2, &g.mine), TTB_OK);
  assert_int_equal(write_to(&g, T0), 0);

  other[12]++; /* kind */
  assert_int_equal(ttb_router_attach(&h, other, size), TTB_ERR_MISMATCH);
  other[12]--;
  other[16]++; /* layout */
  assert_int_equal(ttb_router_attach(&h, other, size), TTB_ERR_VERSION);
  other[16]--;
  other[128 + 4]++; /* capacity: no longer what the size says */
  assert_int_equal(ttb_router_attach(&h, other, size), TTB_ERR_CORRUPT);
  other[128 + 4] = 200;
  assert_int_equal(ttb_router_attach(&h, other, size), TTB_ERR_CORRUPT);
  ttb_router_free(&f.mine);
  free(mem);
  free(other);
}

/* Random bytes under a good header: decisions may be bad, memory stays safe. */
static void test_hostile_region(void **state) {
  (void)state;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  c.hard_lag_ms = 60000;
  uint64_t size = (uint64_t)ttb_router_size(&c), z = 1;
  unsigned char *mem = map(size);
  for (int flags = 0; flags < 8; flags++) {
    c.flags = (uint32_t)flags;
    fleet f;
    assert_int_equal(ttb_router_init(&f.shared, mem, size, &c), TTB_OK);
    assert_int_equal(ttb_router_join(&f.shared, 1, &f.mine), TTB_OK);
    for (int round = 0; round < 200; round++) {
      for (uint64_t i = 64; i < size; i++) {
        z = z * UINT64_C(6364136223846793005) + 1442695040888963407u;
        mem[i] = (unsigned char)(z >> 56);
      }
      for (uint32_t mode = 0; mode <= 5; mode++) {
        ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
        w.mode = mode;
        w.avoid = z;
        int64_t t = ttb_router_read(&f.mine, &w, z);
        if (t >= 0) {
          assert_in_range(ttb_ticket_slot(t), 0, 15);
          (void)ttb_router_report(&f.mine, t, TTB_SUCCESS, z, z);
        }
        (void)ttb_router_report(&f.mine, (int64_t)(z >> 1), TTB_FAILURE, z, z);
        ttb_router_node n[64];
        n[0] = TTB_CONFIG(ttb_router_node);
        for (int i = 0; i < 64; i++) n[i] = n[0];
        assert_in_range(ttb_router_explain(&f.shared, &w, z, n, 64), 0, 16);
      }
      (void)ttb_router_write(&f.mine, z);
      (void)observe(&f, z, P, 1, z & 0xffff, z);
      (void)add(&f, z | 1);
      (void)ttb_router_remove(&f.mine, z | 1);
      (void)ttb_router_drain(&f.shared, z, 1);
      (void)ttb_router_recover(&f.mine, 5);
      (void)stats(&f);
    }
    ttb_router_free(&f.mine);
  }
  free(mem);
}

static void *no_memory(void *ctx, uint64_t size, uint64_t align) {
  (void)ctx, (void)size, (void)align;
  return NULL;
}
static void no_free(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  (void)ctx, (void)ptr, (void)size, (void)align;
  fail();
}

static void test_new(void **state) {
  (void)state;
  ttb_router h;
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  ttb_allocator a = {sizeof a, 0, NULL, no_memory, no_free};
  assert_int_equal(ttb_router_new(&h, &c, &a), TTB_ERR_NOMEM);
  a.alloc = NULL;
  assert_int_equal(ttb_router_new(&h, &c, &a), TTB_ERR_MISUSE);
  assert_int_equal(ttb_router_new(NULL, &c, NULL), TTB_ERR_MISUSE);
  c.threads = 255;
  assert_int_equal(ttb_router_new(&h, &c, NULL), TTB_ERR_RANGE);
}

static void test_dead_handles(void **state) {
  (void)state;
  fleet f = fleet_plain();
  ttb_router dead, *handles[] = {NULL, &dead, &f.shared};
  ttb_router_observation o = seen(P, 0, 0);
  ttb_endpoint e = {sizeof e, 1, 1};
  memset(&dead, 0, sizeof dead);
  for (int i = 0; i < 3; i++) { /* the shared one has not joined */
    int64_t t;
    assert_int_equal(ttb_router_read(handles[i], NULL, T0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_write(handles[i], T0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_read_n(handles[i], NULL, 1, T0, &t), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_report(handles[i], 0, 0, 0, T0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_add(handles[i], &e), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_remove(handles[i], 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_set(handles[i], &e, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_recover(handles[i], 2), TTB_ERR_MISUSE);
  }
  for (int i = 0; i < 2; i++) {
    ttb_router_stats s = TTB_CONFIG(ttb_router_stats);
    assert_int_equal(ttb_router_observe(handles[i], 1, &o, T0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_drain(handles[i], 1, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_find(handles[i], 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_set_epoch(handles[i], 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_explain(handles[i], NULL, T0, NULL, 0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_statistics(handles[i], &s), TTB_ERR_MISUSE);
    assert_int_equal(ttb_router_join(handles[i], 1, &f.mine), TTB_ERR_MISUSE);
  }
  fleet_end(&f);
  assert_int_equal(ttb_router_read(&f.mine, NULL, T0), TTB_ERR_MISUSE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_size),   cmocka_unit_test(test_init),
      cmocka_unit_test(test_attach), cmocka_unit_test(test_hostile_region),
      cmocka_unit_test(test_new),    cmocka_unit_test(test_dead_handles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
