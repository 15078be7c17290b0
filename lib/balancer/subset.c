/* SPDX-License-Identifier: MIT */
/* Which of many servers one of many clients talks to: pure functions, nothing is
 * kept.
 *
 * The aperture is finagle's deterministic, weighted one (DeterministicAperture,
 * commit 4feb34c): clients sit evenly on a circle, servers share it by weight, and
 * each client takes the arc from its place over as many clients' places as it needs
 * to reach a given number of (mean) servers. Every server's share is then met by
 * the same number of clients. The random subset is gRPC's (gRFC A68): the k lowest
 * hashes.
 *
 * I1  In integers: of a circle of clients * sum of weights, client i's place is
 *     i * sum and server j's part begins at clients * the weights before it. */
#include "balancer.h"

#include <string.h>

#define DEFAULT_LEAST 12u /* finagle's minimum for which arcs are worth it */

/* Element i of the caller's array, whose elements are of equal size; false if it
 * is no endpoint. */
static bool element(const ttb_endpoint *servers, uint32_t i, ttb_endpoint *ret) {
  uint32_t stride, size;
  memcpy(&stride, servers, sizeof stride);
  const unsigned char *at = (const unsigned char *)servers + (uint64_t)i * stride;
  memcpy(&size, at, sizeof size);
  if (size != stride) return false;
  int32_t code = ttb__config_read(&ttb__endpoint_fields, at, ret, -1, NULL);
  return code == TTB_OK && ret->id != 0;
}

static bool all_read(const ttb_endpoint *servers, uint32_t n, uint64_t *ret_sum) {
  ttb_endpoint e;
  for (uint32_t i = 0; i < n; i++) {
    if (!element(servers, i, &e)) return false;
    *ret_sum += e.weight;
  }
  return true;
}

/* How much of [a, b) lies in [from, to). */
static uint64_t common(uint64_t a, uint64_t b, uint64_t from, uint64_t to) {
  uint64_t low = a > from ? a : from, high = b < to ? b : to;
  return high > low ? high - low : 0;
}

int32_t ttb_balancer_aperture(uint32_t clients, uint32_t me, const ttb_endpoint *servers,
                              uint32_t n_servers, uint32_t least, uint32_t *ret_indices,
                              uint64_t *ret_shares, uint32_t n) {
  uint64_t sum = 0, before = 0;
  if ((n_servers > 0 && !servers) || (n > 0 && !ret_indices)) return TTB_ERR_MISUSE;
  if (clients < 1 || clients > TTB_MAX_SLOTS || me >= clients || n_servers > TTB_MAX_SLOTS)
    return TTB_ERR_RANGE;
  if (!all_read(servers, n_servers, &sum)) return TTB_ERR_RANGE;
  if (n_servers == 0) return 0;
  if (least == 0) least = DEFAULT_LEAST;
  uint64_t places = ((uint64_t)least * clients + n_servers - 1) / n_servers;
  if (places > clients) places = clients;
  uint64_t from = me * sum, to = from + places * sum, circle = clients * sum;
  int32_t count = 0;
  for (uint32_t i = 0; i < n_servers; i++) {
    ttb_endpoint e;
    if (!element(servers, i, &e)) continue;
    uint64_t a = before * clients, b = (before += e.weight) * clients;
    uint64_t share = common(a, b, from, to) + common(a + circle, b + circle, from, to);
    if (share == 0) continue;
    if ((uint32_t)count < n) {
      ret_indices[count] = i;
      if (ret_shares) ret_shares[count] = share;
    }
    count++;
  }
  return count;
}

/* ---- random subset ---- */

typedef struct drawn {
  uint64_t hash, id;
} drawn;

static drawn draw_of(const ttb_endpoint *servers, uint32_t i, uint64_t seed) {
  ttb_endpoint e = {0};
  unsigned char key[8];
  (void)element(servers, i, &e);
  for (int k = 0; k < 8; k++) key[k] = (unsigned char)(e.id >> 8 * k);
  return (drawn){ttb_hash(key, sizeof key, seed), e.id};
}

static bool later(drawn a, drawn b) { return a.hash == b.hash ? a.id > b.id : a.hash > b.hash; }

/* Lets the element at k sink in a heap whose top is the latest. */
static void sink(const ttb_endpoint *servers, uint64_t seed, uint32_t *heap, uint32_t k,
                 uint32_t n) {
  uint32_t moved = heap[k];
  drawn d = draw_of(servers, moved, seed);
  for (uint32_t child = 2 * k + 1; child < n; k = child, child = 2 * k + 1) {
    drawn c = draw_of(servers, heap[child], seed);
    if (child + 1 < n) {
      drawn other = draw_of(servers, heap[child + 1], seed);
      if (later(other, c)) c = other, child++;
    }
    if (!later(c, d)) break;
    heap[k] = heap[child];
  }
  heap[k] = moved;
}

int32_t ttb_balancer_subset(uint64_t seed, const ttb_endpoint *servers, uint32_t n_servers,
                            uint32_t *ret_indices, uint32_t n) {
  uint64_t sum = 0;
  if ((n_servers > 0 && !servers) || (n > 0 && !ret_indices)) return TTB_ERR_MISUSE;
  if (n_servers > TTB_MAX_SLOTS || !all_read(servers, n_servers, &sum)) return TTB_ERR_RANGE;
  if (n > n_servers) n = n_servers;
  for (uint32_t i = 0; i < n; i++) ret_indices[i] = i;
  for (uint32_t k = n / 2; k-- > 0;) sink(servers, seed, ret_indices, k, n);
  for (uint32_t i = n; i < n_servers && n > 0; i++) {
    if (!later(draw_of(servers, ret_indices[0], seed), draw_of(servers, i, seed))) continue;
    ret_indices[0] = i;
    sink(servers, seed, ret_indices, 0, n);
  }
  for (uint32_t left = n; left > 1;) {
    uint32_t top = ret_indices[0];
    ret_indices[0] = ret_indices[--left];
    ret_indices[left] = top;
    sink(servers, seed, ret_indices, 0, left);
  }
  return (int32_t)n;
}
