/* SPDX-License-Identifier: MIT */
/* The balancer against plain references: a list of endpoints and tickets for
 * what every algorithm must keep, and each algorithm's rule written down as
 * slowly as it can be said. */
#include <string.h>
#include <trimtab/balancer.h>

#include "../support/check.h"

enum { CAPACITY = 12, THREADS = 3, MAX_TICKETS = 40, IDS = 20 };

typedef struct endpoint {
  uint64_t id; /* 0: nobody */
  uint32_t weight, causes, generation;
} endpoint;

typedef struct ticket {
  int64_t ticket;
  uint32_t slot, thread;
} ticket;

typedef struct model {
  ttb_balancer shared, mine[THREADS];
  uint32_t algorithm, flags;
  endpoint slot[CAPACITY];
  uint32_t in_flight[CAPACITY];
  ticket out[MAX_TICKETS];
  uint32_t outs;
  int64_t last; /* the ticket reported last */
  uint32_t last_slot;
} model;

static bool tracked(const model *m) {
  return m->algorithm == TTB_BALANCER_TWO_CHOICES ||
         m->algorithm == TTB_BALANCER_LEAST_CONNECTIONS ||
         m->algorithm == TTB_BALANCER_FIRST_FIT || m->algorithm == TTB_BALANCER_PEAK_EWMA ||
         (m->flags & TTB_BALANCER_TRACK);
}

static void end(model *m) {
  for (int i = 0; i < THREADS; i++) ttb_balancer_free(&m->mine[i]);
  ttb_balancer_free(&m->shared);
}

static void begin(check *c, model *m) {
  memset(m, 0, sizeof *m);
  ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
  do config.algorithm = (uint32_t)check_between(c, 1, TTB_BALANCER_NGINX_HASH);
  while (ttb_balancer_check(&config, NULL) < 0); /* not all numbers are taken */
  m->algorithm = config.algorithm;
  config.capacity = CAPACITY;
  config.threads = check_chance(c, 1, 2) ? THREADS : 30;
  config.flags = m->flags = (uint32_t)check_below(c, 8);
  config.lease = (uint32_t)check_between(c, 1, 9);
  config.tickets = 64;
  config.seed = check_rand(c);
  if (m->algorithm == TTB_BALANCER_MAGLEV || m->algorithm == TTB_BALANCER_PATCHED_MAGLEV)
    config.table_size = 101;
  if (m->algorithm == TTB_BALANCER_WEIGHTED_ROUND_ROBIN) config.table_size = 64;
  if (m->algorithm == TTB_BALANCER_RING_HASH) config.table_size = CAPACITY + 50;
  m->last = -1;
  CHECK(c, ttb_balancer_new(&m->shared, &config, NULL) == TTB_OK, "new");
  for (int i = 0; i < THREADS; i++)
    CHECK(c, ttb_balancer_join(&m->shared, 7, &m->mine[i]) == TTB_OK, "join %d", i);
}

static int find(const model *m, uint64_t id) {
  for (int s = 0; s < CAPACITY; s++)
    if (m->slot[s].id == id) return s;
  return TTB_ERR_UNKNOWN_ID;
}
static bool eligible(const model *m, int s) { return m->slot[s].id && !m->slot[s].causes; }
static bool listed(const uint32_t *x, uint32_t n, int s) {
  for (uint32_t i = 0; i < n; i++)
    if (x[i] == (uint32_t)s) return true;
  return false;
}

/* The lowest slot where nobody lives and nothing is in flight. */
static int room(const model *m) {
  for (int s = 0; s < CAPACITY; s++)
    if (!m->slot[s].id && !m->in_flight[s]) return s;
  return TTB_ERR_NOSPACE;
}

static void settle_in(model *m, int s, uint64_t id, uint32_t weight) {
  m->slot[s] = (endpoint){id, weight, 0, m->slot[s].generation + 1};
}

static void do_add(check *c, model *m, ttb_balancer *h) {
  ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
  e.id = (uint64_t)check_between(c, 1, IDS);
  e.weight = (uint32_t)check_below(c, 6);
  int expected = find(m, e.id) >= 0 ? TTB_ERR_DUPLICATE : room(m);
  int32_t got = ttb_balancer_add(h, &e);
  CHECK(c, got == expected, "add: %d, not %d", got, expected);
  if (expected >= 0) settle_in(m, expected, e.id, e.weight ? e.weight : 1);
}

