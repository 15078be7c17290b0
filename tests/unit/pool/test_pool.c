/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/pool/pool.c and pool_config.c: life, memory, threads. */
#define _GNU_SOURCE
#include "fixture.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"
#include "check_rows.h"

static void test_rows_tile(void **state) {
  (void)state;
  assert_int_equal(check_rows(ttb_pool_field), 5);
}

static void expect_detail(const ttb_pool_config *c, int32_t code, const char *field) {
  ttb_detail d = TTB_CONFIG(ttb_detail);
  ttb_pool p;
  memset(&p, 0, sizeof p);
  assert_int_equal(ttb_pool_check(c, &d), code);
  assert_int_equal(d.code, code);
  assert_string_equal(d.field, field);
  assert_int_equal(ttb_pool_size(c), code);
  assert_int_equal(ttb_pool_new(&p, c, NULL), code);
  assert_int_equal(p.opaque[0], 0); /* untouched */
}

static void test_config(void **state) {
  (void)state;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  ttb_balancer_config bal = TTB_CONFIG(ttb_balancer_config);
  ttb_breaker_config br = TTB_CONFIG(ttb_breaker_config);
  ttb_health_config he = TTB_CONFIG(ttb_health_config);
  assert_int_equal(ttb_pool_check(NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_check(&c, NULL), TTB_OK);
  c.events = 100; /* no power of two */
  expect_detail(&c, TTB_ERR_RANGE, "events");
  c.events = 16;
  c.probing = 3;
  expect_detail(&c, TTB_ERR_RANGE, "probing");
  c.probing = 0;
  c.degraded_weight_ppm = 1000001;
  expect_detail(&c, TTB_ERR_RANGE, "degraded_weight_ppm");
  c.degraded_weight_ppm = TTB_OFF;
  c.balancer = &bal;
  c.breaker = &br;
  c.health = &he;
  c.capacity = 8;
  bal.capacity = 9;
  expect_detail(&c, TTB_ERR_RANGE, "balancer.capacity");
  bal.capacity = 8;
  bal.flags = TTB_BALANCER_CHECK_TICKETS;
  expect_detail(&c, TTB_ERR_RANGE, "balancer.flags");
  bal.flags = 0;
  br.threads = 99;
  expect_detail(&c, TTB_ERR_RANGE, "breaker.threads");
  br.threads = 14;
  br.open_ms = 99999999;
  expect_detail(&c, TTB_ERR_RANGE, "open_ms"); /* a part's own check */
  br.open_ms = 0;
  br.flags = TTB_BREAKER_CHECK_TICKETS;
  expect_detail(&c, TTB_ERR_RANGE, "breaker.flags");
  br.flags = 0;
  br.key_idle_ms = 1000;
  expect_detail(&c, TTB_ERR_RANGE, "breaker.key_idle_ms");
  br.key_idle_ms = 0;
  he.capacity = 1;
  expect_detail(&c, TTB_ERR_RANGE, "health.capacity");
  he.capacity = 8;
  assert_int_equal(ttb_pool_check(&c, NULL), TTB_OK);
  /* A table that is large enough for the pool's capacity, not for the default's. */
  bal.capacity = 0;
  bal.algorithm = TTB_BALANCER_WEIGHTED_ROUND_ROBIN;
  bal.table_size = 16;
  assert_int_equal(ttb_pool_check(&c, NULL), TTB_OK);
  bal.table_size = 15;
  expect_detail(&c, TTB_ERR_NOSPACE, "table_size");
  bal.table_size = 16;
  /* Ten probes, 2 s apart, do not fit into a round of 10 s. */
  c.probing = TTB_POOL_PROBE_ACTIVE;
  br.half_open_successes = 10;
  br.lease_ms = 10000;
  expect_detail(&c, TTB_ERR_RANGE, "breaker.lease_ms");
  c.probing = TTB_POOL_PROBE_TRAFFIC;
  assert_int_equal(ttb_pool_check(&c, NULL), TTB_OK);
  c.struct_size = 4;
  expect_detail(&c, TTB_ERR_RANGE, "struct_size");
}

static void test_memory(void **state) {
  (void)state;
  ttb_pool p, bad;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.capacity = 4;
  uint64_t size = (uint64_t)ttb_pool_size(&c);
  assert_int_equal(size % 64, 0);
  unsigned char *mem = aligned_alloc(64, size + 64);
  memset(mem, 0xa5, size + 64);
  assert_int_equal(ttb_pool_attach(&p, mem, size), TTB_ERR_CORRUPT);
  assert_int_equal(ttb_pool_init(&p, mem, size - 64, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_pool_init(&p, mem + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_init(NULL, mem, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_init(&p, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_init(&p, mem, size, &c), TTB_OK);
  assert_int_equal(mem[size], 0xa5);
  assert_int_equal(ttb_pool_attach(&bad, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_OK);
  /* A region inside that is not what it should be. */
  for (uint64_t at = 192; at + 64 <= size; at += 64) {
    if (memcmp(mem + at, mem, 8) != 0) continue; /* the magic of an inner region */
    mem[at + 24] ^= 0x40;                        /* its size */
    assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_ERR_CORRUPT);
    mem[at + 24] ^= 0x40;
    mem[at + 12] ^= 1; /* its kind */
    assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_ERR_CORRUPT);
    mem[at + 12] ^= 1;
    mem[at + 16] ^= 1; /* its layout hash */
    assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_ERR_VERSION);
    mem[at + 16] ^= 1;
  }
  assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_OK);
  ttb_breaker other;
  assert_int_equal(ttb_breaker_attach(&other, mem, size), TTB_ERR_MISMATCH);
  memset(mem, 0, size);
  assert_int_equal(ttb_pool_attach(&bad, mem, size), TTB_AGAIN);
  free(mem);
}

/* A copy of a pool whose inner object number `which` makes room for one of another size. */
static unsigned char *with_room(const unsigned char *mem, uint64_t size, int which, uint64_t need,
                                uint64_t *ret_size, unsigned char **ret_at) {
  uint64_t at = 128, old, total;
  for (int i = 0; i <= which; i++)
    do at += 64;
    while (memcmp(mem + at, mem, 8) != 0);
  memcpy(&old, mem + at + 24, 8);
  total = size - old + need;
  unsigned char *copy = aligned_alloc(64, total);
  memcpy(copy, mem, at);
  memcpy(copy + at + need, mem + at + old, size - at - old);
  memcpy(copy + 24, &total, 8);
  *ret_size = total;
  *ret_at = copy + at;
  return copy;
}

/* Parts that are each whole, but not such as a pool makes: a row of one would reach
 * beyond the memory of another. */
static void test_parts_that_do_not_fit(void **state) {
  (void)state;
  ttb_pool p;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.capacity = 4;
  c.threads = 2;
  uint64_t size = (uint64_t)ttb_pool_size(&c), n;
  unsigned char *mem = aligned_alloc(64, size), *at;
  assert_int_equal(ttb_pool_init(&p, mem, size, &c), TTB_OK);

  ttb_balancer b;
  ttb_balancer_config bc = TTB_CONFIG(ttb_balancer_config);
  bc.capacity = 4;
  bc.flags = TTB_BALANCER_TRACK;
  for (bc.threads = 2; bc.threads <= 200; bc.threads += 198) {
    uint64_t need = (uint64_t)ttb_balancer_size(&bc);
    unsigned char *copy = with_room(mem, size, 0, need, &n, &at);
    assert_int_equal(ttb_balancer_init(&b, at, need, &bc), TTB_OK);
    assert_int_equal(ttb_pool_attach(&p, copy, n), bc.threads == 2 ? TTB_OK : TTB_ERR_CORRUPT);
    free(copy);
  }

  ttb_breaker k;
  ttb_breaker_config kc = TTB_CONFIG(ttb_breaker_config);
  kc.capacity = 4;
  kc.threads = 1;
  for (int checked = 0; checked <= 1; checked++) {
    kc.flags = checked ? TTB_BREAKER_CHECK_TICKETS : 0;
    uint64_t need = (uint64_t)ttb_breaker_size(&kc);
    unsigned char *copy = with_room(mem, size, 1, need, &n, &at);
    assert_int_equal(ttb_breaker_init(&k, at, need, &kc), TTB_OK);
    assert_int_equal(ttb_pool_attach(&p, copy, n), checked ? TTB_ERR_CORRUPT : TTB_OK);
    free(copy);
  }
  free(mem);
}

static int32_t make(void *ctx, const ttb_allocator *a) {
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  return ttb_pool_new(ctx, &c, a);
}
static void end(void *ctx) { ttb_pool_free(ctx); }

static void test_allocation(void **state) {
  (void)state;
  ttb_pool p;
  assert_int_equal(alloc_torture(make, end, &p), 1);
  ttb_pool_free(&p); /* twice is once */
  ttb_pool_free(NULL);
}

/* Two mappings of one memory: what one side does the other sees. */
static void test_two_mappings(void **state) {
  (void)state;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  uint64_t size = (uint64_t)ttb_pool_size(&c);
  int fd = memfd_create("pool", 0);
  assert_int_equal(ftruncate(fd, (off_t)size), 0);
  void *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ttb_pool pa, pb, ma, mb;
  assert_int_equal(ttb_pool_init(&pa, a, size, &c), TTB_OK);
  assert_int_equal(ttb_pool_attach(&pb, b, size), TTB_OK);
  assert_int_equal(ttb_pool_join(&pa, 1, &ma), TTB_OK);
  assert_int_equal(ttb_pool_join(&pb, 2, &mb), TTB_OK);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  uint64_t now = 1000000000;
  for (e.id = 1; e.id <= 2; e.id++) assert_true(ttb_pool_add(&ma, &e, now) >= 0);
  const uint32_t zero = 0;
  for (int i = 0; i < 5; i++) { /* side b trips the breaker of slot 1 */
    int64_t t = ttb_pool_acquire_except(&mb, 0, &zero, 1, now);
    assert_int_equal(ttb_pool_report(&mb, t, TTB_FAILURE, 0, now), TTB_OK);
  }
  for (int i = 0; i < 100; i++) {
    int64_t t = ttb_pool_acquire(&ma, 0, now);
    assert_int_equal(ttb_ticket_slot(t), 0);
    assert_int_equal(ttb_pool_report(&mb, t, TTB_SUCCESS, 0, now), TTB_STALE);
    assert_int_equal(ttb_pool_report(&ma, t, TTB_SUCCESS, 0, now), TTB_OK);
  }
  munmap(a, size);
  munmap(b, size);
  close(fd);
}

static void test_recover(void **state) {
  (void)state;
  fleet f;
  ttb_pool dead;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  fleet_open(&f, &c, 2);
  fleet_fail(&f, 0, 5);
  vclock_ms(&f.clock, 5000);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(ttb_pool_join(&f.shared, 66, &dead), TTB_OK);
  const uint32_t one = 1;
  int64_t probe = ttb_pool_acquire_except(&dead, 0, &one, 1, f.clock.now_ns);
  assert_int_equal(ttb_pool_is_probe(probe), 1);
  for (int i = 0; i < 10; i++) assert_true(ttb_pool_acquire(&dead, 0, f.clock.now_ns) >= 0);
  assert_int_equal(fleet_stats(&f).in_flight, 11);
  assert_int_equal(fleet_row(&f, 0).causes, TTB_CAUSE_BREAKER); /* its probe is out */
  fleet_skip_events(&f);

  assert_int_equal(ttb_pool_recover(&f.mine, 42, f.clock.now_ns), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_recover(&f.shared, 66, f.clock.now_ns), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_recover(&f.mine, 0, f.clock.now_ns), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_recover(&f.mine, 66, f.clock.now_ns), 1);
  assert_int_equal(ttb_pool_recover(&f.mine, 66, f.clock.now_ns), 0);
  assert_int_equal(fleet_stats(&f).in_flight, 0);
  ttb_pool_event e = fleet_event(&f);
  assert_int_equal(e.kind, TTB_POOL_RECOVERED);
  assert_int_equal(e.id, 66);
  assert_int_equal(e.value, 1);
  /* The probe is back: a survivor may have it. */
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(ttb_pool_is_probe(fleet_ticket_on(&f, 0)), 1);
  fleet_close(&f);
}

static void test_rows_run_out(void **state) {
  (void)state;
  ttb_pool shared, m[3];
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.threads = 2;
  assert_int_equal(ttb_pool_new(&shared, &c, NULL), TTB_OK);
  assert_int_equal(ttb_pool_join(&shared, 1, &m[0]), TTB_OK);
  assert_int_equal(ttb_pool_join(&shared, 2, &m[1]), TTB_OK);
  assert_int_equal(ttb_pool_join(&shared, 3, &m[2]), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_pool_join(&shared, 0, &m[2]), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_join(NULL, 1, &m[2]), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_join(&shared, 3, &shared), TTB_ERR_MISUSE);
  ttb_pool_free(&m[0]);
  assert_int_equal(ttb_pool_join(&shared, 3, &m[2]), TTB_OK);
  ttb_pool_free(&m[1]);
  ttb_pool_free(&m[2]);
  ttb_pool_free(&shared);
}

static void test_endpoints(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.capacity = 3;
  fleet_open(&f, &c, 3);
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = 100;
  assert_int_equal(ttb_pool_add(&f.mine, &e, 1), TTB_ERR_DUPLICATE);
  e.id = 7;
  assert_int_equal(ttb_pool_add(&f.mine, &e, 1), TTB_ERR_NOSPACE);
  e.id = 0;
  assert_int_equal(ttb_pool_add(&f.mine, &e, 1), TTB_ERR_RANGE);
  e.id = 7;
  e.weight = 1001;
  assert_int_equal(ttb_pool_add(&f.mine, &e, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_pool_add(&f.mine, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_add(&f.shared, &e, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_find(&f.shared, 102), 2);
  assert_int_equal(ttb_pool_find(&f.shared, 9), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_pool_remove(&f.mine, 9, 1), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_pool_drain(&f.mine, 9, 1, 1), TTB_ERR_UNKNOWN_ID);
  assert_int_equal(ttb_pool_drain(&f.mine, 101, 1, f.clock.now_ns), TTB_OK);
  for (int i = 0; i < 100; i++) assert_int_not_equal(fleet_call(&f, TTB_SUCCESS), 1);
  ttb_pool_tick(&f.mine, f.clock.now_ns);
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_DRAIN); /* a tick ends no drain */
  assert_int_equal(ttb_pool_drain(&f.mine, 101, 0, f.clock.now_ns), TTB_OK);
  assert_int_equal(fleet_row(&f, 1).causes, 0);
  fleet_close(&f);
}

static void test_update(void **state) {
  (void)state;
  fleet f;
  ttb_pool_config c = TTB_CONFIG(ttb_pool_config);
  c.capacity = 4;
  fleet_open(&f, &c, 3); /* 100, 101, 102 */
  uint64_t now = f.clock.now_ns;
  fleet_fail(&f, 0, 5); /* 100 is ejected */
  fleet_fail(&f, 1, 5); /* 101 too */
  fleet_skip_events(&f);
  ttb_endpoint list[3] = {TTB_CONFIG(ttb_endpoint), TTB_CONFIG(ttb_endpoint), TTB_CONFIG(ttb_endpoint)};
  list[0].id = 200, list[0].weight = 7;
  list[1].id = 101, list[1].weight = 3;
  list[2].id = 201;
  assert_int_equal(ttb_pool_update(&f.mine, list, 3, now, NULL), TTB_OK);
  static const struct {
    int32_t kind;
    uint64_t id, slot;
    int64_t value;
  } story[] = {{TTB_POOL_REMOVED, 100, 0, 0}, {TTB_POOL_REMOVED, 102, 2, 0},
               {TTB_POOL_ADDED, 200, 0, 7}, {TTB_POOL_ADDED, 201, 2, 1}};
  for (uint32_t i = 0; i < 4; i++) {
    ttb_pool_event e = fleet_story(&f);
    assert_int_equal(e.kind, story[i].kind);
    assert_int_equal(e.id, story[i].id);
    assert_int_equal(e.slot, story[i].slot);
    assert_int_equal(e.value, story[i].value);
  }
  assert_int_equal(fleet_row(&f, 0).breaker, TTB_BREAKER_CLOSED); /* not its predecessor's */
  assert_int_equal(fleet_row(&f, 0).causes, 0);
  assert_int_equal(fleet_row(&f, 0).weight_64ths, 7 * 64);
  assert_int_equal(fleet_row(&f, 1).breaker, TTB_BREAKER_OPEN); /* it stayed */
  assert_int_equal(fleet_row(&f, 1).causes, TTB_CAUSE_BREAKER);
  assert_int_equal(fleet_row(&f, 1).weight, 3);
  assert_int_equal(fleet_row(&f, 2).weight, 1);
  assert_int_equal(ttb_pool_tick(&f.mine, now), 0); /* there is nothing to put right */
  assert_int_equal(fleet_row(&f, 1).weight_64ths, 3 * 64);

  ttb_detail d = TTB_CONFIG(ttb_detail);
  list[2].weight = TTB_POOL_MAX_WEIGHT + 1;
  assert_int_equal(ttb_pool_update(&f.mine, list, 3, now, &d), TTB_ERR_RANGE);
  assert_string_equal(d.field, "weight");
  assert_int_equal(d.index, 2);
  list[2].weight = TTB_POOL_MAX_WEIGHT, list[2].id = 101;
  assert_int_equal(ttb_pool_update(&f.mine, list, 3, now, &d), TTB_ERR_DUPLICATE);
  assert_int_equal(ttb_pool_update(&f.mine, list, 5, now, NULL), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_pool_update(&f.mine, NULL, 1, now, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_update(&f.shared, list, 2, now, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pool_update(NULL, list, 2, now, NULL), TTB_ERR_MISUSE);
  assert_int_equal(fleet_stats(&f).endpoints, 3); /* nothing has changed */
  list[2].id = 300;
  assert_int_equal(ttb_pool_update(&f.mine, list, 3, now, NULL), TTB_OK);
  assert_int_equal(fleet_row(&f, 2).weight_64ths, TTB_POOL_MAX_WEIGHT * 64);
  assert_int_equal(ttb_pool_update(&f.mine, NULL, 0, now, NULL), TTB_OK);
  assert_int_equal(fleet_stats(&f).endpoints, 0);
  assert_int_equal(fleet_call(&f, TTB_SUCCESS), TTB_NO_ENDPOINT);
  fleet_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_tile),    cmocka_unit_test(test_config),
      cmocka_unit_test(test_memory),       cmocka_unit_test(test_allocation),
      cmocka_unit_test(test_parts_that_do_not_fit),
      cmocka_unit_test(test_two_mappings), cmocka_unit_test(test_recover),
      cmocka_unit_test(test_rows_run_out), cmocka_unit_test(test_endpoints),
      cmocka_unit_test(test_update),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
