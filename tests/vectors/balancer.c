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

#include "../../lib/balancer/maglev.h"

static unsigned passed, failed, not_offered;

/* Left out on purpose; counted apart. */
static const struct {
  const char *set, *part, *reason;
} left_out[] = {
    {"wrr_sequences", "envoy_edf", "another order of the same shares, up to 4 turns off"},
    {"wrr_sequences", "grpc_go_stride", "another order of the same shares, up to 2 turns off"},
    {"wrr_sequences", "haproxy_rr", "another order of the same shares"},
    {"wrr_sequences", "haproxy_srr", "another order of the same shares"},
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

/* ---- files ---- */

static const struct {
  const char *set;
  void (*run)(const char *set, const json_t *root);
} sets[] = {
    {"wrr_sequences", wrr_sequences},
    {"maglev_paper_example", maglev_paper_example},
    {"envoy_maglev", envoy_maglev},
};

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
  if (passed + failed + not_offered == before) count(set, "no case of it can be run", false);
  json_decref(root);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  if (not_offered) printf("%u not offered\n", not_offered);
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