static void do_remove(check *c, model *m, ttb_balancer *h) {
  uint64_t id = (uint64_t)check_between(c, 1, IDS);
  int s = find(m, id);
  int32_t got = ttb_balancer_remove(h, id);
  CHECK(c, got == (s < 0 ? s : TTB_OK), "remove: %d", got);
  if (s >= 0) m->slot[s].id = 0;
}

static void do_weight(check *c, model *m, ttb_balancer *h) {
  uint64_t id = (uint64_t)check_between(c, 1, IDS);
  uint32_t weight = (uint32_t)check_below(c, 6);
  int s = find(m, id);
  int32_t got = ttb_balancer_set_weight(h, id, weight);
  CHECK(c, got == (s < 0 ? s : TTB_OK), "set_weight: %d", got);
  if (s < 0) return;
  if (weight == 0) m->slot[s].causes |= TTB_CAUSE_WEIGHT;
  else m->slot[s].causes &= ~TTB_CAUSE_WEIGHT, m->slot[s].weight = weight;
}

static void do_mark(check *c, model *m) {
  int s = (int)check_below(c, CAPACITY);
  uint32_t causes = (uint32_t)check_between(c, 1, 63);
  int32_t on = check_chance(c, 1, 3), expected = TTB_ERR_UNKNOWN_ID;
  uint32_t before = m->slot[s].causes, after = on ? before | causes : before & ~causes;
  if (m->slot[s].id) expected = (before & causes) != (on ? causes : 0);
  int32_t got = ttb_balancer_mark(&m->shared, (uint32_t)s, causes, on);
  CHECK(c, got == expected, "mark: %d, not %d", got, expected);
  if (m->slot[s].id) m->slot[s].causes = after;
}

static void do_status(check *c, model *m) {
  uint64_t id = (uint64_t)check_between(c, 1, IDS);
  int32_t status = (int32_t)check_below(c, 6);
  int s = find(m, id);
  int32_t got = ttb_balancer_set_status(&m->shared, id, status);
  CHECK(c, got == (s < 0 ? s : TTB_OK), "set_status: %d", got);
  if (s < 0) return;
  m->slot[s].causes &= ~(TTB_CAUSE_PROBE | TTB_CAUSE_DRAIN);
  if (status == TTB_STATUS_UNHEALTHY || status == TTB_STATUS_STALE)
    m->slot[s].causes |= TTB_CAUSE_PROBE;
  if (status == TTB_STATUS_DRAINING) m->slot[s].causes |= TTB_CAUSE_DRAIN;
}

static void do_update(check *c, model *m, ttb_balancer *h) {
  ttb_endpoint list[CAPACITY + 1];
  uint32_t n = (uint32_t)check_below(c, CAPACITY + 2);
  bool twice = false;
  for (uint32_t i = 0; i < n; i++) {
    list[i] = (ttb_endpoint){sizeof *list, (uint32_t)check_between(c, 1, 5),
                             (uint64_t)check_between(c, 1, IDS * 8)};
    for (uint32_t k = 0; k < i; k++) twice = twice || list[k].id == list[i].id;
  }
  int32_t expected = n > CAPACITY ? TTB_ERR_NOSPACE : twice ? TTB_ERR_DUPLICATE : TTB_OK;
  int32_t got = ttb_balancer_update(h, list, n, NULL);
  if (expected == TTB_OK) {
    for (int s = 0; s < CAPACITY; s++) {
      bool stays = false;
      for (uint32_t i = 0; i < n; i++) stays = stays || list[i].id == m->slot[s].id;
      if (!stays) m->slot[s].id = 0;
    }
    for (uint32_t i = 0; i < n; i++) {
      int s = find(m, list[i].id);
      if (s >= 0) {
        m->slot[s].weight = list[i].weight;
        m->slot[s].causes &= ~TTB_CAUSE_WEIGHT;
      } else if ((s = room(m)) >= 0) {
        settle_in(m, s, list[i].id, list[i].weight);
      } else {
        expected = TTB_ERR_NOSPACE;
      }
    }
  }
  CHECK(c, got == expected, "update: %d, not %d", got, expected);
}

