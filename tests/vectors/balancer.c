/* SPDX-License-Identifier: MIT */
/* Expected results of others, as data: build/tests/vectors/balancer FILE...
 * The set is told by the file's name. Prints a line for each case that fails; a
 * case that cannot be run counts as failed. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/balancer.h>

#include "balancer_loads.h"

#include "../../lib/balancer/jump.h"
#include "../../lib/balancer/ketama.h"
#include "../../lib/balancer/maglev.h"
#include "../../lib/balancer/nginx_hash.h"
#include "../../lib/balancer/ring_hash.h"

static unsigned passed, failed, not_offered;

/* Left out on purpose; counted apart. */
static const struct {
  const char *set, *part, *reason;
  bool whole; /* a part of the file; else of each case */
} left_out[] = {
    {"wrr_sequences", "envoy_edf", "another order of the same shares, up to 4 turns off", false},
    {"wrr_sequences", "grpc_go_stride", "another order of the same shares, up to 2 turns off", false},
    {"wrr_sequences", "haproxy_rr", "another order of the same shares", false},
    {"envoy_slow_start", "pick_patterns", "EDF's order; here the factor is a chance, not a weight", false},
    {"grpc_random_subsetting", "expected_order", "the text grpc-go hashes is not known", false},
    {"wrr_sequences", "haproxy_srr", "another order of the same shares", false},
    {"bounded_load", "mt19937_fisher_yates_order",
     "Envoy shuffles all hosts in a pick; here the overflow goes on as the algorithm does", false},
    {"envoy_edf_least_request", "blocks", "weighted least connections compares loads; a queue of "
                                          "deadlines is another order, in bursts (envoy#3284)", true},
    {"orca_weight", "envoy_median_default", "unknown ones weigh the mean, as in gRPC", true},
    {"nginx_hash_and_least_time", "least_time", "peak EWMA is the rule by latency", true},
};

static void count(const char *set, const char *name, bool ok) {
  if (!ok) printf("FAILED %s: %s\n", set, name);
  if (ok) passed++;
  else failed++;
}

static bool is_left_out(const char *set, const char *part) {
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
    if (!strcmp(left_out[i].set, set) && !strcmp(left_out[i].part, part)) return true;
  return false;
}

static uint64_t number(const json_t *array, size_t i) {
  return (uint64_t)json_number_value(json_array_get(array, i));
}

/* ---- wrr_sequences ---- */

static bool sequence(uint32_t order, const json_t *weights, const json_t *expected) {
  uint32_t n = (uint32_t)json_array_size(weights);
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  ttb_balancer b, mine;
  c.algorithm = TTB_BALANCER_WEIGHTED_ROUND_ROBIN;
  c.capacity = n;
  c.wrr_order = order;
  if (n == 0 || !json_is_array(expected) || ttb_balancer_new(&b, &c, NULL) < 0) return false;
  bool ok = ttb_balancer_join(&b, 1, &mine) == TTB_OK;
  for (uint32_t i = 0; i < n; i++) {
    ttb_endpoint e = {sizeof e, (uint32_t)number(weights, i), i + 1};
    ok = ok && ttb_balancer_add(&mine, &e) == (int32_t)i;
  }
  for (size_t t = 0; ok && t < json_array_size(expected); t++)
    ok = ttb_ticket_slot(ttb_balancer_acquire(&mine, 0, 0)) == (int32_t)number(expected, t);
  ttb_balancer_free(&mine);
  ttb_balancer_free(&b);
  return ok;
}

static void one_set(const char *set, const json_t *s) {
  const json_t *weights = json_object_get(s, "weights"), *expected;
  const char *part;
  json_object_foreach((json_t *)(uintptr_t)s, part, expected) {
    char name[96];
    if (!json_is_array(expected) || !strcmp(part, "weights")) continue;
    if (is_left_out(set, part)) {
      not_offered++;
      continue;
    }
    snprintf(name, sizeof name, "%s, %u weights from %u on", part,
             (unsigned)json_array_size(weights), (unsigned)number(weights, 0));
    uint32_t order = !strcmp(part, "tijdeman") ? TTB_BALANCER_TIJDEMAN : TTB_BALANCER_NGINX;
    bool known = order == TTB_BALANCER_TIJDEMAN || !strcmp(part, "nginx");
    count(set, name, known && sequence(order, weights, expected));
  }
}

static void wrr_sequences(const char *set, const json_t *root) {
  const json_t *sets = json_object_get(root, "sets"), *s;
  const json_t *example = json_object_get(root, "nginx_documented_example");
  size_t i;
  if (example)
    count(set, "nginx_documented_example",
          sequence(TTB_BALANCER_NGINX, json_object_get(example, "weights"),
                   json_object_get(example, "sequence")));
  json_array_foreach((json_t *)(uintptr_t)sets, i, s) one_set(set, s);
}

