/* SPDX-License-Identifier: MIT */
/* What other systems' suites expect of a router: build/tests/vectors/router
 * FILE... The set is told by the file's name; a line a failing case.
 *
 * selection, in_window, rtt_average, fencing: the MongoDB drivers'
 * specifications, in neutral words. vitess_lag_filter: Vitess. */
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/router.h>

#include "../../lib/router/rtt.h"

#define NOW UINT64_C(3600000000000)
#define MAX 64

static const struct {
  const char *set, *why;
} not_offered[] = {
    {"selection", "sets of tags that nodes must match are not in this release"},
    {"selection", "staleness from write dates, with its own limits, is not in this release"},
};

static unsigned passed, failed, offered_not;
static const char *set;
static char label[256];

static bool wrong(const char *format, ...) {
  va_list list;
  printf("FAILED %s %s: ", set, label);
  va_start(list, format);
  vprintf(format, list);
  va_end(list);
  printf("\n");
  return false;
}

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}
static double number(const json_t *o, const char *key, double otherwise) {
  const json_t *v = json_object_get(o, key);
  return json_is_number(v) ? json_number_value(v) : otherwise;
}

/* ---- a table of nodes with names ---- */

typedef struct table {
  ttb_router shared, mine;
  const char *name[MAX]; /* of id i + 1 */
  uint32_t names;
} table;

static bool table_make(table *t, const ttb_router_config *c) {
  memset(t, 0, sizeof *t);
  return ttb_router_new(&t->shared, c, NULL) == TTB_OK &&
         ttb_router_join(&t->shared, 1, &t->mine) == TTB_OK;
}
static void table_end(table *t) {
  ttb_router_free(&t->mine);
  ttb_router_free(&t->shared);
}

static uint64_t id_of(table *t, const char *name) {
  for (uint32_t i = 0; i < t->names; i++)
    if (strcmp(t->name[i], name) == 0) return i + 1;
  if (t->names == MAX) return 0;
  t->name[t->names++] = name;
  return t->names;
}

static int32_t table_add(table *t, const char *name) {
  ttb_endpoint e = {sizeof e, 0, id_of(t, name)};
  return ttb_router_add(&t->mine, &e);
}

static uint32_t role_of(const char *name) {
  return !strcmp(name, "primary")   ? TTB_ROLE_PRIMARY
         : !strcmp(name, "replica") ? TTB_ROLE_REPLICA
         : !strcmp(name, "peer")    ? TTB_ROLE_PEER
                                    : TTB_ROLE_UNKNOWN;
}

static uint32_t mode_of(const char *name) {
  return !strcmp(name, "Primary")              ? TTB_READ_PRIMARY
         : !strcmp(name, "PrimaryPreferred")   ? TTB_READ_PRIMARY_PREFERRED
         : !strcmp(name, "Secondary")          ? TTB_READ_REPLICA
         : !strcmp(name, "SecondaryPreferred") ? TTB_READ_REPLICA_PREFERRED
         : !strcmp(name, "Nearest")            ? TTB_READ_NEAREST
                                               : 99;
}

/* Adds and observes all "nodes" of a case. */
static bool nodes_in(table *t, const json_t *c) {
  size_t i;
  json_t *n;
  json_array_foreach(json_object_get(c, "nodes"), i, n) {
    ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
    o.role = role_of(text(n, "role"));
    o.lag_ms = o.role == TTB_ROLE_PEER ? TTB_ROUTER_LAG_UNKNOWN : 0;
    o.rtt_ns = (int64_t)(number(n, "rtt_ms", 0) * 1e6 + 0.5);
    if (table_add(t, text(n, "node")) < 0) return wrong("cannot add %s", text(n, "node"));
    if (ttb_router_observe(&t->shared, id_of(t, text(n, "node")), &o, NOW) < 0)
      return wrong("cannot observe %s", text(n, "node"));
  }
  return true;
}

/* The slots of a list of names, as a mask. */
static uint64_t slots_of(table *t, const json_t *names) {
  uint64_t mask = 0;
  size_t i;
  json_t *n;
  json_array_foreach(names, i, n) {
    int32_t slot = ttb_router_find(&t->shared, id_of(t, json_string_value(n)));
    if (slot >= 0) mask |= UINT64_C(1) << slot;
  }
  return mask;
}