static void do_acquire(check *c, model *m, uint32_t thread) {
  if (m->outs == MAX_TICKETS) return;
  uint32_t x[3], n = (uint32_t)check_below(c, 4), may = 0, rest = 0;
  for (uint32_t i = 0; i < n; i++) x[i] = (uint32_t)check_below(c, CAPACITY + 2);
  for (int s = 0; s < CAPACITY; s++) {
    may += eligible(m, s);
    rest += eligible(m, s) && !listed(x, n, s);
  }
  int64_t t = ttb_balancer_acquire_except(&m->mine[thread], check_rand(c), x, n, 0);
  if (rest == 0) {
    int64_t expected = may ? TTB_ALL_EXCLUDED : TTB_NO_ENDPOINT;
    CHECK(c, t == expected, "acquire: %" PRId64 ", not %" PRId64, t, expected);
    return;
  }
  int s = ttb_ticket_slot(t);
  CHECK(c, t >= 0 && s < CAPACITY && eligible(m, s) && !listed(x, n, s),
        "acquire of algorithm %u: %" PRId64 ", slot %d", m->algorithm, t, s);
  if (t < 0 || s >= CAPACITY) return;
  if (m->algorithm == TTB_BALANCER_LEAST_CONNECTIONS)
    for (int k = 0; k < CAPACITY; k++)
      CHECK(c,
            !eligible(m, k) || listed(x, n, k) ||
                (uint64_t)m->in_flight[s] * m->slot[k].weight <=
                    (uint64_t)m->in_flight[k] * m->slot[s].weight,
            "slot %d has more in flight than %d", s, k);
  if (m->algorithm == TTB_BALANCER_FIRST_FIT) {
    int first = -1;
    for (int k = CAPACITY - 1; k >= 0; k--)
      if (eligible(m, k) && !listed(x, n, k) && m->in_flight[k] < m->slot[k].weight) first = k;
    CHECK(c, first < 0 || s == first, "slot %d was taken, %d is the first with room", s, first);
  }
  if (tracked(m)) m->in_flight[s]++;
  m->out[m->outs++] = (ticket){t, (uint32_t)s, thread};
}

static void do_report(check *c, model *m, uint32_t thread) {
  if (m->outs == 0) return;
  uint32_t k = (uint32_t)check_below(c, m->outs);
  ticket t = m->out[k];
  bool ours = t.thread == thread || (m->flags & TTB_BALANCER_MOVING_TICKETS);
  int32_t expected = ours ? TTB_OK : TTB_STALE;
  /* Without counts a slot is reused under its tickets; generations tell. */
  if (!tracked(m) && (t.ticket >> 20 & 0xfffff) != m->slot[t.slot].generation) expected = TTB_STALE;
  if (!tracked(m) && m->flags & (TTB_BALANCER_MOVING_TICKETS | TTB_BALANCER_CHECK_TICKETS))
    expected = ours ? TTB_OK : TTB_STALE;
  int32_t got = ttb_balancer_report(&m->mine[thread], t.ticket, (int32_t)check_below(c, 5), 0, 0);
  CHECK(c, got == expected, "report: %d, not %d (flags %u)", got, expected, m->flags);
  if (!ours) return;
  if (tracked(m)) m->in_flight[t.slot]--;
  m->out[k] = m->out[--m->outs];
  m->last = t.ticket;
  m->last_slot = t.slot;
}

/* The last reported ticket again: always stale if tickets are checked, else if
 * nothing else is out on that endpoint. */
static void do_report_twice(check *c, model *m, uint32_t thread) {
  if (m->last < 0) return;
  bool checked = m->flags & TTB_BALANCER_CHECK_TICKETS;
  if (!checked && (!tracked(m) || m->in_flight[m->last_slot])) return;
  int32_t got = ttb_balancer_report(&m->mine[thread], m->last, TTB_SUCCESS, 0, 0);
  CHECK(c, got == TTB_STALE, "second report: %d", got);
}

