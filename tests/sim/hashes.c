/* SPDX-License-Identifier: MIT */
/* How evenly the algorithms by hash spread keys, which keys move when endpoints
 * leave, what a bound does to a skewed load, and how smooth weighted turns are.
 *
 *     hashes [--full]        --full: ten times the keys */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/balancer.h>

#include "../../lib/base/random.h"

static uint64_t keys = 2000000;

static const struct {
  uint32_t algorithm;
  const char *name;
  uint64_t divisor; /* of the keys, for slow ones */
} by_hash[] = {
    {TTB_BALANCER_MAGLEV, "maglev", 1},
    {TTB_BALANCER_PATCHED_MAGLEV, "patched maglev", 1},
    {TTB_BALANCER_ANCHOR, "anchor", 1},
    {TTB_BALANCER_JUMP, "jump", 1},
    {TTB_BALANCER_RENDEZVOUS, "rendezvous", 40},
    {TTB_BALANCER_RING_HASH, "ring hash", 1},
    {TTB_BALANCER_KETAMA, "ketama", 1},
    {TTB_BALANCER_NGINX_CONSISTENT, "nginx consistent", 1},
    {TTB_BALANCER_NGINX_HASH, "nginx hash", 1},
};
enum { BY_HASH = sizeof by_hash / sizeof *by_hash, MOST = 1000 };

typedef struct fleet {
  ttb_balancer shared, mine;
  ttb_endpoint list[MOST];
  uint32_t n;
} fleet;

static void set(fleet *f) {
  if (ttb_balancer_update(&f->mine, f->list, f->n, NULL) < 0) exit(1);
}

static fleet *make(ttb_balancer_config c, uint32_t n, const uint32_t *weights) {
  fleet *f = calloc(1, sizeof *f);
  c.capacity = n;
  if (!f || ttb_balancer_new(&f->shared, &c, NULL) < 0 ||
      ttb_balancer_join(&f->shared, 1, &f->mine) < 0)
    exit(1);
  f->n = n;
  for (uint32_t i = 0; i < n; i++) {
    f->list[i].struct_size = sizeof *f->list;
    f->list[i].id = i + 1;
    f->list[i].weight = weights ? weights[i] : 1;
  }
  set(f);
  return f;
}

static void drop(fleet *f) {
  ttb_balancer_free(&f->mine);
  ttb_balancer_free(&f->shared);
  free(f);
}

static ttb_balancer_config config_of(uint32_t algorithm) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = algorithm;
  return c;
}

static uint64_t key(uint64_t i) { return ttb__splitmix(&i); }

static uint32_t home(fleet *f, uint64_t hash) {
  int64_t t = ttb_balancer_acquire(&f->mine, hash, 0);
  if (t < 0) exit(1);
  (void)ttb_balancer_report(&f->mine, t, TTB_SUCCESS, 0, 0);
  return (uint32_t)ttb_ticket_slot(t);
}

/* ---- 1. spread ---- */

static double busiest(fleet *f, uint64_t n_keys) {
  uint64_t count[MOST] = {0}, most = 0;
  for (uint64_t i = 0; i < n_keys; i++) count[home(f, key(i))]++;
  for (uint32_t s = 0; s < f->n; s++)
    if (count[s] > most) most = count[s];
  return (double)most * f->n / (double)n_keys;
}

static void spread(void) {
  static const uint32_t sizes[] = {10, 100, 1000};
  printf("# spread: the busiest of n equal endpoints, as a multiple of the mean, by %llu keys\n"
         "# (rendezvous by a 40th of them). Chance alone makes 1.003, 1.02 and 1.07 of it\n"
         "# (rendezvous: 1.02, 1.12, 1.5).\n",
         (unsigned long long)keys);
  printf("%-18s %8s %8s %8s\n", "# algorithm", "n=10", "n=100", "n=1000");
  for (size_t a = 0; a < BY_HASH; a++) {
    printf("%-18s", by_hash[a].name);
    for (int k = 0; k < 3; k++) {
      fleet *f = make(config_of(by_hash[a].algorithm), sizes[k], NULL);
      printf(" %8.3f", busiest(f, keys / by_hash[a].divisor));
      drop(f);
    }
    printf("\n");
  }
}

/* ---- 2. moved keys ---- */

/* Per cent of the survivors' keys that changed hands when `gone` of n have left, one
 * update; and when they were marked instead. */