/* ---- maglev ---- */

/* Fills a table of m entries; NULL if there is no memory. */
static ttb__a32 *filled(ttb__maglev_row *rows, uint32_t n, uint32_t m) {
  ttb__a32 *entry = m ? malloc(m * sizeof *entry) : NULL;
  if (entry) ttb__maglev_fill(rows, n, m, entry);
  return entry;
}

static bool table_is(ttb__maglev_row *rows, uint32_t n, uint32_t m, const json_t *expected) {
  ttb__a32 *entry = filled(rows, n, m);
  bool ok = entry && json_array_size(expected) == m;
  for (uint32_t i = 0; ok && i < m; i++) ok = ttb__load_rlx(&entry[i]) == number(expected, i);
  free(entry);
  return ok;
}

static void maglev_paper_example(const char *set, const json_t *root) {
  ttb__maglev_row rows[3], left[2];
  uint32_t m = (uint32_t)json_integer_value(json_object_get(root, "m"));
  for (uint32_t i = 0; i < 3; i++)
    rows[i] = (ttb__maglev_row){.slot = i, .weight = 1,
                                .at = (uint32_t)number(json_object_get(root, "offset"), i),
                                .skip = (uint32_t)number(json_object_get(root, "skip"), i)};
  left[0] = rows[0];
  left[1] = rows[2];
  count(set, "table_all", table_is(rows, 3, m, json_object_get(root, "table_all")));
  count(set, "table_without_B1", table_is(left, 2, m, json_object_get(root, "table_without_B1")));
}

/* Envoy's hosts in the order of their keys, numbered as listed. */
static uint32_t envoy_rows(ttb__maglev_row *rows, const json_t *c, uint32_t max) {
  const json_t *keys = json_object_get(c, "keys"), *weights = json_object_get(c, "weights");
  uint32_t n = (uint32_t)json_array_size(keys);
  uint32_t m = (uint32_t)json_integer_value(json_object_get(c, "table_size"));
  if (n > max || m < 2) return 0;
  for (uint32_t i = 0; i < n; i++) {
    const char *key = json_string_value(json_array_get(keys, i));
    uint32_t k = i;
    if (!key) return 0;
    ttb__maglev_row row = {.slot = i, .weight = weights ? (uint32_t)number(weights, i) : 1,
                           .at = (uint32_t)(ttb_hash(key, strlen(key), 0) % m),
                           .skip = (uint32_t)(ttb_hash(key, strlen(key), 1) % (m - 1) + 1)};
    for (; k > 0; k--) {
      const char *before = json_string_value(json_array_get(keys, rows[k - 1].slot));
      if (strcmp(before, key) <= 0) break;
      rows[k] = rows[k - 1];
    }
    rows[k] = row;
  }
  return n;
}

/* Attempt a looks up hash ^ (~0 - a + 1). The case "basic" of Envoy's test, six
 * equal hosts in a table of 7, need not be in the file. */
static void envoy_retry(const char *set, const json_t *root, const json_t *retry) {
  ttb__maglev_row rows[64];
  json_t *basic = json_pack("{s:[s,s,s,s,s,s],s:i}", "keys", "127.0.0.1:90", "127.0.0.1:91",
                            "127.0.0.1:92", "127.0.0.1:93", "127.0.0.1:94", "127.0.0.1:95",
                            "table_size", 7);
  const char *name = json_string_value(json_object_get(retry, "case"));
  const json_t *c = basic, *cases = json_object_get(root, "cases"), *k;
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)cases, i, k) {
    const char *other = json_string_value(json_object_get(k, "name"));
    if (name && other && !strcmp(name, other)) c = k;
  }
  if (c == basic && (!name || strcmp(name, "basic"))) c = NULL;
  uint32_t n = envoy_rows(rows, c, 64);
  uint32_t m = (uint32_t)json_integer_value(json_object_get(c, "table_size"));
  ttb__a32 *entry = n ? filled(rows, n, m) : NULL;
  uint64_t hash = (uint64_t)json_integer_value(json_object_get(retry, "hash"));
  static const char *const attempts[] = {"attempt0", "attempt1", "exhausted_after_2_retries"};
  for (uint64_t a = 0; a < 3; a++) {
    const json_t *expected = json_object_get(retry, attempts[a]);
    if (!expected) continue;
    uint64_t h = a ? hash ^ (UINT64_MAX - a + 1) : hash;
    count(set, attempts[a],
          entry && (json_int_t)ttb__load_rlx(&entry[h % m]) == json_integer_value(expected));
  }
  free(entry);
  json_decref(basic);
}