static void compare(check *c, model *m) {
  for (int s = 0; s < CAPACITY; s++) {
    ttb_balancer_info i = TTB_CONFIG(ttb_balancer_info);
    int32_t code = ttb_balancer_inspect(&m->shared, (uint32_t)s, &i);
    const endpoint *e = &m->slot[s];
    CHECK(c, (code == TTB_OK) == (e->id != 0), "slot %d: %d", s, code);
    if (code < 0) continue;
    CHECK(c, i.id == e->id && i.weight == e->weight && i.causes == e->causes &&
                 i.generation == e->generation && i.in_flight == m->in_flight[s],
          "slot %d: id %" PRIu64 " weight %u causes %u generation %u in flight %u, not "
          "%" PRIu64 " %u %u %u %u", s, i.id, i.weight, i.causes, i.generation, i.in_flight,
          e->id, e->weight, e->causes, e->generation, m->in_flight[s]);
    CHECK(c, ttb_balancer_find(&m->shared, e->id) == s, "find %" PRIu64, e->id);
  }
  ttb_balancer_stats st = TTB_CONFIG(ttb_balancer_stats);
  (void)ttb_balancer_statistics(&m->shared, &st);
  uint64_t sum = 0;
  for (int s = 0; s < CAPACITY; s++) sum += m->in_flight[s];
  CHECK(c, st.in_flight == sum, "in flight %" PRIu64 ", not %" PRIu64, st.in_flight, sum);
}

static void against_a_list(check *c) {
  check_property(c, "endpoints, causes, counts and tickets are those of a plain list");
  model m;
  uint64_t until = 0;
  bool begun = false;
  while (check_step(c)) {
    if (c->step >= until) {
      if (begun) end(&m);
      begin(c, &m);
      begun = true;
      until = c->step + (uint64_t)check_between(c, 10, 3000);
    }
    uint32_t thread = (uint32_t)check_below(c, THREADS), what = (uint32_t)check_below(c, 100);
    ttb_balancer *h = &m.mine[thread];
    if (what < 45) do_acquire(c, &m, thread);
    else if (what < 80) do_report(c, &m, thread);
    else if (what < 83) do_report_twice(c, &m, thread);
    else if (what < 86) do_add(c, &m, h);
    else if (what < 89) do_remove(c, &m, h);
    else if (what < 91) do_weight(c, &m, h);
    else if (what < 97) do_mark(c, &m);
    else if (what < 99) do_status(c, &m);
    else do_update(c, &m, h);
    if (what >= 80 || check_chance(c, 1, 16)) compare(c, &m);
  }
  if (begun) end(&m);
}

/* ---- weighted round robin ---- */

/* Tijdeman's rule as it stands in the paper, in integers. */
static uint32_t tijdeman(const uint32_t *w, uint32_t n, uint64_t sum, uint64_t *x, uint64_t j) {
  uint64_t d = 2 * (uint64_t)n - 2;
  uint32_t best = n;
  for (uint32_t i = 0; i < n; i++) {
    if (j * w[i] * d < x[i] * sum * d + sum) continue; /* l j - x < 1 / d */
    if (best < n && ((x[i] + 1) * d - 1) * w[best] >= ((x[best] + 1) * d - 1) * w[i]) continue;
    best = i;
  }
  x[best]++;
  return best;
}

static uint32_t nginx(const uint32_t *w, uint32_t n, int64_t *current) {
  uint32_t best = 0;
  int64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    current[i] += w[i];
    sum += w[i];
    if (i == 0 || current[i] > current[best]) best = i;
  }
  current[best] -= sum;
  return best;
}

