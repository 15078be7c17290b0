/* SPDX-License-Identifier: MIT */
/* lib/balancer/nginx_consistent.c */
#include "helper.h"

#include "../../../lib/balancer/nginx_consistent.h"

/* Chains of CRC-32 as zlib computes them: host "17" without a port, and
 * 127.0.0.1:8080. */
static void points(void **state) {
  static const struct {
    const char *text;
    uint32_t n, point[4];
  } cases[] = {{"17\0", 3, {0x8a07468d, 0xa30f25e0, 0xaab96d23, 0x7b8b4129}},
               {"127.0.0.1\0" "8080", 14, {0x6dca9547, 0x92c7adf9, 0xddbeb1b8, 0xf3b44a4a}}};
  (void)state;
  for (int i = 0; i < 2; i++) {
    uint32_t base = ttb__nginx_base(cases[i].text, cases[i].n), point = 0;
    for (int k = 0; k < 4; k++)
      assert_int_equal(point = ttb__nginx_point(base, point), cases[i].point[k]);
  }
  assert_int_equal((uint32_t)~ttb__nginx_base("123456789", 9), 0xcbf43926); /* CRC's check value */
}

/* Servers 1, 2, 3 of weights 1, 2, 3: where nginx's rule, worked out with zlib and
 * a sorted list, puts keys "key0" to "key39". */
static void picks(void **state) {
  static const uint32_t server[] = {2, 1, 2, 2, 1, 3, 3, 2, 2, 3, 1, 1, 3, 3, 3, 2, 3, 3, 3, 3,
                                    3, 3, 3, 2, 3, 1, 2, 3, 1, 3, 2, 3, 2, 2, 3, 2, 3, 3, 3, 1};
  pair p = make(config_of(TTB_BALANCER_NGINX_CONSISTENT, 5));
  (void)state;
  for (uint32_t id = 3; id >= 1; id--) add(&p.mine, id, id);
  assert_int_equal(stats_of(&p.shared).table_length, 6 * 160);
  assert_int_equal(stats_of(&p.shared).weight_error_ppm, 0);
  for (uint32_t i = 0; i < 40; i++) {
    char key[8] = "key";
    uint32_t n = 3;
    if (i >= 10) key[n++] = (char)('0' + i / 10);
    key[n++] = (char)('0' + i % 10);
    int64_t t = ttb_balancer_acquire(&p.mine, (uint32_t)~ttb__nginx_base(key, n), 0);
    assert_int_equal(info_of(&p.shared, (uint32_t)ttb_ticket_slot(t)).id, server[i]);
  }
  drop(&p);
}

static void keys(void **state) {
  (void)state;
  keeps_keys(TTB_BALANCER_NGINX_CONSISTENT, 0);
  forgets_history(TTB_BALANCER_NGINX_CONSISTENT);
  shares_by_weight(TTB_BALANCER_NGINX_CONSISTENT, 25);
}

/* More weight than the table has room for: fewer points for all, said so. */
static void heavy(void **state) {
  ttb_balancer_config c = config_of(TTB_BALANCER_NGINX_CONSISTENT, 4);
  uint32_t w[] = {1, 20000, 20000, 65535}, picks[4] = {0};
  (void)state;
  c.table_size = 639;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_NOSPACE);
  c.table_size = 640;
  pair p = make(c);
  fill(&p, 4, w);
  ttb_balancer_stats s = stats_of(&p.shared);
  assert_in_range(s.table_length, 600, 640);
  assert_true(s.weight_error_ppm > 1000000); /* a point is too much for 1 of 105536 */
  for (uint64_t i = 0; i < 20000; i++) picks[home(&p, i)]++;
  assert_in_range(picks[3], 10000, 15000);
  c.capacity = 31251;
  assert_int_equal(ttb_balancer_check(&c, NULL), TTB_ERR_RANGE);
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(points),
      cmocka_unit_test(picks),
      cmocka_unit_test(keys),
      cmocka_unit_test(heavy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
