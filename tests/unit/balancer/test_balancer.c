/* SPDX-License-Identifier: MIT */
/* lib/balancer/balancer.c: life of a balancer, and bad input to it. */
#include "helper.h"

#include "../../../lib/balancer/balancer.h"

static void defaults(void **state) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config), d = c;
  (void)state;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_OK);
  d.algorithm = TTB_BALANCER_TWO_CHOICES;
  d.capacity = 64;
  d.threads = 14;
  d.lease = 64;
  assert_int_equal(ttb_balancer_size(&c), ttb_balancer_size(&d));
  assert_int_equal(ttb_balancer_size(&c) % 64, 0);
}

/* A line of 64 bytes to 14 threads, one more for each 16 after. */
static void bytes_an_endpoint(void **state) {
  static const uint32_t cases[][2] = {{1, 64},   {14, 64},  {15, 128},
                                      {30, 128}, {31, 192}, {254, 1024}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ttb_balancer_config c = config_of(0, 1024), d = config_of(0, 2048);
    c.threads = d.threads = cases[i][0];
    /* id 8, index 2 * 4, table 2 * 4, roster 4, ids of update 8, bitmap 1/8 */
    uint64_t rest = 1024 * 36 + 128;
    assert_int_equal(ttb_balancer_size(&d) - ttb_balancer_size(&c), 1024 * cases[i][1] + rest);
  }
}

static void refuses(uint32_t field, uint32_t value, int32_t code, const char *name) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  ttb_detail d = TTB_CONFIG(ttb_detail);
  memcpy((char *)&c + field, &value, sizeof value);
  assert_int_equal(ttb_balancer_check(&c, &d), code);
  assert_int_equal(ttb_balancer_size(&c), code);
  assert_int_equal(d.code, code);
  assert_string_equal(d.field, name);
}
#define REFUSES(field, value, code) \
  refuses((uint32_t)offsetof(ttb_balancer_config, field), value, code, #field)

static void bad_config(void **state) {
  (void)state;
  REFUSES(algorithm, 18, TTB_ERR_RANGE);
  REFUSES(capacity, TTB_MAX_SLOTS + 1, TTB_ERR_RANGE);
  REFUSES(threads, 255, TTB_ERR_RANGE);
  REFUSES(flags, 1u << 20, TTB_ERR_RANGE);
  REFUSES(table_size, 64, TTB_ERR_RANGE); /* of no use to two choices */
  REFUSES(wrr_order, 3, TTB_ERR_RANGE);
  REFUSES(lease, 4097, TTB_ERR_RANGE);
  REFUSES(tickets, 15, TTB_ERR_RANGE);
  REFUSES(tickets, 100, TTB_ERR_RANGE); /* no power of two */
  REFUSES(decay_ms, 3600001, TTB_ERR_RANGE);
  REFUSES(choices, 1, TTB_ERR_RANGE);
  REFUSES(choices, 11, TTB_ERR_RANGE);
  REFUSES(exact, 4097, TTB_ERR_RANGE);
  REFUSES(bias_ppm, (uint32_t)-1, TTB_ERR_RANGE);
  REFUSES(bias_ppm, 8000001, TTB_ERR_RANGE);
  REFUSES(bounded_ppm, 1250000, TTB_ERR_RANGE); /* two choices are not by hash */
  REFUSES(probe_rate_ppm, 99999, TTB_ERR_RANGE);
  REFUSES(probe_age_ms, 60001, TTB_ERR_RANGE);
  REFUSES(rif_quantile_ppm, 1000001, TTB_ERR_RANGE);
  REFUSES(load_expiry_ms, (uint32_t)-1, TTB_ERR_RANGE);
  REFUSES(struct_size, 0, TTB_ERR_RANGE);
  REFUSES(struct_size, 8, TTB_ERR_RANGE);
  assert_int_equal(ttb_balancer_check(NULL, NULL), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_size(NULL), TTB_ERR_MISUSE);
}

static void bad_config_of_algorithm(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_FIRST_FIT, 4097);
  (void)state;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, 131073);
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, 100);
  c.table_size = 199;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_NOSPACE);
  c.table_size = 2097153;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN, 1025);
  c.wrr_order = TTB_BALANCER_NGINX;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c = config_of(TTB_BALANCER_MAGLEV, 100);
  c.table_size = 65536;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  c.table_size = 97;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_NOSPACE);
  c.table_size = 101;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_OK);
}