static void orders(check *c) {
  check_property(c, "weighted round robin is Tijdeman's and nginx's order, within its bound");
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 2, 30), w[30], sum = 0;
    uint32_t most = check_chance(c, 1, 2) ? 3 : 60;
    for (uint32_t i = 0; i < n; i++) sum += w[i] = (uint32_t)check_between(c, 1, most);
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = TTB_BALANCER_WEIGHTED_ROUND_ROBIN;
    config.capacity = n;
    config.table_size = 2048;
    config.wrr_order = (uint32_t)check_between(c, 1, 2);
    ttb_balancer b, mine;
    ttb_endpoint list[30];
    for (uint32_t i = 0; i < n; i++) list[i] = (ttb_endpoint){sizeof *list, w[i], i + 1};
    CHECK(c, ttb_balancer_new(&b, &config, NULL) == TTB_OK &&
                 ttb_balancer_join(&b, 1, &mine) == TTB_OK &&
                 ttb_balancer_update(&mine, list, n, NULL) == TTB_OK, "set up");
    uint64_t x[30] = {0}, turns[30] = {0};
    int64_t current[30] = {0};
    for (uint64_t j = 1; j <= sum && !c->wrong; j++) {
      uint32_t expected = config.wrr_order == TTB_BALANCER_NGINX ? nginx(w, n, current)
                                                                 : tijdeman(w, n, sum, x, j);
      int32_t got = ttb_ticket_slot(ttb_balancer_acquire(&mine, 0, 0));
      CHECK(c, got == (int32_t)expected, "turn %" PRIu64 " of %u: %d, not %u", j, sum, got,
            expected);
      turns[got]++;
      if (config.wrr_order == TTB_BALANCER_TIJDEMAN)
        for (uint32_t i = 0; i < n; i++) {
          int64_t off = (int64_t)(turns[i] * sum) - (int64_t)(j * w[i]);
          CHECK(c, off < (int64_t)sum && -off < (int64_t)sum, "endpoint %u is a turn off", i);
        }
      c->step += c->step < c->limit; /* a turn is a step */
    }
    ttb_balancer_free(&mine);
    ttb_balancer_free(&b);
  }
}

/* ---- maglev ---- */

static void permutations(check *c) {
  check_property_slow(c, "maglev's table is the paper's, with Envoy's weights", 1000);
  static const uint32_t primes[] = {31, 101, 1009, 4093};
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 1, 20), m = primes[check_below(c, 4)], w[20], max = 0;
    uint64_t id[20], offset[20], skip[20], next[20] = {0}, turns[20] = {0};
    int32_t table[4093];
    ttb_endpoint list[20];
    for (uint32_t i = 0; i < n; i++) {
      /* ascending, so that the order is that of the rows */
      id[i] = (i ? id[i - 1] : 0) + (uint64_t)check_between(c, 1, INT64_MAX / 20);
      w[i] = (uint32_t)check_between(c, 1, check_chance(c, 1, 2) ? 1 : 9);
      if (w[i] > max) max = w[i];
      unsigned char key[8];
      for (int k = 0; k < 8; k++) key[k] = (unsigned char)(id[i] >> 8 * k);
      offset[i] = ttb_hash(key, 8, 0) % m;
      skip[i] = ttb_hash(key, 8, 1) % (m - 1) + 1;
      list[n - 1 - i] = (ttb_endpoint){sizeof *list, w[i], id[i]}; /* added backwards */
    }
    for (uint32_t k = 0; k < m; k++) table[k] = -1;
    for (uint32_t filled = 0, round = 1; filled < m; round++)
      for (uint32_t i = 0; i < n && filled < m; i++) {
        if ((uint64_t)round * w[i] < turns[i] * max) continue;
        uint64_t at;
        do at = (offset[i] + next[i]++ * skip[i]) % m;
        while (table[at] >= 0);
        table[at] = (int32_t)(n - 1 - i);
        turns[i]++, filled++;
      }
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = TTB_BALANCER_MAGLEV;
    config.capacity = 20;
    config.table_size = m;
    ttb_balancer b, mine;
    CHECK(c, ttb_balancer_new(&b, &config, NULL) == TTB_OK &&
                 ttb_balancer_join(&b, 1, &mine) == TTB_OK &&
                 ttb_balancer_update(&mine, list, n, NULL) == TTB_OK, "set up");
    for (uint32_t k = 0; k < m; k++) {
      uint64_t hash = k + (uint64_t)m * check_below(c, UINT32_MAX);
      int32_t got = ttb_ticket_slot(ttb_balancer_acquire(&mine, hash, 0));
      CHECK(c, got == table[k], "entry %u of %u: %d, not %d", k, m, got, table[k]);
    }
    ttb_balancer_free(&mine);
    ttb_balancer_free(&b);
  }
}

