/* SPDX-License-Identifier: MIT */
/* Reading manifests; see manifest.h. */
#include "manifest.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct reader {
  const char *path;
  FILE *complaints;
  yaml_document_t *doc;
  int faults;
} reader;

__attribute__((format(printf, 3, 4))) static void complain(reader *r, const yaml_node_t *at,
                                                          const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(r->complaints, "%s:%zu: ", r->path, at->start_mark.line + 1);
  vfprintf(r->complaints, format, args);
  fputc('\n', r->complaints);
  va_end(args);
  r->faults++;
}

/* ---- nodes ---- */

static const char *text(const yaml_node_t *n) {
  return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : "";
}

static int is_null(const yaml_node_t *n) {
  const char *s = text(n);
  return n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         (*s == 0 || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

/* The value of a key; NULL if it is not there or null. */
static yaml_node_t *get(reader *r, const yaml_node_t *map, const char *key) {
  if (!map || map->type != YAML_MAPPING_NODE) return NULL;
  for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
    yaml_node_t *v = yaml_document_get_node(r->doc, p->value);
    if (strcmp(text(yaml_document_get_node(r->doc, p->key)), key) == 0) return is_null(v) ? NULL : v;
  }
  return NULL;
}

/* Faults for a node that is no mapping, and for keys not on the list, or twice there. */
static int only(reader *r, yaml_node_t *map, const char *what, const char *const *keys) {
  if (!map || map->type != YAML_MAPPING_NODE) {
    if (map) complain(r, map, "%s must be a mapping", what);
    return -1;
  }
  const yaml_node_pair_t *first = map->data.mapping.pairs.start;
  for (const yaml_node_pair_t *p = first; p < map->data.mapping.pairs.top; p++) {
    const yaml_node_t *key = yaml_document_get_node(r->doc, p->key);
    int known = 0;
    for (const char *const *k = keys; *k; k++) known |= strcmp(*k, text(key)) == 0;
    if (!known) complain(r, key, "unknown field '%.60s' in %s", text(key), what);
    for (const yaml_node_pair_t *q = first; q < p; q++)
      if (strcmp(text(yaml_document_get_node(r->doc, q->key)), text(key)) == 0)
        complain(r, key, "'%.60s' stands twice in %s", text(key), what);
  }
  return 0;
}
#define ONLY(r, map, what, ...) only(r, map, what, (const char *const[]){__VA_ARGS__, NULL})

static yaml_node_t *need(reader *r, yaml_node_t *map, const char *what, const char *key) {
  yaml_node_t *v = get(r, map, key);
  if (!v) complain(r, map, "%s needs '%s'", what, key);
  return v;
}

static int32_t integer(reader *r, const yaml_node_t *n, const char *what, int32_t min, int32_t max) {
  char *end;
  errno = 0;
  long v = strtol(text(n), &end, 10);
  if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
      end == text(n) || *end || errno || v < min || v > max) {
    complain(r, n, "%s must be a whole number %d..%d, not '%.40s'", what, min, max, text(n));
    return min;
  }
  return (int32_t)v;
}

/* A Kubernetes quantity (1500m, 0.5, 2k, 64Mi, 1e3) in thousandths, rounded up. */
static int64_t quantity(reader *r, const yaml_node_t *n, const char *what) {
  static const struct { const char *suffix; long double unit; } units[] = {
      {"", 1e3L}, {"n", 1e-6L}, {"u", 1e-3L}, {"m", 1}, {"k", 1e6L}, {"M", 1e9L}, {"G", 1e12L},
      {"T", 1e15L}, {"P", 1e18L}, {"Ki", 1024e3L}, {"Mi", 1048576e3L}, {"Gi", 1073741824e3L},
      {"Ti", 1099511627776e3L}, {"Pi", 1125899906842624e3L}};
  const char *s = text(n);
  char *end = NULL;
  size_t digits = strspn(s, "0123456789.");
  if (n->type == YAML_SCALAR_NODE && digits > 0 && digits < 30) {
    long double v = strtold(s, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
      if (strcmp(end, units[i].suffix) != 0) continue;
      long double milli = v * units[i].unit;
      if (!(milli <= 9e18L)) break;
      int64_t whole = (int64_t)milli;
      return whole + ((long double)whole < milli);
    }
  }
  complain(r, n, "%s must be a quantity such as 500m, 2 or 64Mi, not '%.40s'", what, s);
  return 1;
}

static void copy(reader *r, const yaml_node_t *n, const char *what, char ret[64]) {
  if (strlen(text(n)) == 0 || strlen(text(n)) > 63)
    complain(r, n, "%s must be a name of 1 to 63 characters", what);
  snprintf(ret, 64, "%.63s", text(n));
}

/* ---- metrics ---- */