static void envoy_maglev(const char *set, const json_t *root) {
  const json_t *cases = json_object_get(root, "cases"), *c, *retry = json_object_get(root, "retry");
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)cases, i, c) {
    ttb__maglev_row rows[64];
    const char *name = json_string_value(json_object_get(c, "name"));
    uint32_t n = envoy_rows(rows, c, 64);
    uint32_t m = (uint32_t)json_integer_value(json_object_get(c, "table_size"));
    count(set, name ? name : "?", n && table_is(rows, n, m, json_object_get(c, "table")));
  }
  if (retry) envoy_retry(set, root, retry);
}

/* ---- jump_hash ---- */

/* Large integers are strings. */
static uint64_t integer(const json_t *x) {
  return json_is_string(x) ? strtoull(json_string_value(x), NULL, 10)
                           : (uint64_t)json_integer_value(x);
}

static void jump_hash(const char *set, const json_t *root) {
  static const char *const lists[] = {"points", "more"};
  const json_t *golden = json_object_get(root, "golden100"), *c;
  const json_t *keys = json_object_get(golden, "keys_0_to_19");
  uint64_t n = integer(json_object_get(golden, "buckets"));
  char name[96];
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)keys, i, c) {
    snprintf(name, sizeof name, "golden100, key %u", (unsigned)i);
    count(set, name, n > 0 && ttb__jump(i, (uint32_t)n) == integer(c));
  }
  for (size_t k = 0; k < 2; k++)
    json_array_foreach((json_t *)(uintptr_t)json_object_get(root, lists[k]), i, c) {
      uint64_t key = integer(json_object_get(c, "key"));
      uint64_t buckets = integer(json_object_get(c, "buckets"));
      snprintf(name, sizeof name, "key %llu of %u", (unsigned long long)key, (unsigned)buckets);
      count(set, name, buckets > 0 && json_object_get(c, "bucket") &&
                           ttb__jump(key, (uint32_t)buckets) ==
                               integer(json_object_get(c, "bucket")));
    }
}

/* ---- circles ---- */

static ttb__circle circle_of(uint32_t room) {
  ttb__circle c = {.entry = calloc(TTB__CIRCLE_ENTRIES((size_t)room), sizeof(ttb__a32)),
                   .room = room};
  return c;
}

/* MurmurHash64A (A. Appleby), little-endian: Envoy's MURMUR_HASH_2 is this with
 * the seed of GNU libstdc++'s std::hash. */
static uint64_t murmur(const void *key, uint64_t n, uint64_t seed) {
  const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
  const unsigned char *p = key;
  uint64_t h = seed ^ n * m, left = n;
  for (; left >= 8; left -= 8, p += 8) {
    uint64_t k = 0;
    for (int i = 7; i >= 0; i--) k = k << 8 | p[i];
    k *= m;
    h = (h ^ (k ^ k >> 47) * m) * m;
  }
  if (left > 0) {
    uint64_t k = 0;
    while (left-- > 0) k = k << 8 | p[left];
    h = (h ^ k) * m;
  }
  h = (h ^ h >> 47) * m;
  return h ^ h >> 47;
}

/* Envoy's ring of hosts by their keys, numbered as listed. */
static ttb__circle envoy_ring(const json_t *c) {
  const json_t *hosts = json_object_get(c, "hosts"), *weights = json_object_get(c, "weights");
  const json_t *max_size = json_object_get(c, "max_ring_size"), *min_size;
  const char *hash = json_string_value(json_object_get(c, "hash"));
  bool is_murmur = hash && !strncmp(hash, "Murmur", 6);
  uint64_t sum = 0, least = UINT32_MAX, before = 0;
  uint64_t max = max_size ? integer(max_size) : 8388608, min = 1024;
  if ((min_size = json_object_get(c, "min_ring_size")) != NULL) min = integer(min_size);
  for (size_t i = 0; i < json_array_size(hosts); i++) {
    uint64_t weight = weights ? number(weights, i) : 1;
    sum += weight;
    if (weight < least) least = weight;
  }
  ttb__circle ring = {0};
  if (sum == 0 || least == 0) return ring;
  ttb__ring_scale scale = ttb__ring_scale_of(sum, least, min, max);
  ring = circle_of((uint32_t)ttb__ring_up_to(scale, sum));
  for (size_t i = 0; i < json_array_size(hosts) && ring.entry; i++) {
    char text[256];
    const char *key = json_string_value(json_array_get(hosts, i));
    uint64_t so_far = ttb__ring_up_to(scale, before);
    before += weights ? number(weights, i) : 1;
    int n = snprintf(text, sizeof text - 11, "%s", key ? key : "");
    ttb__ring_place(&ring, text, (uint32_t)n, (uint32_t)i, ttb__ring_up_to(scale, before) - so_far,
                    is_murmur ? murmur : ttb_hash, is_murmur ? 0xc70f6907 : 0);
  }
  ttb__circle_sort(&ring);
  return ring;
}