/* ---- consistent hashes ---- */

/* Another endpoint set, another key: who has it by the algorithm's rule, said as
 * slowly as it can be. */
typedef struct hashed {
  ttb_balancer shared, mine;
  uint32_t algorithm;
  uint64_t id[CAPACITY]; /* by slot; 0: nobody, or it may not be picked */
  uint64_t everybody[CAPACITY];
  uint32_t weight[CAPACITY];
} hashed;

static uint32_t crc(uint32_t crc32, const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  crc32 = ~crc32;
  for (size_t i = 0; i < n; i++) {
    crc32 ^= p[i];
    for (int k = 0; k < 8; k++) crc32 = crc32 >> 1 ^ (crc32 & 1 ? 0xedb88320 : 0);
  }
  return ~crc32;
}

/* The nearest point so far at or after a key's position. */
typedef struct nearest {
  uint64_t distance, rank;
  int slot;
} nearest;

static void nearer(nearest *best, uint64_t distance, uint64_t rank, int slot) {
  if (best->slot >= 0 && (distance > best->distance ||
                          (distance == best->distance && rank >= best->rank)))
    return;
  *best = (nearest){distance, rank, slot};
}

static int by_nginx(const hashed *h, uint32_t key) {
  nearest best = {0, 0, -1};
  for (int s = 0; s < CAPACITY; s++) {
    char text[32];
    uint32_t point = 0;
    if (!h->id[s]) continue;
    int n = snprintf(text, sizeof text, "%" PRIu64, h->id[s]) + 1;
    for (uint32_t i = 0; i < 160 * h->weight[s]; i++) {
      unsigned char le[4] = {(unsigned char)point, (unsigned char)(point >> 8),
                             (unsigned char)(point >> 16), (unsigned char)(point >> 24)};
      point = crc(crc(0, text, (size_t)n), le, 4);
      nearer(&best, point - key, h->id[s], s);
    }
  }
  return best.slot;
}

/* Envoy's loop, with its sums as fractions of whole numbers. The points of those
 * who may not be picked count for the scale and are not there for keys. */
static int by_ring(const hashed *h, uint64_t key, uint64_t min) {
  nearest best = {0, 0, -1};
  uint64_t sum = 0, least = UINT64_MAX, target = 0, current = 0, before = 0;
  for (int s = 0; s < CAPACITY; s++) {
    if (!h->everybody[s]) continue;
    sum += h->weight[s];
    if (h->weight[s] < least) least = h->weight[s];
  }
  if (sum == 0) return -1;
  uint64_t whole = (least * min + sum - 1) / sum; /* scale = whole * sum / least */
  for (;;) { /* by ascending id */
    int next = -1;
    for (int s = 0; s < CAPACITY; s++)
      if (h->everybody[s] > before && (next < 0 || h->everybody[s] < h->everybody[next])) next = s;
    if (next < 0) break;
    before = h->everybody[next];
    target += whole * h->weight[next];
    for (uint64_t i = 0; current * least < target; i++, current++) {
      char text[48];
      int n = snprintf(text, sizeof text, "%" PRIu64 "_%" PRIu64, before, i);
      if (h->id[next]) nearer(&best, ttb_hash(text, (uint64_t)n, 0) - key, before, next);
    }
  }
  return best.slot;
}

static int expected_home(const hashed *h, uint64_t key) {
  if (h->algorithm == TTB_BALANCER_NGINX_CONSISTENT) return by_nginx(h, (uint32_t)key);
  if (h->algorithm == TTB_BALANCER_RING_HASH) return by_ring(h, key, 1024);
  return -1;
}