static void moved(uint32_t algorithm, uint64_t n_keys, uint32_t n, uint32_t gone,
                  double *ret_left, double *ret_marked) {
  fleet *f = make(config_of(algorithm), n, NULL);
  uint32_t *before = malloc(n_keys * sizeof *before);
  bool is_gone[MOST] = {false};
  uint64_t theirs = 0, left = 0, marked = 0;
  if (!before) exit(1);
  for (uint64_t i = 0; i < n_keys; i++) before[i] = home(f, key(i));
  for (uint32_t i = 0; i < gone; i++) is_gone[i * (n / gone) + n / gone / 2] = true;
  for (uint32_t s = 0; s < n; s++)
    if (is_gone[s]) (void)ttb_balancer_mark(&f->shared, s, TTB_CAUSE_PROBE, 1);
  for (uint64_t i = 0; i < n_keys; i++)
    marked += !is_gone[before[i]] && home(f, key(i)) != before[i];
  for (uint32_t s = 0; s < n; s++)
    if (is_gone[s]) (void)ttb_balancer_mark(&f->shared, s, TTB_CAUSE_PROBE, 0);
  f->n = 0;
  for (uint32_t i = 0; i < n; i++)
    if (!is_gone[i]) f->list[f->n++] = f->list[i];
  set(f);
  for (uint64_t i = 0; i < n_keys; i++) {
    theirs += !is_gone[before[i]];
    left += !is_gone[before[i]] && home(f, key(i)) != before[i];
  }
  *ret_left = 100.0 * (double)left / (double)theirs;
  *ret_marked = 100.0 * (double)marked / (double)theirs;
  free(before);
  drop(f);
}

static void moves(void) {
  printf("\n# moved: per cent of the survivors' keys that change hands when endpoints leave in one\n"
         "# update; marked: when they are marked instead\n");
  printf("%-18s %8s %8s %8s %8s %8s\n", "# algorithm", "1/100", "10/100", "1/1000", "100/1000",
         "marked");
  for (size_t a = 0; a < BY_HASH; a++) {
    static const uint32_t of[4] = {100, 100, 1000, 1000}, gone[4] = {1, 10, 1, 100};
    double worst_marked = 0;
    printf("%-18s", by_hash[a].name);
    for (int k = 0; k < 4; k++) {
      double left, marked;
      moved(by_hash[a].algorithm, keys / 10 / by_hash[a].divisor, of[k], gone[k], &left, &marked);
      if (marked > worst_marked) worst_marked = marked;
      printf(" %8.2f", left);
    }
    printf(" %8.2f\n", worst_marked);
  }
}

/* ---- 3. a long history ---- */

/* After so many comings and goings of 100 endpoints: the largest and the least share of
 * the table, and what a table made anew would have. */
static void history(void) {
  static const uint32_t changes[] = {0, 10, 100, 1000};
  ttb_balancer_config c = config_of(TTB_BALANCER_PATCHED_MAGLEV);
  fleet *f = make(c, 100, NULL);
  uint64_t seed = 7;
  uint32_t done = 0;
  printf("\n# history: entries of a patched maglev table of 65537 that the busiest and the idlest of\n"
         "# 100 endpoints have, after so many have been replaced, one at a time; beside it maglev's,\n"
         "# made anew\n%-18s %8s %8s %8s %8s\n", "# changes", "busiest", "idlest", "maglev:",
         "idlest");
  for (int k = 0; k < 4; k++) {
    for (; done < changes[k]; done++) {
      uint32_t i = ttb__scale32((uint32_t)ttb__splitmix(&seed), 100);
      if (ttb_balancer_remove(&f->mine, f->list[i].id) < 0) exit(1);
      f->list[i].id = 1000 + done;
      if (ttb_balancer_add(&f->mine, &f->list[i]) < 0) exit(1);
    }
    fleet *anew = make(config_of(TTB_BALANCER_MAGLEV), 100, NULL);
    memcpy(anew->list, f->list, sizeof f->list);
    set(anew);
    uint32_t count[2][MOST] = {{0}}, most[2] = {0}, least[2] = {UINT32_MAX, UINT32_MAX};
    for (uint64_t i = 0; i < 65537; i++) count[0][home(f, i)]++, count[1][home(anew, i)]++;
    for (int t = 0; t < 2; t++)
      for (uint32_t s = 0; s < 100; s++) {
        if (count[t][s] > most[t]) most[t] = count[t][s];
        if (count[t][s] < least[t]) least[t] = count[t][s];
      }
    printf("%-18u %8u %8u %8u %8u\n", changes[k], most[0], least[0], most[1], least[1]);
    drop(anew);
  }
  drop(f);
}

/* ---- 4. bounded load ---- */

enum { DIFFERENT = 20000, HELD = 2000 };

/* Keys by Zipf's law (exponent 1): sums of 1 / rank. */
static double *zipf(void) {
  double *sum = malloc(DIFFERENT * sizeof *sum), s = 0;
  if (!sum) exit(1);
  for (int i = 0; i < DIFFERENT; i++) sum[i] = s += 1.0 / (i + 1);
  for (int i = 0; i < DIFFERENT; i++) sum[i] /= s;
  return sum;
}