static bool same_ring(const ttb__circle *ring, const json_t *expected) {
  bool ok = json_array_size(expected) == ring->n && ring->n > 0;
  for (uint32_t i = 0; i < ring->n && ok; i++) {
    const json_t *point = json_array_get(expected, i);
    uint64_t position = integer(json_object_get(point, "position"));
    ok = ttb__circle_slot(ring, i) == integer(json_object_get(point, "host")) &&
         ttb__circle_find(ring, position) == i &&
         ttb__circle_find(ring, position - 1) == i &&
         ttb__circle_find(ring, position + 1) == (i + 1) % ring->n;
  }
  return ok;
}

/* Attempt a takes the a-th point behind the first. */
static bool ring_pick(const ttb__circle *ring, uint64_t hash, uint64_t attempt, uint64_t host) {
  if (ring->n == 0) return false;
  uint64_t at = ttb__circle_find(ring, hash) + attempt;
  return ttb__circle_slot(ring, (uint32_t)(at % ring->n)) == host;
}

static void ring_retry(const char *set, const ttb__circle *ring, const json_t *retry) {
  static const char *const attempts[] = {"attempt0", "attempt1", "exhausted_after_2_retries"};
  uint64_t hash = integer(json_object_get(retry, "hash"));
  for (uint64_t a = 0; a < 3; a++) {
    const json_t *host = json_object_get(retry, attempts[a]);
    if (host) count(set, attempts[a], ring_pick(ring, hash, a, integer(host)));
  }
}

static void envoy_ring_hash(const char *set, const json_t *root) {
  const json_t *cases = json_object_get(root, "cases"), *c, *pick;
  const json_t *retry = json_object_get(root, "retry");
  const char *retried = json_string_value(json_object_get(retry, "case"));
  size_t i, k;
  json_array_foreach((json_t *)(uintptr_t)cases, i, c) {
    const char *name = json_string_value(json_object_get(c, "name"));
    const json_t *size = json_object_get(c, "expected_ring_size"), *list;
    char text[96];
    ttb__circle ring = envoy_ring(c);
    if (!name) name = "?";
    if (size) count(set, name, ring.n == integer(size));
    if ((list = json_object_get(c, "ring")) != NULL) count(set, name, same_ring(&ring, list));
    json_array_foreach((json_t *)(uintptr_t)json_object_get(c, "picks"), k, pick) {
      uint64_t hash = integer(json_object_get(pick, "hash"));
      snprintf(text, sizeof text, "%s, hash %llu", name, (unsigned long long)hash);
      count(set, text, json_object_get(pick, "host") &&
                           ring_pick(&ring, hash, integer(json_object_get(pick, "attempt")),
                                     integer(json_object_get(pick, "host"))));
    }
    if (retried && !strcmp(retried, name)) ring_retry(set, &ring, retry);
    if (json_object_get(c, "retry")) ring_retry(set, &ring, json_object_get(c, "retry"));
    free(ring.entry);
  }
}

/* The name a server's texts begin with: "{h}" or the form given, up to "-{j}". */
static uint32_t server_name(char *text, size_t size, const char *form, const char *host,
                            uint64_t port) {
  int n = 0;
  if (!form && port != 11211)
    return (uint32_t)snprintf(text, size, "%s:%u", host, (unsigned)port);
  for (const char *p = form ? form : "{h}"; *p && strcmp(p, "-{j}") && n < (int)size - 1; p++) {
    if (strncmp(p, "{h}", 3)) text[n++] = *p;
    else n += snprintf(text + n, size - (size_t)n, "%s", host), p += 2;
  }
  return (uint32_t)n;
}

static void one_ketama(const char *set, const char *part, const json_t *c) {
  const json_t *servers = json_object_get(c, "servers"), *weights = json_object_get(c, "weights");
  const json_t *texts = json_object_get(c, "texts_per_server"), *pick;
  const json_t *wrap = json_object_get(c, "wraparound");
  const char *form = json_string_value(json_object_get(c, "point_text"));
  uint32_t n = (uint32_t)json_array_size(servers);
  uint64_t sum = 0;
  char text[256];
  size_t i;
  for (i = 0; i < n; i++) sum += weights ? number(weights, i) : 1;
  ttb__circle circle = circle_of(164 * n);
  for (uint32_t k = 0; k < n && circle.entry; k++) {
    uint32_t each = texts ? (uint32_t)integer(texts)
                          : ttb__ketama_texts(weights ? (uint32_t)number(weights, k) : 1, sum, n);
    uint32_t length = server_name(text, sizeof text - 11, form,
                                  json_string_value(json_array_get(servers, k)),
                                  integer(json_object_get(c, "port")));
    ttb__ketama_place(&circle, text, length, k, k, each, texts ? 1 : 4);
  }
  ttb__circle_sort(&circle);
  if (wrap) {
    const char *key = json_string_value(json_object_get(wrap, "key"));
    const char *word = json_string_value(json_object_get(wrap, "md5_first_u32_le"));
    count(set, "wraparound", key && word &&
                                 ttb_ketama_hash(key, strlen(key)) == strtoull(word, NULL, 16));
  }
  json_array_foreach((json_t *)(uintptr_t)json_object_get(c, "picks"), i, pick) {
    const char *key = json_string_value(json_object_get(pick, "key"));
    uint64_t position = ttb__position32((uint32_t)ttb_ketama_hash(key, key ? strlen(key) : 1), 0);
    snprintf(text, sizeof text, "%s, %.60s", part, key ? key : "?");
    count(set, text, key && circle.n > 0 &&
                         ttb__circle_slot(&circle, ttb__circle_find(&circle, position)) ==
                             integer(json_object_get(pick, "server")));
  }
  free(circle.entry);
}