static int32_t rows_of(table *t, const ttb_router_wants *w, ttb_router_node *row) {
  for (int i = 0; i < MAX; i++) row[i] = TTB_CONFIG(ttb_router_node);
  return ttb_router_explain(&t->shared, w, NOW, row, MAX);
}

/* ---- selection ---- */

static bool is_offered(const json_t *c) {
  if (strcmp(text(c, "topology"), "split") != 0) return true; /* neither applies there */
  if (number(c, "max_staleness_s", -1) >= 0) return false;
  bool primary = !strcmp(text(c, "mode"), "Primary") || !strcmp(text(c, "operation"), "write");
  size_t i;
  json_t *s;
  json_array_foreach(json_object_get(c, "tag_sets"), i, s) {
    if (!primary && json_object_size(s) > 0) return false;
  }
  return true;
}

static bool selection(const json_t *c) {
  ttb_router_config config = TTB_CONFIG(ttb_router_config);
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  table t;
  config.window_us = (int32_t)(number(c, "latency_window_ms", 15) * 1000);
  if (!table_make(&t, &config)) return wrong("config");
  bool ok = nodes_in(&t, c), is_write = !strcmp(text(c, "operation"), "write");
  w.mode = is_write ? TTB_READ_PRIMARY : mode_of(text(c, "mode"));
  w.avoid = slots_of(&t, json_object_get(c, "deprioritized"));
  double bound = number(c, "max_staleness_s", -1);
  if (bound > 0) w.max_lag_ms = (int32_t)(bound * 1000);

  uint64_t suitable = 0, in_window = 0;
  const json_t *expect = json_object_get(c, "expect");
  uint64_t want_suitable = slots_of(&t, json_object_get(expect, "suitable"));
  uint64_t want_window = slots_of(&t, json_object_get(expect, "in_window"));
  ttb_router_node row[MAX];
  int32_t rows = rows_of(&t, &w, row);
  if (ok && rows < 0) ok = wrong("explain: %s", ttb_strerror(rows));
  for (int32_t i = 0; i < rows; i++) {
    uint64_t bit = UINT64_C(1) << row[i].slot;
    if (row[i].why == TTB_ROUTER_MAY_BE_PICKED) in_window |= bit;
    if (row[i].why == TTB_ROUTER_MAY_BE_PICKED || row[i].why == TTB_ROUTER_FAR) suitable |= bit;
  }
  if (ok && (suitable != want_suitable || in_window != want_window))
    ok = wrong("suitable %llx not %llx, in window %llx not %llx", (unsigned long long)suitable,
               (unsigned long long)want_suitable, (unsigned long long)in_window,
               (unsigned long long)want_window);
  uint64_t reached = 0;
  for (int i = 0; i < 200 && ok; i++) {
    int64_t k = is_write && w.avoid == 0 ? ttb_router_write(&t.mine, NOW)
                                         : ttb_router_read(&t.mine, &w, NOW);
    if (k < 0) break;
    reached |= UINT64_C(1) << ttb_ticket_slot(k);
    (void)ttb_router_report(&t.mine, k, TTB_SUCCESS, 0, NOW);
  }
  if (ok && reached != want_window)
    ok = wrong("picked %llx of %llx", (unsigned long long)reached,
               (unsigned long long)want_window);
  table_end(&t);
  return ok;
}

/* ---- two choices by calls in flight ---- */

static bool in_window(const json_t *c) {
  ttb_router_config config = TTB_CONFIG(ttb_router_config);
  table t;
  config.mode = TTB_READ_NEAREST;
  config.window_us = (int32_t)(number(c, "latency_window_ms", 15) * 1000);
  if (!table_make(&t, &config)) return wrong("config");
  bool ok = nodes_in(&t, c);
  const char *name;
  json_t *v;
  json_object_foreach(json_object_get(c, "in_flight"), name, v) {
    ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
    int32_t slot = ttb_router_find(&t.shared, id_of(&t, name));
    w.avoid = ~(UINT64_C(1) << slot);
    for (json_int_t i = 0; i < json_integer_value(v) && ok; i++)
      if (ttb_ticket_slot(ttb_router_read(&t.mine, &w, NOW)) != slot)
        ok = wrong("cannot load %s", name);
  }
  double n = number(c, "iterations", 0), tolerance = number(c, "tolerance", 0);
  double count[MAX] = {0};
  for (double i = 0; i < n && ok; i++) {
    int64_t k = ttb_router_read(&t.mine, NULL, NOW);
    if (k < 0) ok = wrong("read: %s", ttb_strerror((int32_t)k));
    else count[ttb_ticket_slot(k) % MAX]++;
    (void)ttb_router_report(&t.mine, k, TTB_CANCELLED, 0, NOW);
  }
  json_object_foreach(json_object_get(c, "expect_frequency"), name, v) {
    int32_t slot = ttb_router_find(&t.shared, id_of(&t, name));
    double f = count[slot % MAX] / n, e = json_number_value(v);
    double off = f > e ? f - e : e - f;
    if (ok && off > (e == 0 || e == 1 ? 0 : tolerance)) ok = wrong("%s: %.3f not %.3f", name, f, e);
  }
  table_end(&t);
  return ok && n > 0;
}