static void read_target(reader *r, yaml_node_t *t, manifest_metric *m) {
  static const char *const fields[] = {"averageUtilization", "averageValue", "value"};
  static const char *const names[] = {"Utilization", "AverageValue", "Value"};
  static const char *const allowed[] = {
      [SOURCE_RESOURCE] = "UA", [SOURCE_CONTAINER] = "UA", [SOURCE_PODS] = "A",
      [SOURCE_OBJECT] = "AV",   [SOURCE_EXTERNAL] = "AV"};
  if (ONLY(r, t, "target", "type", "averageUtilization", "averageValue", "value")) return;
  const yaml_node_t *type = need(r, t, "target", "type");
  if (!type) return;
  int at = -1;
  for (int i = 0; i < 3; i++)
    if (strcmp(text(type), names[i]) == 0) at = i;
  if (at < 0 || !strchr(allowed[m->source], names[at][0])) {
    complain(r, type, "this kind of metric has no target of type '%.40s'", text(type));
    return;
  }
  m->target = (enum target)at;
  const yaml_node_t *v = need(r, t, "target", fields[at]);
  if (!v) return;
  m->target_milli = at == TARGET_UTILIZATION
                        ? 1000 * (int64_t)integer(r, v, fields[at], 1, INT_MAX)
                        : quantity(r, v, fields[at]);
  if (m->target_milli <= 0) complain(r, v, "%s must be above 0", fields[at]);
}

static void read_metric(reader *r, yaml_node_t *n, manifest_metric *m) {
  static const struct { const char *type, *field; } kinds[] = {
      [SOURCE_RESOURCE] = {"Resource", "resource"},
      [SOURCE_CONTAINER] = {"ContainerResource", "containerResource"},
      [SOURCE_PODS] = {"Pods", "pods"},
      [SOURCE_OBJECT] = {"Object", "object"},
      [SOURCE_EXTERNAL] = {"External", "external"}};
  if (ONLY(r, n, "a metric", "type", "resource", "containerResource", "pods", "object", "external"))
    return;
  const yaml_node_t *type = need(r, n, "a metric", "type");
  int kind = -1;
  for (int i = 0; type && i < 5; i++)
    if (strcmp(text(type), kinds[i].type) == 0) kind = i;
  if (kind < 0) {
    if (type) complain(r, type, "there is no metric of type '%.40s'", text(type));
    return;
  }
  m->source = (enum source)kind;
  yaml_node_t *body = need(r, n, kinds[kind].type, kinds[kind].field);
  if (!body) return;
  yaml_node_t *named = body;
  if (kind == SOURCE_RESOURCE) {
    if (ONLY(r, body, "resource", "name", "target")) return;
  } else if (kind == SOURCE_CONTAINER) {
    if (ONLY(r, body, "containerResource", "name", "container", "target")) return;
    (void)need(r, body, "containerResource", "container");
  } else {
    if (ONLY(r, body, kinds[kind].field, "metric", "target", "describedObject")) return;
    named = need(r, body, kinds[kind].field, "metric");
    if (!named || ONLY(r, named, "metric", "name", "selector")) return;
    if (kind == SOURCE_OBJECT) (void)need(r, body, "object", "describedObject");
  }
  const yaml_node_t *name = need(r, named, "a metric", "name");
  if (name) copy(r, name, "a metric's name", m->name);
  yaml_node_t *target = need(r, body, kinds[kind].field, "target");
  if (target) read_target(r, target, m);
}

/* ---- behavior ---- */

static void read_policy(reader *r, yaml_node_t *n, manifest_policy *p) {
  if (ONLY(r, n, "a policy", "type", "value", "periodSeconds")) return;
  const yaml_node_t *type = need(r, n, "a policy", "type");
  const yaml_node_t *value = need(r, n, "a policy", "value");
  const yaml_node_t *period = need(r, n, "a policy", "periodSeconds");
  if (!type || !value || !period) return;
  p->percent = strcmp(text(type), "Percent") == 0;
  if (!p->percent && strcmp(text(type), "Pods") != 0)
    complain(r, type, "a policy's type is Pods or Percent, not '%.40s'", text(type));
  p->value = integer(r, value, "a policy's value", 1, INT_MAX);
  p->period_s = integer(r, period, "periodSeconds", 1, 1800);
}

static void read_rules(reader *r, yaml_node_t *n, manifest_rules *ret) {
  if (ONLY(r, n, "scaling rules", "stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"))
    return;
  const yaml_node_t *window = get(r, n, "stabilizationWindowSeconds");
  if (window) ret->window_s = integer(r, window, "stabilizationWindowSeconds", 0, 3600);
  const yaml_node_t *tolerance = get(r, n, "tolerance");
  if (tolerance) ret->tolerance_milli = quantity(r, tolerance, "tolerance");
  const yaml_node_t *select = get(r, n, "selectPolicy");
  if (select) {
    const char *s = text(select);
    if (strcmp(s, "Max") != 0 && strcmp(s, "Min") != 0 && strcmp(s, "Disabled") != 0)
      complain(r, select, "selectPolicy is Max, Min or Disabled, not '%.40s'", s);
    snprintf(ret->select, sizeof ret->select, "%.15s", s);
  }
  const yaml_node_t *list = get(r, n, "policies");
  if (!list) return;
  if (list->type != YAML_SEQUENCE_NODE) {
    complain(r, list, "policies must be a list");
    return;
  }
  for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
    yaml_node_t *item = yaml_document_get_node(r->doc, *i);
    if (ret->policies == MANIFEST_POLICIES) {
      complain(r, item, "more than %d policies", MANIFEST_POLICIES);
      return;
    }
    read_policy(r, item, &ret->policy[ret->policies++]);
  }
}