static void ketama_libmemcached(const char *set, const json_t *root) {
  const json_t *c;
  const char *part;
  json_object_foreach((json_t *)(uintptr_t)root, part, c)
    if (json_is_object(c) && json_object_get(c, "servers")) one_ketama(set, part, c);
}

/* ---- finagle_aperture ---- */

/* The arc of client `me`: how many servers, and its width; -1 if refused. Shares
 * of the circle that are no integers are taken in 1 / 60000. */
static int32_t arc(uint32_t clients, uint32_t me, uint32_t n, uint32_t least, const json_t *weights,
                   uint32_t *index, double *share) {
  ttb_endpoint list[1024];
  uint64_t shares[1024], sum = 0;
  double largest = 0;
  if (n > 1024) return -1;
  for (uint32_t i = 0; weights && i < n; i++) {
    double w = json_number_value(json_array_get(weights, i));
    if (w > largest) largest = w;
  }
  for (uint32_t i = 0; i < n; i++) {
    double w = weights ? json_number_value(json_array_get(weights, i)) / largest * 60000 : 1;
    list[i] = (ttb_endpoint){sizeof *list, (uint32_t)(w + 0.5), i + 1};
    sum += list[i].weight ? list[i].weight : 1;
  }
  int32_t count = ttb_balancer_aperture(clients, me, list, n, least, index, shares, 1024);
  for (int32_t i = 0; i < count; i++) share[i] = (double)shares[i] / (double)(clients * sum);
  return count;
}

static bool close_to(double a, double b) { return a - b < 1e-4 && b - a < 1e-4; }

static double sum_of(const double *x, int32_t n) {
  double sum = 0;
  for (int32_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

static void finagle_aperture(const char *set, const json_t *root) {
  const json_t *c, *weights = NULL, *norm = json_object_get(root, "normalize");
  uint32_t index[1024];
  uint32_t least = (uint32_t)integer(json_object_get(root, "min_deterministic_aperture"));
  double share[1024];
  char name[96];
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "cases"), i, c) {
    const json_t *coord = json_object_get(c, "coord"), *in = json_object_get(c, "included");
    bool same = json_is_true(json_object_get(c, "same_weights"));
    if (!same) weights = json_object_get(c, "weights");
    int32_t n = arc((uint32_t)number(coord, 1), (uint32_t)number(coord, 0),
                    (uint32_t)integer(json_object_get(c, "remote")), least, weights, index, share);
    bool ok = n >= 0 && (size_t)n == json_array_size(in) &&
              close_to(sum_of(share, n), json_number_value(json_object_get(c, "sum")));
    for (int32_t k = 0; ok && k < n; k++) ok = index[k] == number(in, (size_t)k);
    snprintf(name, sizeof name, "case %u", (unsigned)i);
    count(set, name, ok);
  }
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "widths"), i, c) {
    uint32_t clients = (uint32_t)integer(json_object_get(c, "clients"));
    int32_t n = arc(clients, clients / 2, (uint32_t)integer(json_object_get(c, "servers")),
                    (uint32_t)integer(json_object_get(c, "logical")), NULL, index, share);
    snprintf(name, sizeof name, "width %u", (unsigned)i);
    count(set, name, n > 0 && close_to(sum_of(share, n),
                                       json_number_value(json_object_get(c, "width"))));
  }
  if (norm) {
    const json_t *out = json_object_get(norm, "out");
    uint32_t wanted = (uint32_t)json_array_size(out);
    int32_t n = arc(1, 0, wanted, least, json_object_get(norm, "in"), index, share);
    bool ok = n > 0 && (uint32_t)n == wanted;
    for (int32_t k = 0; ok && k < n; k++)
      ok = close_to(share[k], json_number_value(json_array_get(out, (size_t)k)));
    count(set, "normalize", ok);
  }
}

static void grpc_random_subsetting(const char *set, const json_t *root) {
  if (is_left_out(set, "expected_order") && json_object_get(root, "expected_order")) not_offered++;
}

