/* SPDX-License-Identifier: MIT */
/* Threads on one table: one observes and promotes, one adds and removes, two
 * read and write. Made for ThreadSanitizer; also: an epoch names its primary, so
 * no write may go elsewhere, and at the end nothing is in flight. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <trimtab/router.h>

#define NOW UINT64_C(3600000000000)
#define NODES 4
#define STEPS 60000

static ttb_router shared;
static atomic_uint failed;

static int32_t add(ttb_router *r, uint64_t id) {
  ttb_endpoint e = {sizeof e, 0, id};
  return ttb_router_add(r, &e);
}

static void see(ttb_router *r, uint64_t id, uint32_t role, uint64_t epoch, uint64_t now) {
  ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
  o.role = role;
  o.epoch = epoch;
  o.rtt_ns = 1000000;
  (void)ttb_router_observe(r, id, &o, now);
}

static uint64_t epoch_of(void) {
  ttb_router_stats s = TTB_CONFIG(ttb_router_stats);
  (void)ttb_router_statistics(&shared, &s);
  return s.epoch;
}

static void *observe(void *arg) {
  for (uint64_t i = 1; i <= STEPS; i++) {
    uint64_t epoch = i / 64, primary = epoch % NODES + 1, id = i % NODES + 1;
    see(&shared, id, id == primary ? TTB_ROLE_PRIMARY : TTB_ROLE_REPLICA, epoch, NOW + i * 1000);
  }
  return arg;
}

static void *change(void *arg) {
  ttb_router mine;
  if (ttb_router_join(&shared, 1, &mine) < 0) return arg;
  for (uint64_t i = 1; i <= STEPS; i++) {
    uint64_t id = 100 + i % 3;
    if (add(&mine, id) >= 0) see(&mine, id, TTB_ROLE_REPLICA, 0, NOW + i * 1000);
    (void)ttb_router_remove(&mine, 100 + (i * 7) % 3);
  }
  ttb_router_free(&mine);
  return arg;
}

static void *route(void *arg) {
  ttb_router mine;
  int64_t held[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  if (ttb_router_join(&shared, 1, &mine) < 0) return arg;
  for (uint64_t i = 1; i <= STEPS; i++) {
    uint64_t now = NOW + i * 1000, before = epoch_of();
    int64_t *h = &held[i % 8];
    if (*h >= 0 && ttb_router_report(&mine, *h, TTB_SUCCESS, 1000, now) != TTB_OK) failed++;
    *h = ttb_router_read(&mine, NULL, now);
    int64_t t = ttb_router_write(&mine, now);
    if (t < 0) continue;
    if (before == epoch_of() && (uint64_t)ttb_ticket_slot(t) != before % NODES) failed++;
    if (ttb_router_report(&mine, t, TTB_SUCCESS, 1000, now) != TTB_OK) failed++;
  }
  for (int i = 0; i < 8; i++)
    if (held[i] >= 0 && ttb_router_report(&mine, held[i], TTB_SUCCESS, 0, NOW) != TTB_OK) failed++;
  ttb_router_free(&mine);
  return arg;
}

int main(void) {
  static void *(*const work[])(void *) = {observe, change, route, route};
  ttb_router_config c = TTB_CONFIG(ttb_router_config);
  ttb_router mine;
  pthread_t thread[4];
  if (ttb_router_new(&shared, &c, NULL) < 0 || ttb_router_join(&shared, 1, &mine) < 0) return 1;
  for (uint64_t id = 1; id <= NODES; id++)
    if (add(&mine, id) < 0) return 1;
  for (int i = 0; i < 4; i++)
    if (pthread_create(&thread[i], NULL, work[i], NULL) != 0) return 1;
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);

  ttb_router_node row[64];
  for (int i = 0; i < 64; i++) row[i] = TTB_CONFIG(ttb_router_node);
  int32_t n = ttb_router_explain(&shared, NULL, NOW, row, 64);
  for (int32_t i = 0; i < n; i++)
    if (row[i].in_flight != 0) failed++;
  ttb_router_free(&mine);
  ttb_router_free(&shared);
  printf("%u passed, %u failed\n", failed == 0, (unsigned)failed);
  return failed != 0;
}