/* ---- the whole ---- */

static void read_metrics(reader *r, const yaml_node_t *list, manifest *m) {
  if (list && list->type != YAML_SEQUENCE_NODE) {
    complain(r, list, "metrics must be a list");
    return;
  }
  for (yaml_node_item_t *i = list ? list->data.sequence.items.start : NULL;
       list && i < list->data.sequence.items.top; i++) {
    yaml_node_t *item = yaml_document_get_node(r->doc, *i);
    if (m->metrics == MANIFEST_METRICS) {
      complain(r, item, "more than %d metrics", MANIFEST_METRICS);
      return;
    }
    read_metric(r, item, &m->metric[m->metrics++]);
  }
  if (m->metrics > 0) return;
  m->metrics = 1;
  m->metric[0] = (manifest_metric){
      .source = SOURCE_RESOURCE, .target = TARGET_UTILIZATION, .name = "cpu", .target_milli = 80000};
}

static void read_hpa(reader *r, yaml_node_t *root, manifest *m) {
  const yaml_node_t *version = need(r, root, "the manifest", "apiVersion");
  if (version && strcmp(text(version), "autoscaling/v2") != 0)
    complain(r, version, "apiVersion must be autoscaling/v2, not '%.40s'", text(version));
  (void)ONLY(r, root, "the manifest", "apiVersion", "kind", "metadata", "spec", "status");
  yaml_node_t *metadata = get(r, root, "metadata");
  const yaml_node_t *name = metadata ? get(r, metadata, "name") : NULL;
  if (name) snprintf(m->name, sizeof m->name, "%.63s", text(name));
  yaml_node_t *spec = need(r, root, "the manifest", "spec");
  if (!spec || ONLY(r, spec, "spec", "scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior"))
    return;
  (void)need(r, spec, "spec", "scaleTargetRef");
  const yaml_node_t *min = get(r, spec, "minReplicas"), *max = need(r, spec, "spec", "maxReplicas");
  m->min = min ? integer(r, min, "minReplicas", 0, 10000000) : 1;
  if (max) m->max = integer(r, max, "maxReplicas", 1, 10000000);
  if (max && m->max < m->min) complain(r, max, "maxReplicas %d is below minReplicas %d", m->max, m->min);
  read_metrics(r, get(r, spec, "metrics"), m);
  yaml_node_t *behavior = get(r, spec, "behavior");
  if (!behavior || ONLY(r, behavior, "behavior", "scaleUp", "scaleDown")) return;
  m->behavior = 1;
  yaml_node_t *up = get(r, behavior, "scaleUp"), *down = get(r, behavior, "scaleDown");
  if (up) read_rules(r, up, &m->up);
  if (down) read_rules(r, down, &m->down);
}

int manifest_read(const char *path, FILE *complaints, manifest *ret) {
  yaml_parser_t parser;
  yaml_document_t doc;
  reader r = {path, complaints, &doc, 0};
  const manifest_rules silent = {.window_s = -1, .tolerance_milli = -1};
  *ret = (manifest){.up = silent, .down = silent};
  FILE *in = fopen(path, "rb");
  if (!in) return fprintf(complaints, "%s: %s\n", path, strerror(errno)), -1;
  if (!yaml_parser_initialize(&parser)) return fclose(in), fprintf(complaints, "no memory\n"), -1;
  yaml_parser_set_input_file(&parser, in);
  int found = 0;
  while (!found) {
    if (!yaml_parser_load(&parser, &doc)) {
      fprintf(complaints, "%s:%zu: not YAML: %s\n", path, parser.problem_mark.line + 1,
              parser.problem ? parser.problem : "unreadable");
      r.faults++;
      break;
    }
    yaml_node_t *root = yaml_document_get_root_node(&doc);
    if (!root) {
      yaml_document_delete(&doc);
      break;
    }
    const yaml_node_t *kind = get(&r, root, "kind");
    found = kind && strcmp(text(kind), "HorizontalPodAutoscaler") == 0;
    if (found) read_hpa(&r, root, ret);
    yaml_document_delete(&doc);
  }
  yaml_parser_delete(&parser);
  fclose(in);
  if (!found && r.faults == 0) {
    fprintf(complaints, "%s: no document of kind HorizontalPodAutoscaler\n", path);
    r.faults++;
  }
  return r.faults ? -1 : 0;
}