/* ---- nginx_hash_and_least_time ---- */

/* CRC-32 bit by bit, as nginx's formula has it: of the whole text. */
static uint32_t crc_of(const char *text) {
  uint32_t crc = UINT32_MAX;
  for (; *text; text++) {
    crc ^= (unsigned char)*text;
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

/* The formula is all there is: 200 keys and each attempt by it. */
static void nginx_hash(const char *set, const json_t *root) {
  const char *formula = json_string_value(json_object_get(root, "hash"));
  if (!formula) return;
  bool ok = !strncmp(formula, "h=((crc32([REHASH]KEY)>>16)&0x7fff)+prev; w=h%total_weight", 58);
  for (unsigned key = 0; key < 200; key++)
    for (unsigned attempt = 0; attempt <= 20 && ok; attempt++) {
      char text[32], *rest = text;
      if (attempt > 0) rest += snprintf(text, sizeof text, "%u", attempt);
      snprintf(rest, 16, "/key/%u", key * key);
      ok = ttb__nginx_step(ttb_nginx_hash(rest, strlen(rest)), attempt) ==
           (crc_of(text) >> 16 & 0x7fff);
    }
  count(set, "hash", ok);
}

/* ---- envoy_priority_panic ---- */

/* True if the loads and panics of the levels are those expected, as far as told. */
static bool levels_are(const ttb_level *l, uint32_t n, const json_t *c) {
  const json_t *healthy = json_object_get(c, "healthy_load");
  const json_t *degraded = json_object_get(c, "degraded_load");
  const json_t *panic = json_object_get(c, "panic");
  bool ok = json_array_size(healthy) == n;
  for (uint32_t i = 0; i < n; i++) {
    ok = ok && l[i].healthy_load == (int32_t)number(healthy, i);
    if (degraded) ok = ok && l[i].degraded_load == (int32_t)number(degraded, i);
    if (json_is_array(panic))
      ok = ok && (l[i].panic != 0) == json_is_true(json_array_get(panic, i));
  }
  return ok;
}

/* Envoy's factor is in percent; 0: its default. */
static bool levels_case(ttb_level *l, uint32_t n, const json_t *c, uint32_t factor) {
  const json_t *threshold = json_object_get(c, "panic_threshold");
  int32_t panic = threshold ? (int32_t)integer(threshold) * 10000 : 0;
  if (threshold && panic == 0) panic = TTB_OFF;
  return ttb_balancer_levels(l, n, factor * 10000, panic) == TTB_OK && levels_are(l, n, c);
}

static void envoy_priority_panic(const char *set, const json_t *root) {
  const json_t *c, *l;
  char name[96];
  size_t i, k;
  ttb_level levels[16];
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "rows"), i, c) {
    const json_t *list = json_object_get(c, "levels");
    bool ok = json_array_size(list) <= 16;
    json_array_foreach((json_t *)(uintptr_t)list, k, l) {
      if (!ok) break;
      levels[k] = (ttb_level){.struct_size = sizeof *levels,
                              .endpoints = (uint32_t)number(l, 0),
                              .healthy = (uint32_t)number(l, 1),
                              .degraded = (uint32_t)number(l, 2),
                              .excluded = (uint32_t)number(l, 3)};
    }
    const json_t *factor = json_object_get(c, "overprovisioning_factor");
    if (!factor) factor = json_object_get(root, "default_overprovisioning_factor");
    snprintf(name, sizeof name, "row %u", (unsigned)i);
    count(set, name,
          ok && levels_case(levels, (uint32_t)json_array_size(list), c,
                            factor ? (uint32_t)integer(factor) : 0));
  }
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "weighted_priority_health"), i, c) {
    const json_t *list = json_object_get(c, "levels");
    bool ok = json_array_size(list) <= 16;
    json_array_foreach((json_t *)(uintptr_t)list, k, l) {
      if (!ok) break;
      levels[k] = (ttb_level){
          .struct_size = sizeof *levels,
          .endpoints = (uint32_t)integer(json_object_get(l, "total_weight")),
          .healthy = (uint32_t)integer(json_object_get(l, "healthy_weight")),
          .degraded = (uint32_t)integer(json_object_get(l, "degraded_weight"))};
    }
    snprintf(name, sizeof name, "weighted %u", (unsigned)i);
    count(set, name,
          ok && levels_case(levels, (uint32_t)json_array_size(list), c,
                            (uint32_t)integer(json_object_get(c, "factor"))));
  }
}

/* ---- envoy_zone_residual ---- */

/* The zone a call goes to that does not stay; n if there is none. */
static uint32_t zone_of_draw(const uint32_t *residual, uint32_t n, uint32_t draw) {
  uint32_t zone = 0;
  if (residual[n - 1] == 0) return n;
  draw %= residual[n - 1];
  while (residual[zone] <= draw) zone++;
  return zone;
}

