/* SPDX-License-Identifier: MIT */
/* libmemcached's weighted ketama beside ours, in one process and by turns: a key of
 * 16 bytes to its server, MD5 included. Both have the same points (about 160 a
 * server), which tests/vectors/data/balancer/ketama_libmemcached.json proves of ours
 * and the first case here checks again. libmemcached ends in an assertion above 100
 * servers, so beyond those ours is alone. */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/balancer.h>

#include "bench.h"

#define KEY_BYTES 16
#define THEIR_MOST 100

typedef struct pair {
  ttb_balancer shared, mine;
  memcached_st *theirs;
  uint32_t n;
} pair;

static volatile uint64_t sink;

/* Their server i is "i:11211", whose points are named "i"; ours has the id i. */
static pair *make(uint32_t n) {
  pair *p = calloc(1, sizeof *p);
  ttb_endpoint *list = calloc(n, sizeof *list);
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = TTB_BALANCER_KETAMA;
  c.capacity = n;
  if (!p || !list || ttb_balancer_new(&p->shared, &c, NULL) < 0 ||
      ttb_balancer_join(&p->shared, 1, &p->mine) < 0)
    exit(1);
  for (uint32_t i = 0; i < n; i++) list[i].struct_size = sizeof *list, list[i].id = i + 1;
  if (ttb_balancer_update(&p->mine, list, n, NULL) < 0) exit(1);
  free(list);
  p->n = n;
  if (n > THEIR_MOST) return p;
  p->theirs = memcached_create(NULL);
  memcached_behavior_set(p->theirs, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
  for (uint32_t i = 0; i < n; i++) {
    char name[16];
    snprintf(name, sizeof name, "%u", i + 1);
    if (memcached_server_add_with_weight(p->theirs, name, 11211, 1) != MEMCACHED_SUCCESS) exit(1);
  }
  return p;
}

static void key_of(char *key, uint64_t i) {
  i *= UINT64_C(0x9e3779b97f4a7c15);
  for (int k = 0; k < KEY_BYTES; k++) key[k] = "0123456789abcdef"[i >> 4 * k & 15];
}

static uint32_t ours(pair *p, const char *key) {
  return (uint32_t)ttb_ticket_slot(ttb_balancer_acquire(&p->mine, ttb_ketama_hash(key, KEY_BYTES), 0));
}

static void run_ours(void *ctx, uint64_t n) {
  char key[KEY_BYTES];
  for (uint64_t i = 0; i < n; i++) {
    key_of(key, i);
    sink = ours(ctx, key);
  }
}

static void run_theirs(void *ctx, uint64_t n) {
  pair *p = ctx;
  char key[KEY_BYTES];
  for (uint64_t i = 0; i < n; i++) {
    key_of(key, i);
    sink = memcached_generate_hash(p->theirs, key, KEY_BYTES);
  }
}

/* The lookup alone: the keys' hashes are made beforehand. */
static void run_lookup(void *ctx, uint64_t n) {
  pair *p = ctx;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++)
    sum += (uint64_t)ttb_balancer_acquire(&p->mine, i * UINT64_C(0x9e3779b97f4a7c15) >> 32, 0);
  sink = sum;
}

static const char *name(const char *what, uint32_t n) {
  char *text = malloc(64);
  if (!text) exit(1);
  snprintf(text, 64, "%s, N=%u", what, n);
  return text;
}

int main(int argc, char **argv) {
  static const uint32_t sizes[] = {10, 100, 1000, 10000};
  bench b = bench_start(argc, argv);
  for (int k = 0; k < 4; k++) {
    pair *p = make(sizes[k]);
    char key[KEY_BYTES];
    for (uint64_t i = 0; i < 10000 && p->theirs; i++) {
      key_of(key, i);
      if (ours(p, key) == memcached_generate_hash(p->theirs, key, KEY_BYTES)) continue;
      printf("key %.16s goes elsewhere with libmemcached\n", key);
      return 1;
    }
    bench_one(&b, name("ketama, 16 byte key", sizes[k]), BENCH_ADD, run_ours, p);
    if (p->theirs)
      bench_one(&b, name("libmemcached, the same", sizes[k]), BENCH_ADD, run_theirs, p);
    bench_one(&b, name("ketama, hash given", sizes[k]), BENCH_ADD, run_lookup, p);
  }
  return bench_end(&b);
}
