/* SPDX-License-Identifier: MIT */
/* Routers under random observations, promotions and changes of the table: every
 * read and write and the reasons behind them. */
#include <trimtab/router.h>

#include "check.h"
#include "dec_hash.h"
#include "determinism.h"

static void observe(check *c, ttb_router *r, uint64_t now, dec_hash *h) {
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = (uint32_t)check_between(c, 1, 2 + check_chance(c, 1, 20));
  o.status = check_chance(c, 1, 10) ? (uint32_t)check_below(c, 6) : 0;
  o.lag_ms = check_between(c, -1, 9000);
  o.rtt_ns = check_between(c, 0, 30000000);
  o.epoch = check_below(c, 4) + now / UINT64_C(60000000000);
  dec_hash_add(h, (uint64_t)ttb_router_observe(r, 1 + check_below(c, 12), &o, now));
}

static void explain(ttb_router *r, uint64_t now, dec_hash *h) {
  ttb_router_node row[12];
  for (int i = 0; i < 12; i++) row[i] = TTB_CONFIG(ttb_router_node);
  int32_t n = ttb_router_explain(r, NULL, now, row, 12);
  for (int32_t i = 0; i < n && i < 12; i++) {
    dec_hash_add(h, (uint64_t)row[i].why << 32 | row[i].slot);
    dec_hash_add(h, (uint64_t)row[i].rtt_ns);
    dec_hash_add(h, (uint64_t)row[i].latency_ns ^ row[i].in_flight);
  }
}

uint64_t determinism_router(uint64_t seed) {
  check c = {.state = seed};
  dec_hash h = dec_hash_start();
  for (uint32_t k = 0; k < 4; k++) {
    ttb_router_config config = TTB_CONFIG(ttb_router_config);
    ttb_router shared, mine;
    uint64_t now = UINT64_C(3600000000000);
    int64_t held[32];
    config.capacity = 12;
    config.claims = 1 + k % 2;
    config.flags = k;
    config.max_lag_ms = 2000;
    config.hard_lag_ms = k == 3 ? 8000 : TTB_OFF;
    config.seed = seed + k;
    if (ttb_router_new(&shared, &config, NULL) < 0) return 0;
    if (ttb_router_join(&shared, 1, &mine) < 0) return 0;
    for (int i = 0; i < 32; i++) held[i] = -1;
    for (int step = 0; step < 20000; step++) {
      ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
      ttb_endpoint e = {.struct_size = sizeof e, .id = 1 + check_below(&c, 12)};
      uint64_t latency = check_below(&c, 40000000);
      int64_t *t = &held[check_below(&c, 32)];
      e.weight = (uint32_t)check_between(&c, 1, 5);
      w.mode = (uint32_t)check_below(&c, 6);
      w.avoid = check_chance(&c, 1, 4) ? check_rand(&c) : 0;
      switch (check_below(&c, 8)) {
      case 0: dec_hash_add(&h, (uint64_t)ttb_router_add(&mine, &e)); break;
      case 1:
        if (check_chance(&c, 1, 10)) dec_hash_add(&h, (uint64_t)ttb_router_remove(&mine, e.id));
        break;
      case 2:
      case 3: observe(&c, &mine, now, &h); break;
      case 4: now += check_below(&c, 2000000000); break;
      case 5: dec_hash_add(&h, (uint64_t)(*t = ttb_router_write(&mine, now))); break;
      case 6: dec_hash_add(&h, (uint64_t)(*t = ttb_router_read(&mine, &w, now))); break;
      default:
        dec_hash_add(&h, (uint64_t)ttb_router_report(&mine, *t, (int32_t)check_below(&c, 5),
                                                     latency, now));
        if (step % 16 == 0) explain(&mine, now, &h);
      }
    }
    ttb_router_free(&mine);
    ttb_router_free(&shared);
  }
  return h.value;
}