static void unknown_tail(void **state) {
  struct {
    ttb_balancer_config c;
    uint64_t more;
  } longer = {.c = TTB_CONFIG(ttb_balancer_config)};
  (void)state;
  longer.c.struct_size = sizeof longer;
  assert_int_equal(ttb_balancer_check(&longer.c, NULL), TTB_OK);
  longer.more = 1;
  assert_int_equal(ttb_balancer_check(&longer.c, NULL), TTB_ERR_UNSUPPORTED);
}

static void bad_memory(void **state) {
  ttb_balancer b, kept;
  ttb_balancer_config c = config_of(0, 4);
  uint64_t size = (uint64_t)ttb_balancer_size(&c);
  unsigned char *mem = aligned_alloc(64, size + 64);
  (void)state;
  memset(&b, 0x55, sizeof b);
  kept = b;
  memset(mem, 0xff, size + 64);
  assert_int_equal(ttb_balancer_init(NULL, mem, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_init(&b, NULL, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_init(&b, mem + 8, size, &c), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_init(&b, mem, size - 1, &c), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_balancer_attach(&b, mem, size), TTB_ERR_CORRUPT);
  assert_memory_equal(&b, &kept, sizeof b);
  assert_int_equal(ttb_balancer_init(&b, mem, size, &c), TTB_OK);

  ttb_balancer other;
  memset(&other, 0, sizeof other);
  assert_int_equal(ttb_balancer_attach(&other, mem, size), TTB_OK);
  assert_int_equal(ttb_balancer_attach(&other, mem, size - 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_balancer_attach(&other, mem, 64), TTB_ERR_NOSPACE);
  assert_int_equal(ttb_balancer_attach(&other, mem + 4, size), TTB_ERR_MISUSE);
  ttb__region *r = (ttb__region *)(void *)mem;
  r->kind = TTB__KIND_BREAKER;
  assert_int_equal(ttb_balancer_attach(&other, mem, size), TTB_ERR_MISMATCH);
  r->kind = TTB__KIND_BALANCER;
  r->layout ^= 1;
  assert_int_equal(ttb_balancer_attach(&other, mem, size), TTB_ERR_VERSION);
  r->layout ^= 1;
  ((ttb_balancer_config *)(void *)(mem + sizeof *r))->capacity = 5;
  assert_int_equal(ttb_balancer_attach(&other, mem, size), TTB_ERR_CORRUPT);
  memset(mem, 0, size);
  assert_int_equal(ttb_balancer_attach(&other, mem, size), TTB_AGAIN);
  free(mem);
}

/* Random bytes over the whole of an attached region: codes may be wrong, memory
 * accesses must not be (run under ASan). */
static void hostile_region(void **state) {
  (void)state;
  for (uint32_t algorithm = 1; algorithm <= TTB_BALANCER_NGINX_HASH; algorithm++) {
    ttb_balancer_config c = config_of(algorithm, 20);
    if (ttb_balancer_check(&c, NULL) < 0) continue;
    c.flags = TTB_BALANCER_TRACK | TTB_BALANCER_CHECK_TICKETS | TTB_BALANCER_MOVING_TICKETS;
    c.threads = 3;
    if (algorithm == TTB_BALANCER_MAGLEV) c.table_size = 101;
    uint64_t size = (uint64_t)ttb_balancer_size(&c), seed = algorithm;
    unsigned char *mem = aligned_alloc(64, size);
    ttb_balancer b, mine, other;
    assert_int_equal(ttb_balancer_init(&b, mem, size, &c), TTB_OK);
    assert_int_equal(ttb_balancer_join(&b, 1, &mine), TTB_OK);
    for (int k = 0; k < 200; k++) {
      for (uint64_t i = sizeof(ttb__region); i + 8 <= size; i += 8) {
        uint64_t x = ttb__splitmix(&seed);
        if (k % 3 == 0) x &= ttb__splitmix(&seed) & ttb__splitmix(&seed);
        memcpy(mem + i, &x, 8);
      }
      uint32_t x[] = {1, 2, 3};
      ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
      for (int i = 0; i < 20; i++) {
        int64_t t = ttb_balancer_acquire(&mine, ttb__splitmix(&seed), 0);
        (void)ttb_balancer_report(&mine, t, TTB_SUCCESS, 0, 0);
        (void)ttb_balancer_acquire_except(&mine, 0, x, 3, 0);
        (void)ttb_balancer_report(&mine, (int64_t)(ttb__splitmix(&seed) >> 1), TTB_SUCCESS, 0, 0);
      }
      memset(&((ttb__balancer *)(void *)&mine)->table->lock, 0, sizeof(ttb__lock));
      (void)add(&mine, 1 + ttb__splitmix(&seed) % 9, 3);
      (void)ttb_balancer_set_weight(&mine, 3, 9);
      fill(&(pair){.mine = mine}, 0, NULL);
      (void)ttb_balancer_find(&b, 77);
      (void)ttb_balancer_mark(&b, 7, TTB_CAUSE_ADMIN, 1);
      (void)ttb_balancer_statistics(&b, &s);
      (void)ttb_balancer_recover(&mine, 3);
      if (ttb_balancer_join(&b, 2, &other) == TTB_OK) ttb_balancer_free(&other);
    }
    free(mem);
  }
}

static void *no_memory(void *ctx, uint64_t size, uint64_t align) {
  (void)ctx, (void)size, (void)align;
  return NULL;
}
static void no_free(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  (void)ctx, (void)ptr, (void)size, (void)align;
}

static void allocator(void **state) {
  ttb_allocator a = {sizeof a, 0, NULL, no_memory, no_free};
  ttb_balancer_config c = config_of(0, 4);
  ttb_balancer b;
  (void)state;
  assert_int_equal(ttb_balancer_new(&b, &c, &a), TTB_ERR_NOMEM);
  a.alloc = NULL;
  assert_int_equal(ttb_balancer_new(&b, &c, &a), TTB_ERR_MISUSE);
  assert_int_equal(ttb_balancer_new(NULL, &c, NULL), TTB_ERR_MISUSE);
}

static void dead_handle(void **state) {
  ttb_balancer b;
  ttb_balancer_stats s = TTB_CONFIG(ttb_balancer_stats);
  ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
  int64_t t;
  uint64_t id = 1;
  int32_t status = 0;
  (void)state;
  memset(&b, 0, sizeof b);
  for (int k = 0; k < 2; k++) {
    ttb_balancer *h = k ? &b : NULL;
    assert_int_equal(ttb_balancer_acquire(h, 0, 0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_acquire_except(h, 0, NULL, 0, 0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_acquire_n(h, NULL, 1, 0, &t), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_report(h, 0, 0, 0, 0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_report_n(h, &t, NULL, NULL, 1, 0, NULL), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_next(h, -1, 0, 0, 0, 0), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_join(h, 1, &b), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_recover(h, 1), TTB_ERR_MISUSE);
    assert_int_equal(add(h, 1, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_remove(h, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_set_weight(h, 1, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_update(h, NULL, 0, NULL), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_find(h, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_mark(h, 0, 1, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_set_status(h, 1, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_set_status_n(h, &id, &status, 1, NULL), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_explain(h, 0, NULL, 0, &i, 1), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_inspect(h, 0, &i), TTB_ERR_MISUSE);
    assert_int_equal(ttb_balancer_statistics(h, &s), TTB_ERR_MISUSE);
    ttb_balancer_free(h);
  }
}

/* A handle is data: it may be moved. */
static void handle_moves(void **state) {
  pair p = make(config_of(0, 4));
  (void)state;
  add(&p.mine, 1, 1);
  ttb_balancer moved = p.mine;
  memset(&p.mine, 0, sizeof p.mine);
  int64_t t = ttb_balancer_acquire(&moved, 0, 0);
  assert_int_equal(ttb_ticket_slot(t), 0);
  ttb_balancer_free(&moved);
  ttb_balancer_free(&p.shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults),       cmocka_unit_test(bytes_an_endpoint),
      cmocka_unit_test(bad_config),     cmocka_unit_test(bad_config_of_algorithm),
      cmocka_unit_test(unknown_tail),   cmocka_unit_test(bad_memory),
      cmocka_unit_test(hostile_region), cmocka_unit_test(allocator),
      cmocka_unit_test(dead_handle),    cmocka_unit_test(handle_moves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