/* ---- average of round trips ---- */

static bool rtt_average(const json_t *c) {
  uint64_t w = 0;
  double average = number(c, "average_ms", -1);
  if (number(c, "alpha", 0) != 0.2) return wrong("alpha");
  if (average >= 0) w = ttb__rtt_next(w, (uint64_t)(average * 1e6 + 0.5));
  w = ttb__rtt_next(w, (uint64_t)(number(c, "sample_ms", 0) * 1e6 + 0.5));
  int64_t got = ttb__rtt_ns(w), want = (int64_t)(number(c, "expect_ms", -1) * 1e6 + 0.5);
  return got == want ? true : wrong("%lld ns, not %lld", (long long)got, (long long)want);
}

/* ---- fencing ---- */

/* (election, config version), lexicographic, null lowest: 22 bits each. */
static uint64_t epoch_of(const json_t *o) {
  double election = number(o, "election", -1), version = number(o, "config_version", -1);
  return (uint64_t)(election + 1) << 22 | (uint64_t)(version + 1);
}

/* The monitoring of that suite: a primary that is accepted names the members. */
static bool observe(table *t, const json_t *o) {
  uint64_t id = id_of(t, text(o, "node"));
  if (ttb_router_find(&t->shared, id) < 0) return true; /* no member: ignored */
  ttb_router_observation seen = TTB_CONFIG(ttb_router_observation);
  seen.role = role_of(text(o, "role"));
  seen.epoch = epoch_of(o);
  int32_t code = ttb_router_observe(&t->shared, id, &seen, NOW);
  const json_t *members = json_object_get(o, "members");
  if (code == TTB_STALE || !members) return true;
  if (code < 0) return wrong("observe: %s", ttb_strerror(code));
  ttb_endpoint e[MAX];
  uint32_t n = 0;
  size_t i;
  json_t *m;
  json_array_foreach(members, i, m) {
    e[n++] = (ttb_endpoint){sizeof *e, 0, id_of(t, json_string_value(m))};
  }
  code = ttb_router_set(&t->mine, e, n);
  return code < 0 ? wrong("set: %s", ttb_strerror(code)) : true;
}

/* What a node is taken for: its role if it may be picked. */
static bool stands(table *t, const json_t *expect) {
  ttb_router_wants w = TTB_CONFIG(ttb_router_wants);
  w.mode = TTB_READ_NEAREST;
  ttb_router_node row[MAX];
  int32_t rows = rows_of(t, &w, row);
  if (rows != (int32_t)json_object_size(expect))
    return wrong("%d nodes, not %zu", rows, json_object_size(expect));
  for (int32_t i = 0; i < rows; i++) {
    const char *name = t->name[row[i].id - 1], *want = text(expect, name);
    uint32_t role = row[i].why == TTB_ROUTER_MAY_BE_PICKED ? (uint32_t)row[i].role : 0;
    if (!*want || role != role_of(want)) return wrong("%s is %u, not %s", name, role, want);
    int64_t k = ttb_router_write(&t->mine, NOW);
    if (!strcmp(want, "primary") && (k < 0 || (uint32_t)ttb_ticket_slot(k) != row[i].slot))
      return wrong("writes do not go to %s", name);
    if (k >= 0) (void)ttb_router_report(&t->mine, k, TTB_CANCELLED, 0, NOW);
  }
  return true;
}