/* Does what it says to one endpoint; returns its slot, -1 if nothing changed. */
static int disturb(check *c, hashed *h, bool *comes) {
  int s = (int)check_below(c, CAPACITY);
  *comes = false;
  if (!h->everybody[s]) {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = (uint64_t)check_between(c, 1, INT64_MAX);
    e.weight = (uint32_t)check_between(c, 1, 3);
    s = ttb_balancer_add(&h->mine, &e);
    if (s < 0) return -1;
    h->id[s] = h->everybody[s] = e.id;
    h->weight[s] = e.weight;
    *comes = true;
  } else if (!h->id[s]) {
    ttb_balancer_mark(&h->shared, (uint32_t)s, TTB_CAUSE_PROBE, 0);
    h->id[s] = h->everybody[s];
    *comes = true;
  } else if (check_chance(c, 1, 2)) {
    ttb_balancer_mark(&h->shared, (uint32_t)s, TTB_CAUSE_PROBE, 1);
    h->id[s] = 0;
  } else {
    ttb_balancer_remove(&h->mine, h->id[s]);
    h->id[s] = h->everybody[s] = 0;
  }
  return s;
}

static void homes(check *c) {
  static const uint32_t algorithms[] = {TTB_BALANCER_RING_HASH, TTB_BALANCER_JUMP,
                                        TTB_BALANCER_RENDEZVOUS, TTB_BALANCER_NGINX_CONSISTENT};
  enum { KEYS = 12 };
  check_property_slow(c, "keys move only to who comes and from who leaves; homes are by the rule",
                      400);
  while (check_step(c)) {
    hashed h = {.algorithm = algorithms[check_below(c, 4)]};
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = h.algorithm;
    config.capacity = CAPACITY;
    if (h.algorithm == TTB_BALANCER_RING_HASH) config.table_size = 1024;
    bool exact = h.algorithm != TTB_BALANCER_RING_HASH;
    CHECK(c, ttb_balancer_new(&h.shared, &config, NULL) == TTB_OK &&
                 ttb_balancer_join(&h.shared, 1, &h.mine) == TTB_OK, "set up");
    uint64_t key[KEYS];
    int home[KEYS];
    for (int k = 0; k < KEYS; k++) key[k] = check_rand(c), home[k] = -1;
    for (int round = 0; round < 30 && !c->wrong; round++) {
      bool comes, ruled = check_chance(c, 1, 10);
      int s = disturb(c, &h, &comes);
      for (int k = 0; k < KEYS; k++) {
        int64_t t = ttb_balancer_acquire(&h.mine, key[k], 0);
        int now = t < 0 ? -1 : ttb_ticket_slot(t);
        bool may = now == home[k] || (comes ? now == s : home[k] == s);
        CHECK(c, !exact || may, "algorithm %u, key %" PRIu64 ": slot %d, was %d; %d %s",
              h.algorithm, key[k], now, home[k], s, comes ? "came" : "left");
        if (ruled && h.algorithm != TTB_BALANCER_JUMP && h.algorithm != TTB_BALANCER_RENDEZVOUS) {
          int expected = expected_home(&h, key[k]);
          CHECK(c, now == expected, "algorithm %u, key %" PRIu64 ": slot %d, not %d", h.algorithm,
                key[k], now, expected);
        }
        home[k] = now;
      }
    }
    ttb_balancer_free(&h.mine);
    ttb_balancer_free(&h.shared);
  }
}

/* ---- least connections ---- */

/* The load that is compared, times 2^20 where the rule has a bias. */
static uint64_t load_by_rule(int32_t bias_ppm, uint32_t in_flight) {
  uint64_t n = in_flight + 1;
  if (bias_ppm == 0) return (uint64_t)in_flight << 20;
  return (bias_ppm == 1000000 ? n : n * n) << 20;
}

/* Many endpoints, so that bounds of groups decide; all that can change a load or who
 * may be picked, by three threads, one of which leaves and joins. */