static void envoy_zone_residual(const char *set, const json_t *root) {
  const json_t *example = json_object_get(root, "comment_example"), *c;
  const json_t *empty = json_object_get(root, "empty_localities");
  uint32_t clients[26] = {0}, endpoints[26] = {0}, residual[26];
  char name[96];
  size_t i;
  if (example) {
    const json_t *local = json_object_get(example, "local");
    const json_t *upstream = json_object_get(example, "upstream");
    const json_t *expected = json_object_get(example, "residual_cumulative");
    uint32_t n = (uint32_t)json_array_size(expected);
    bool ok = n > 0 && n <= 26;
    for (i = 0; ok && i < n; i++)
      clients[i] = (uint32_t)number(local, i), endpoints[i] = (uint32_t)number(upstream, i);
    ok = ok && ttb_balancer_zones(0, clients, endpoints, n, residual) >= 0;
    for (i = 0; ok && i < n; i++) ok = residual[i] * 10 == number(expected, i);
    count(set, "comment_example", ok);
  }
  if (!empty) return;
  for (uint32_t z = 0; z < 26; z++) {
    const char key[2] = {(char)('A' + z), 0};
    clients[z] = (uint32_t)integer(json_object_get(json_object_get(empty, "local_hosts_by_zone"), key));
    endpoints[z] =
        (uint32_t)integer(json_object_get(json_object_get(empty, "upstream_hosts_by_zone"), key));
  }
  int32_t stay = ttb_balancer_zones(0, clients, endpoints, 26, residual);
  json_array_foreach((json_t *)(uintptr_t)json_object_get(empty, "expected"), i, c) {
    const char *zone = json_string_value(json_object_get(c, "zone"));
    uint32_t draw = (uint32_t)integer(json_object_get(c, "draw"));
    snprintf(name, sizeof name, "draw %u", draw);
    count(set, name,
          stay == 0 && zone && zone_of_draw(residual, 26, draw) == (uint32_t)(zone[0] - 'A'));
  }
}

/* ---- envoy_slow_start ---- */

static void envoy_slow_start(const char *set, const json_t *root) {
  const json_t *c, *haproxy = json_object_get(root, "haproxy");
  char name[96];
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "rows"), i, c) {
    double aggression = json_number_value(json_object_get(c, "aggression"));
    double least = json_number_value(json_object_get(c, "min_weight"));
    int32_t ppm = ttb_balancer_slow_start(
        (uint64_t)integer(json_object_get(c, "elapsed_ms")) * 1000000,
        (uint64_t)integer(json_object_get(c, "window_ms")) * 1000000,
        (uint32_t)(aggression * 1000000 + 0.5), (uint32_t)(least * 1000000 + 0.5));
    double off = ppm / 1e6 - json_number_value(json_object_get(c, "factor"));
    snprintf(name, sizeof name, "row %u", (unsigned)i);
    count(set, name, ppm > 0 && off < 2e-6 && off > -2e-6);
  }
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "pick_patterns"), i, c)
    if (is_left_out(set, "pick_patterns")) not_offered++;
  json_array_foreach((json_t *)(uintptr_t)json_object_get(haproxy, "rows"), i, c) {
    int32_t w = ttb_balancer_slow_start_steps(
        (uint64_t)integer(json_object_get(c, "elapsed_s")) * 1000000000,
        (uint64_t)integer(json_object_get(c, "slowstart_s")) * 1000000000);
    int64_t wmult = integer(json_object_get(c, "wmult"));
    int64_t weight = (integer(json_object_get(c, "uweight")) * w + wmult - 1) / (wmult ? wmult : 1);
    snprintf(name, sizeof name, "haproxy %u", (unsigned)i);
    count(set, name, w > 0 && weight == (int64_t)integer(json_object_get(c, "eweight")));
  }
}

/* ---- bounded_load ---- */

/* Slots as HAProxy divides them; who is least over the bound when all are. */
static void haproxy_slots(const char *set, const json_t *root) {
  const json_t *c;
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)json_object_get(root, "haproxy_slots"), i, c) {
    const json_t *weights = json_object_get(c, "eweights"), *slots = json_object_get(c, "slots");
    uint32_t weight[256], n = (uint32_t)json_array_size(weights);
    uint64_t cap[256];
    char name[64];
    for (uint32_t k = 0; k < n && k < 256; k++) weight[k] = (uint32_t)number(weights, k);
    bool ok = n > 0 && n <= 256 && json_array_size(slots) == n &&
              ttb_balancer_bounds(integer(json_object_get(c, "served_total")),
                                  (int32_t)integer(json_object_get(c, "factor_percent")) * 10000,
                                  weight, n, cap) == TTB_OK;
    for (uint32_t k = 0; k < n && ok; k++) ok = cap[k] == number(slots, k);
    snprintf(name, sizeof name, "haproxy_slots %u", (unsigned)i);
    count(set, name, ok);
  }
}