static uint64_t draw(const double *sum, uint64_t *seed) {
  double u = (double)(ttb__splitmix(seed) >> 11) / 9007199254740992.0;
  uint32_t low = 0, high = DIFFERENT - 1;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (sum[middle] < u) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Of 100 endpoints, HELD calls in flight (the oldest ends when one begins): the most
 * that one has at any time, against the mean; and calls that were not at home. */
static void load(uint32_t algorithm, int32_t ppm, const double *sum, uint64_t calls,
                 double *ret_peak, double *ret_away) {
  ttb_balancer_config c = config_of(algorithm);
  c.bounded_ppm = ppm;
  c.flags = TTB_BALANCER_TRACK;
  fleet *f = make(c, 100, NULL), *idle = make(config_of(algorithm), 100, NULL);
  int64_t *held = malloc(HELD * sizeof *held);
  uint32_t count[MOST] = {0}, peak = 0;
  uint64_t seed = 3, away = 0, after = 0;
  if (!held) exit(1);
  for (uint64_t i = 0; i < calls; i++) {
    if (i >= HELD) {
      count[ttb_ticket_slot(held[i % HELD])]--;
      (void)ttb_balancer_report(&f->mine, held[i % HELD], TTB_SUCCESS, 0, 0);
    }
    uint64_t hash = key(draw(sum, &seed));
    int64_t t = held[i % HELD] = ttb_balancer_acquire(&f->mine, hash, 0);
    if (t < 0) exit(1);
    uint32_t slot = (uint32_t)ttb_ticket_slot(t);
    count[slot]++;
    if (i < HELD) continue;
    if (count[slot] > peak) peak = count[slot];
    away += slot != home(idle, hash);
    after++;
  }
  *ret_peak = (double)peak * 100 / HELD;
  *ret_away = 100.0 * (double)away / (double)after;
  free(held);
  drop(f);
  drop(idle);
}

static void bounded(void) {
  double *sum = zipf();
  printf("\n# bounded: 20,000 keys by Zipf's law (exponent 1) on 100 endpoints, 2,000 calls in flight: the\n"
         "# most one endpoint ever has, as a multiple of the mean; away: per cent of the calls that\n"
         "# are not where they would be without load\n");
  printf("%-18s %9s %9s %9s %9s %9s\n", "# algorithm", "unbounded", "at 2.00", "away", "at 1.25",
         "away");
  for (size_t a = 0; a < BY_HASH; a++) {
    double peak[3], away[3];
    static const int32_t ppm[3] = {0, 2000000, 1250000};
    for (int k = 0; k < 3; k++)
      load(by_hash[a].algorithm, ppm[k], sum, keys / 10 / (by_hash[a].divisor > 1 ? 4 : 1),
           &peak[k], &away[k]);
    printf("%-18s %9.2f %9.2f %9.2f %9.2f %9.2f\n", by_hash[a].name, peak[0], peak[1], away[1],
           peak[2], away[2]);
  }
  free(sum);
}

/* ---- 5. turns ---- */

/* How far any endpoint ever is from its share, in turns, over two periods. */
static double deviation(uint32_t order, const uint32_t *weights, uint32_t n) {
  ttb_balancer_config c = config_of(TTB_BALANCER_WEIGHTED_ROUND_ROBIN);
  uint64_t sum = 0, count[MOST] = {0};
  double worst = 0;
  for (uint32_t i = 0; i < n; i++) sum += weights[i];
  c.wrr_order = order;
  c.table_size = (uint32_t)sum > 2 * n ? (uint32_t)sum : 2 * n;
  fleet *f = make(c, n, weights);
  for (uint64_t t = 1; t <= 2 * sum; t++) {
    count[ttb_ticket_slot(ttb_balancer_acquire(&f->mine, 0, 0))]++;
    for (uint32_t i = 0; i < n; i++) {
      double off = ((double)(count[i] * sum) - (double)(t * weights[i])) / (double)sum;
      if (off < 0) off = -off;
      if (off > worst) worst = off;
    }
  }
  drop(f);
  return worst;
}

static void turns(void) {
  static const struct {
    const char *name;
    uint32_t n, weights[10];
  } sets[] = {{"5,1,1", 3, {5, 1, 1}},
              {"4,3,2,1", 4, {4, 3, 2, 1}},
              {"7,5,3,1", 4, {7, 5, 3, 1}},
              {"50,20,10,5,5,...", 10, {50, 20, 10, 5, 5, 4, 3, 1, 1, 1}}};
  uint32_t many[200];
  uint64_t seed = 5;
  printf("\n# turns: weighted round robin, the furthest any endpoint ever is from its share, in turns\n"
         "%-18s %8s %8s\n", "# weights", "tijdeman", "nginx");
  for (int i = 0; i < 4; i++)
    printf("%-18s %8.3f %8.3f\n", sets[i].name,
           deviation(TTB_BALANCER_TIJDEMAN, sets[i].weights, sets[i].n),
           deviation(TTB_BALANCER_NGINX, sets[i].weights, sets[i].n));
  for (int i = 0; i < 200; i++) many[i] = 1 + ttb__scale32((uint32_t)ttb__splitmix(&seed), 100);
  printf("%-18s %8.3f %8.3f\n", "200 of 1..100", deviation(TTB_BALANCER_TIJDEMAN, many, 200),
         deviation(TTB_BALANCER_NGINX, many, 200));
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "--full")) keys *= 10;
  printf("# Algorithms by hash, and weighted turns. tests/sim/hashes.c; what it means:\n"
         "# docs/balancer.md\n\n");
  spread();
  moves();
  history();
  bounded();
  turns();
  return 0;
}