static void the_least(check *c) {
  enum { MOST = 300, HELD = 900 };
  check_property(c, "least connections takes a least loaded of many, whatever has happened");
  while (check_step(c)) {
    uint32_t n = (uint32_t)check_between(c, 2, MOST), weight[MOST], load[MOST] = {0}, outs = 0;
    static const int32_t biases[] = {0, 0, 0, 1000000, 2000000};
    bool out_of_it[MOST] = {false};
    ticket held[HELD];
    ttb_endpoint list[MOST];
    ttb_balancer shared, mine[3];
    ttb_balancer_config config = TTB_CONFIG(ttb_balancer_config);
    config.algorithm = TTB_BALANCER_LEAST_CONNECTIONS;
    config.capacity = n;
    config.flags = (uint32_t)check_below(c, 8);
    config.tickets = 1024;
    config.seed = check_rand(c);
    config.bias_ppm = biases[check_below(c, 5)];
    uint32_t most = check_chance(c, 1, 2) ? 1 : check_chance(c, 1, 2) ? 7 : 65535;
    for (uint32_t i = 0; i < n; i++) {
      weight[i] = (uint32_t)check_between(c, 1, most);
      list[i] = (ttb_endpoint){.struct_size = sizeof *list, .weight = weight[i], .id = i + 1};
    }
    CHECK(c, ttb_balancer_new(&shared, &config, NULL) == TTB_OK, "new");
    for (int i = 0; i < 3; i++) CHECK(c, ttb_balancer_join(&shared, 7, &mine[i]) == TTB_OK, "join");
    CHECK(c, ttb_balancer_update(&mine[0], list, n, NULL) == TTB_OK, "update");
    uint32_t full = (uint32_t)check_below(c, 3 * n);
    for (uint32_t k = 0; k < 4000 && !c->wrong; k++, c->step += c->step < c->limit) {
      uint32_t what = (uint32_t)check_below(c, 1000), i = (uint32_t)check_below(c, n);
      uint32_t thread = (uint32_t)check_below(c, 3);
      if (what < 4) {
        out_of_it[i] = !out_of_it[i];
        ttb_balancer_mark(&shared, i, TTB_CAUSE_PROBE, out_of_it[i]);
      } else if (what < 8) {
        weight[i] = (uint32_t)check_between(c, 1, most);
        ttb_balancer_set_weight(&mine[1], i + 1, weight[i]);
      } else if (what < 9) {
        for (uint32_t j = 0; j < outs;) {
          if (held[j].thread != 2) j++;
          else load[held[j].slot]--, held[j] = held[--outs];
        }
        ttb_balancer_free(&mine[2]);
        CHECK(c, ttb_balancer_join(&shared, 7, &mine[2]) == TTB_OK, "join again");
      } else if (what < (outs < full ? 300 : 600) && outs > 0) {
        uint32_t j = (uint32_t)check_below(c, outs);
        CHECK(c, ttb_balancer_report(&mine[held[j].thread], held[j].ticket,
                                     (int32_t)check_below(c, 5), 0, 0) == TTB_OK, "report");
        load[held[j].slot]--;
        held[j] = held[--outs];
      } else if (outs < HELD) {
        uint32_t excluded[2] = {i, (uint32_t)check_below(c, n)}, x = check_chance(c, 1, 8) ? 2 : 0;
        int64_t t = x ? ttb_balancer_acquire_except(&mine[thread], 0, excluded, x, 0)
                      : ttb_balancer_acquire(&mine[thread], 0, 0);
        int s = t < 0 ? -1 : ttb_ticket_slot(t);
        for (uint32_t j = 0; j < n; j++) {
          if (out_of_it[j] || listed(excluded, x, (int)j)) {
            CHECK(c, s != (int)j, "slot %d may not be picked", s);
            continue;
          }
          CHECK(c, s >= 0, "%" PRId64 " though slot %u may be picked", t, j);
          if (s < 0) break;
          uint64_t a = load_by_rule(config.bias_ppm, load[s]) * weight[j];
          uint64_t b = load_by_rule(config.bias_ppm, load[j]) * weight[s];
          /* with a bias keys have 41 bits */
          CHECK(c, a <= b + (config.bias_ppm ? (b >> 40) + (1 << 20) : 0),
                "slot %d has %u of weight %u, slot %u %u of %u", s, load[s], weight[s], j, load[j],
                weight[j]);
        }
        if (s < 0) continue;
        load[s]++;
        held[outs++] = (ticket){t, (uint32_t)s, thread};
      }
    }
    for (int i = 0; i < 3; i++) ttb_balancer_free(&mine[i]);
    ttb_balancer_free(&shared);
  }
}

int main(int argc, char **argv) {
  check c = check_start(argc, argv);
  against_a_list(&c);
  the_least(&c);
  orders(&c);
  permutations(&c);
  homes(&c);
  return check_end(&c);
}