/* Endpoints with 100 * factor calls each, all above a bound that a heavy one, which
 * must not be picked, makes small. */
static bool least_over(const json_t *factors, uint64_t expected) {
  uint32_t n = (uint32_t)json_array_size(factors), except[64];
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  ttb_balancer b, mine;
  c.algorithm = TTB_BALANCER_MAGLEV;
  c.bounded_ppm = 1010000;
  if (n == 0 || n > 60 || ttb_balancer_new(&b, &c, NULL) < 0) return false;
  bool ok = ttb_balancer_join(&b, 1, &mine) == TTB_OK;
  for (uint32_t i = 0; i <= n; i++) {
    ttb_endpoint e = {.struct_size = sizeof e, .weight = i < n ? 1 : 65535, .id = i + 1};
    ok = ok && ttb_balancer_add(&mine, &e) == (int32_t)i;
  }
  for (uint32_t i = 0; i < n && ok; i++) {
    for (uint32_t k = 0; k < n; k++) except[k] = k < i ? k : k + 1; /* all but i */
    for (double left = json_number_value(json_array_get(factors, i)) * 100; left > 0.5; left--)
      ok = ok && ttb_balancer_acquire_except(&mine, 7, except, n, 0) >= 0;
  }
  except[0] = n;
  ok = ok && ttb_ticket_slot(ttb_balancer_acquire_except(&mine, 7, except, 1, 0)) ==
                 (int32_t)expected;
  ttb_balancer_free(&mine);
  ttb_balancer_free(&b);
  return ok;
}

static void bounded_load(const char *set, const json_t *root) {
  const json_t *envoy = json_object_get(root, "envoy"), *c;
  size_t i;
  haproxy_slots(set, root);
  if (is_left_out(set, "mt19937_fisher_yates_order"))
    not_offered += (unsigned)json_array_size(json_object_get(envoy, "mt19937_fisher_yates_order"));
  json_array_foreach((json_t *)(uintptr_t)json_object_get(envoy, "cases"), i, c) {
    const json_t *factors = json_object_get(c, "overload_factors");
    if (!factors) not_offered++; /* where Envoy's shuffle goes on to */
    else count(set, "all_overloaded", least_over(factors, integer(json_object_get(c, "expect"))));
  }
}

/* ---- files ---- */

static const struct {
  const char *set;
  void (*run)(const char *set, const json_t *root);
} sets[] = {
    {"wrr_sequences", wrr_sequences},
    {"maglev_paper_example", maglev_paper_example},
    {"envoy_maglev", envoy_maglev},
    {"jump_hash", jump_hash},
    {"envoy_ring_hash", envoy_ring_hash},
    {"ketama_libmemcached", ketama_libmemcached},
    {"finagle_aperture", finagle_aperture},
    {"grpc_random_subsetting", grpc_random_subsetting},
    {"nginx_hash_and_least_time", nginx_hash},
    {"bounded_load", bounded_load},
    {"envoy_priority_panic", envoy_priority_panic},
    {"envoy_zone_residual", envoy_zone_residual},
    {"envoy_slow_start", envoy_slow_start},
};

static const struct {
  const char *set;
  void (*run)(const char *set, const json_t *root, counter count);
} by_load[] = {
    {"peak_ewma", peak_ewma},
    {"prequal", prequal},
    {"orca_weight", orca_weight},
    {"envoy_edf_least_request", envoy_edf_least_request},
    {"grpc_static_stride", grpc_static_stride},
};

/* Cases of a part that is left out as a whole. */
static unsigned cases_of(const json_t *part) {
  const json_t *rows = json_object_get(part, "rows");
  size_t n = json_array_size(rows ? rows : part);
  return n ? (unsigned)n : 1;
}

static void run_file(const char *path) {
  char set[128];
  const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  snprintf(set, sizeof set, "%.*s", (int)strcspn(base, "."), base);
  json_error_t error;
  json_t *root = json_load_file(path, 0, &error);
  if (!root) {
    printf("%s: %s\n", path, error.text);
    failed++;
    return;
  }
  unsigned before = passed + failed + not_offered;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    if (!strcmp(sets[i].set, set)) sets[i].run(set, root);
  for (size_t i = 0; i < sizeof by_load / sizeof *by_load; i++)
    if (!strcmp(by_load[i].set, set)) by_load[i].run(set, root, count);
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
    const json_t *part = json_object_get(root, left_out[i].part);
    if (part && !strcmp(left_out[i].set, set) && left_out[i].whole) not_offered += cases_of(part);
  }
  if (passed + failed + not_offered == before) count(set, "no case of it can be run", false);
  json_decref(root);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  if (not_offered) printf("%u not offered\n", not_offered);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