static bool fencing(const json_t *c) {
  ttb_router_config config = TTB_CONFIG(ttb_router_config);
  table t;
  config.claims = TTB_ROUTER_LAST_CLAIM;
  if (!table_make(&t, &config)) return wrong("config");
  bool ok = true;
  size_t i, j;
  json_t *step, *o;
  json_array_foreach(json_object_get(c, "steps"), i, step) {
    json_array_foreach(json_object_get(step, "observe"), j, o) {
      if (i == 0) (void)table_add(&t, text(o, "node")); /* the seeds */
    }
    json_array_foreach(json_object_get(step, "observe"), j, o) ok = ok && observe(&t, o);
    ok = ok && stands(&t, json_object_get(step, "expect"));
  }
  table_end(&t);
  return ok && json_array_size(json_object_get(c, "steps")) > 0;
}

/* ---- the bound that gives way ---- */

static bool lag_filter(const json_t *file, const json_t *c) {
  const json_t *defaults = json_object_get(file, "defaults");
  ttb_router_config config = TTB_CONFIG(ttb_router_config);
  config.max_lag_ms = (int32_t)number(c, "low_s", number(defaults, "low_s", 0)) * 1000;
  config.hard_lag_ms = (int32_t)number(c, "high_s", number(defaults, "high_s", 0)) * 1000;
  config.min_replicas = (uint32_t)number(c, "min", number(defaults, "min", 0));
  table t;
  if (!table_make(&t, &config)) return wrong("config");
  const json_t *lags = json_object_get(c, "lags_s"), *expect = json_object_get(c, "expect");
  for (uint64_t i = 0; i < json_array_size(lags); i++) {
    ttb_endpoint e = {sizeof e, 0, i + 1};
    ttb_router_observation o = TTB_CONFIG(ttb_router_observation);
    o.role = TTB_ROLE_REPLICA;
    o.lag_ms = json_integer_value(json_array_get(lags, (size_t)i)) * 1000;
    if (ttb_router_add(&t.mine, &e) < 0 || ttb_router_observe(&t.mine, i + 1, &o, NOW) < 0)
      return wrong("set-up");
  }
  ttb_router_node row[MAX];
  int32_t rows = rows_of(&t, NULL, row);
  bool ok = rows == (int32_t)json_array_size(lags), taken[MAX] = {false};
  size_t kept = 0;
  for (int32_t i = 0; i < rows && ok; i++) {
    if (row[i].why != TTB_ROUTER_MAY_BE_PICKED) continue;
    json_int_t lag = json_integer_value(json_array_get(lags, row[i].id - 1));
    size_t j = 0;
    while (j < json_array_size(expect) &&
           (taken[j] || json_integer_value(json_array_get(expect, j)) != lag))
      j++;
    if (j == json_array_size(expect)) ok = wrong("keeps one of %lld s", (long long)lag);
    else taken[j] = true;
    kept++;
  }
  if (ok && kept != json_array_size(expect))
    ok = wrong("keeps %zu, not %zu", kept, json_array_size(expect));
  table_end(&t);
  return ok;
}

/* ---- files ---- */

static bool run(const json_t *file, const json_t *c) {
  if (!strcmp(set, "selection")) return selection(c);
  if (!strcmp(set, "in_window")) return in_window(c);
  if (!strcmp(set, "rtt_average")) return rtt_average(c);
  if (!strcmp(set, "fencing")) return fencing(c);
  if (!strcmp(set, "vitess_lag_filter")) return lag_filter(file, c);
  return wrong("unknown set");
}

static void run_file(const char *path) {
  static char name[64];
  const char *slash = strrchr(path, '/');
  snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
  char *dot = strchr(name, '.');
  if (dot) *dot = 0;
  set = name;
  json_error_t error;
  json_t *file = json_load_file(path, 0, &error), *c;
  if (!file) {
    printf("FAILED %s: %s\n", path, error.text);
    failed++;
    return;
  }
  size_t i;
  if (json_array_size(json_object_get(file, "cases")) == 0) {
    printf("FAILED %s: no cases\n", path);
    failed++;
  }
  json_array_foreach(json_object_get(file, "cases"), i, c) {
    snprintf(label, sizeof label, "case %zu %s", i, text(c, "id"));
    if (!strcmp(set, "selection") && !is_offered(c)) offered_not++;
    else if (run(file, c)) passed++;
    else failed++;
  }
  json_decref(file);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  if (offered_not > 0) {
    for (size_t i = 0; i < sizeof not_offered / sizeof *not_offered; i++)
      printf("not offered: %s: %s\n", not_offered[i].set, not_offered[i].why);
    printf("%u not offered\n", offered_not);
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
