/* SPDX-License-Identifier: MIT */
/* lib/balancer/nginx_hash.c */
#include "helper.h"

#include "../../../lib/balancer/nginx_hash.h"

/* 15 bits of CRC-32 of [attempt] and key, as zlib computes it. */
static void steps(void **state) {
  static const uint32_t attempts[] = {0, 1, 2, 9, 10, 20};
  static const struct {
    const char *key;
    uint32_t step[6];
  } cases[] = {{"", {0, 988, 6869, 3335, 8541, 2672}},
               {"a", {26807, 15665, 5660, 30184, 16155, 15709}},
               {"key-17", {23137, 30939, 18739, 19252, 28549, 24842}},
               {"/index.html", {27170, 30204, 610, 29680, 16407, 32221}}};
  static const uint32_t of_300_x[] = {6979, 5262, 642, 19842, 12920, 12220};
  char text[300];
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int k = 0; k < 6; k++)
      assert_int_equal(
          ttb__nginx_step(ttb_nginx_hash(cases[i].key, strlen(cases[i].key)), attempts[k]),
          cases[i].step[k]);
  memset(text, 'x', sizeof text);
  for (int k = 0; k < 6; k++)
    assert_int_equal(ttb__nginx_step(ttb_nginx_hash(text, 300), attempts[k]), of_300_x[k]);
  assert_int_equal(ttb_nginx_hash("a", 1), UINT64_C(0x1e8b7be43));
  assert_int_equal(ttb_nginx_hash(NULL, 0), 0);
  assert_int_equal(ttb_nginx_hash(NULL, 3), 0);
}

static uint64_t key(uint32_t i) {
  char text[8] = "key";
  uint64_t n = 3;
  if (i >= 10) text[n++] = (char)('0' + i / 10);
  text[n++] = (char)('0' + i % 10);
  return ttb_nginx_hash(text, n);
}

/* Servers 3, 5, 9 of weights 2, 1, 3, and 9 down: where the rule, worked out with
 * zlib, puts "key0" to "key39". */
static void picks(void **state) {
  static const uint32_t all[] = {9, 9, 9, 9, 5, 9, 9, 9, 3, 3, 9, 3, 9, 9, 3, 3, 3, 3, 3, 9,
                                 3, 3, 9, 9, 9, 9, 3, 9, 5, 9, 5, 9, 3, 9, 3, 3, 9, 5, 3, 9};
  static const uint32_t without_9[] = {3, 3, 3, 3, 5, 3, 3, 3, 3, 3, 3, 3, 5, 3, 3, 3, 3, 3, 3, 5,
                                       3, 3, 5, 5, 5, 5, 3, 5, 5, 3, 5, 3, 3, 3, 3, 3, 3, 5, 3, 3};
  pair p = make(config_of(TTB_BALANCER_NGINX_HASH, 5));
  (void)state;
  add(&p.mine, 9, 3);
  add(&p.mine, 3, 2);
  add(&p.mine, 5, 1);
  for (uint32_t i = 0; i < 40; i++) {
    int64_t t = ttb_balancer_acquire(&p.mine, key(i), 0);
    assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).id, all[i]);
  }
  ttb_balancer_mark(&p.shared, 0, TTB_CAUSE_PROBE, 1);
  for (uint32_t i = 0; i < 40; i++) {
    int64_t t = ttb_balancer_acquire(&p.mine, key(i), 0);
    assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).id, without_9[i]);
  }
  drop(&p);
}

/* A light one among heavy ones that are down: the attempts miss it, turns find it;
 * and who has come last is not forgotten. */
static void turns(void **state) {
  pair p = make(config_of(TTB_BALANCER_NGINX_HASH, 40));
  uint32_t seen[2] = {0};
  (void)state;
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  for (uint64_t id = 1; id <= 38; id++) add(&p.mine, id, 65535);
  add(&p.mine, 39, 1);
  add(&p.mine, 40, 1);
  for (uint32_t slot = 0; slot < 38; slot++)
    ttb_balancer_mark(&p.shared, slot, TTB_CAUSE_ADMIN, 1);
  for (uint32_t i = 0; i < 40; i++) {
    int32_t slot = ttb_ticket_slot(ttb_balancer_acquire(&p.mine, key(i), 0));
    assert_in_range(slot, 38, 39);
    seen[slot - 38]++;
  }
  assert_int_equal(seen[0], 20);
  ttb_balancer_mark(&p.shared, 38, TTB_CAUSE_ADMIN, 1);
  ttb_balancer_mark(&p.shared, 39, TTB_CAUSE_ADMIN, 1);
  assert_int_equal(acquire(&p), TTB_NO_ENDPOINT);
  drop(&p);
}

static void shares(void **state) {
  (void)state;
  shares_by_weight(TTB_BALANCER_NGINX_HASH, 3);
  forgets_history(TTB_BALANCER_NGINX_HASH);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(picks),
                                     cmocka_unit_test(turns), cmocka_unit_test(shares)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
