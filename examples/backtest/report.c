/* SPDX-License-Identifier: MIT */
/* Reports of a replay; see report.h. JSON and page are made from one document. */
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backtest_page.h" /* made from page.html */

/* Buckets of the load in a report. */
#define BUCKETS 6000

typedef struct column {
  const char *key, *name;
  int digits;
  double scale;
  size_t at;
  const char *about;
} column;

#define AT(field) offsetof(replay_score, field)
static const column columns[] = {
    {"violation", "violated %", 2, 100, AT(violation),
     "share of the time in which something waits, or the load is above the limit of what serves"},
    {"cost", "cost", 3, 1, AT(cost),
     "replica-hours paid, as a multiple of the fewest that violate nothing (with no start-up time)"},
    {"replica_hours", "replica-hours", 0, 1, AT(replica_hours), "replicas paid, times hours"},
    {"mean_replicas", "mean", 1, 1, AT(mean_replicas), "replicas on average"},
    {"actions_a_day", "actions/day", 0, 1, AT(actions_a_day), "changes of the count a day"},
    {"flips_a_day", "flips/day", 0, 1, AT(flips_a_day),
     "changes against the direction of the one before, a day"},
    {"dropped", "dropped %", 3, 100, AT(dropped), "share of the load that waited too long"},
    {"violation_requests", "load in violation %", 2, 100, AT(violation_requests),
     "share of the load that came while violated"},
    {"theta_u", "\xce\xb8" "U %", 2, 1, AT(theta_u), "SPEC RG accuracy: mean share of the demand not met"},
    {"theta_o", "\xce\xb8" "O %", 1, 1, AT(theta_o), "SPEC RG accuracy: mean share supplied in excess"},
    {"tau_u", "\xcf\x84" "U %", 2, 1, AT(tau_u), "SPEC RG timeshare: time with fewer than needed"},
    {"tau_o", "\xcf\x84" "O %", 1, 1, AT(tau_o), "SPEC RG timeshare: time with more than needed"},
    {"instability", "instability %", 1, 1, AT(instability),
     "SPEC RG: time in which supply and demand do not move the same way"},
};
#define COLUMNS (sizeof columns / sizeof columns[0])
/* Those that fit a terminal. */
#define COLUMNS_SHORT 7

static double figure(const result *r, const column *c) {
  double v;
  memcpy(&v, (const char *)&r->score + c->at, sizeof v);
  return v * c->scale;
}

/* ---- the table ---- */

void report_table(FILE *out, const played *p, const result *results, int n) {
  fprintf(out, "%s: %.1f days, %zu rows of '%s', %zu gaps; start-up %.0f s; a replica does %.4g at 100 %%\n\n",
          p->trace_path, trace_length_s(p->trace) / 86400, p->trace->n, p->trace->column,
          p->trace->gaps, p->model->startup_s, p->model->capacity);
  fprintf(out, "%-18s", "policy");
  for (size_t c = 0; c < COLUMNS_SHORT; c++) fprintf(out, " %13s", columns[c].name);
  fputc('\n', out);
  for (int i = 0; i < n; i++) {
    fprintf(out, "%-18s", results[i].policy->name);
    for (size_t c = 0; c < COLUMNS_SHORT; c++)
      fprintf(out, " %13.*f", columns[c].digits, figure(&results[i], &columns[c]));
    fputc('\n', out);
  }
  fprintf(out, "\nviolated: something waits, or load above %.0f %% of what serves. cost: of the fewest "
          "replicas\nthat violate nothing, with no start-up time.\n", 100 * p->model->limit);
}

/* ---- the document ---- */

static json_t *figures(const result *r) {
  json_t *o = json_object();
  for (size_t c = 0; c < COLUMNS; c++)
    json_object_set_new(o, columns[c].key, json_real(figure(r, &columns[c])));
  return o;
}

/* The place of a reason in the list, put there if it is new. */
static size_t reason_at(json_t *reasons, const char *reason) {
  size_t i, n = json_array_size(reasons);
  for (i = 0; i < n; i++)
    if (strcmp(json_string_value(json_array_get(reasons, i)), reason) == 0) return i;
  json_array_append_new(reasons, json_string(reason));
  return n;
}

static json_t *changes_of(const result *r, json_t *reasons) {
  json_t *list = json_array();
  for (size_t i = 0; i < r->n; i++) {
    const change *c = &r->changes[i];
    json_t *row = json_array();
    json_array_append_new(row, json_real(c->time_s));
    json_array_append_new(row, json_integer(c->replicas));
    json_array_append_new(row, json_integer((json_int_t)reason_at(reasons, c->reason)));
    if (c->detail) json_array_append_new(row, json_string(c->detail));
    json_array_append_new(list, row);
  }
  return list;
}

static json_t *demand_of(const played *p) {
  size_t per = (p->ticks + BUCKETS - 1) / BUCKETS;
  double full = p->model->limit * p->model->capacity;
  json_t *mean = json_array(), *max = json_array();
  for (size_t k = 0; k < p->ticks; k += per) {
    double sum = 0, top = 0;
    size_t end = k + per < p->ticks ? k + per : p->ticks;
    for (size_t i = k; i < end; i++) {
      sum += p->load[i];
      if (p->load[i] > top) top = p->load[i];
    }
    json_array_append_new(mean, json_real(round(1000 * sum / (double)(end - k) / full) / 1000));
    json_array_append_new(max, json_real(round(1000 * top / full) / 1000));
  }
  return json_pack("{s:f, s:o, s:o}", "step_s", (double)per * p->model->tick_s, "mean", mean, "max", max);
}

__attribute__((format(printf, 3, 4))) static void told(json_t *how, const char *key, const char *format, ...) {
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  json_array_append_new(how, json_pack("[s, s]", key, text));
}

/* "at most 300 s back; 10 % in 60 s" */
static void told_rules(json_t *how, const char *key, const manifest_rules *r) {
  char text[400];
  size_t n = 0;
  if (r->window_s >= 0) n += (size_t)snprintf(text, sizeof text, "window of %d s", r->window_s);
  else n += (size_t)snprintf(text, sizeof text, "window by default");
  for (int i = 0; i < r->policies && n < sizeof text; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "; %d %s in %d s", r->policy[i].value,
                          r->policy[i].percent ? "%" : "replicas", r->policy[i].period_s);
  if (r->policies == 0 && n < sizeof text) n += (size_t)snprintf(text + n, sizeof text - n, "; policies by default");
  if (*r->select && n < sizeof text) n += (size_t)snprintf(text + n, sizeof text - n, "; select %s", r->select);
  if (r->tolerance_milli >= 0 && n < sizeof text)
    snprintf(text + n, sizeof text - n, "; tolerance %.4g", (double)r->tolerance_milli / 1000);
  told(how, key, "%s", text);
}

static json_t *how_of(const played *p) {
  json_t *how = json_array();
  const replay_model *m = p->model;
  told(how, "trace", "%s: %zu rows of '%s', a row every %.6g s, %.2f days, %zu gaps (the value before is held)",
       p->trace_path, p->trace->n, p->trace->column, p->trace->step_s, trace_length_s(p->trace) / 86400,
       p->trace->gaps);
  if (p->trace->faults) told(how, "bad rows", "%zu were left out", p->trace->faults);
  told(how, "a replica", "does %.6g of the load at 100 %%, serves %.0f s after it was ordered and is paid from the order",
       m->capacity, m->startup_s);
  told(how, "bounds", "%d to %d replicas, a decision every %.0f s", m->min, m->max, m->tick_s);
  told(how, "signal", m->signal == REPLAY_CAPPED
           ? "what was served: stops at 100 %% while overloaded; mean of the two ticks before"
           : "the load as it was offered; mean of the two ticks before");
  told(how, "manifest", "%s: %s", p->hpa_path, p->hpa->name);
  for (int i = 0; i < p->hpa->metrics; i++) {
    const manifest_metric *metric = &p->hpa->metric[i];
    const char *unit = metric->target == TARGET_UTILIZATION ? " %" : "";
    told(how, p->setup->factor[i] > 0 ? "metric" : "left out", "%s, target %.6g%s%s", metric->name,
         (double)metric->target_milli / 1000, unit,
         p->setup->factor[i] > 0 ? "" : ": the trace says nothing of it");
  }
  if (p->hpa->behavior) {
    told_rules(how, "scale up", &p->hpa->up);
    told_rules(how, "scale down", &p->hpa->down);
  }
  return how;
}

static json_t *document(const played *p, const result *results, int n) {
  json_t *reasons = json_array(), *rows = json_array(), *heads = json_array();
  for (int i = 0; i < n; i++) {
    const result *r = &results[i];
    json_array_append_new(rows, json_pack("{s:s, s:s, s:o, s:I, s:o}", "name", r->policy->name, "about",
                                          r->policy->about, "figures", figures(r), "changes_total",
                                          (json_int_t)r->total, "changes", changes_of(r, reasons)));
  }
  for (size_t c = 0; c < COLUMNS; c++)
    json_array_append_new(heads, json_pack("{s:s, s:s, s:i, s:s}", "key", columns[c].key, "name",
                                           columns[c].name, "digits", columns[c].digits, "about",
                                           columns[c].about));
  char title[200], lead[300];
  snprintf(title, sizeof title, "%.60s: %d policies over %.1f days", p->hpa->name[0] ? p->hpa->name : "backtest",
           n, trace_length_s(p->trace) / 86400);
  snprintf(lead, sizeof lead, "What each policy would have done to this load, tick by tick, by the code that "
           "decides in production. Cost 1 is the fewest replicas that violate nothing.");
  json_t *doc = json_pack(
      "{s:s, s:s, s:f, s:s, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "title", title, "lead", lead, "length_s",
      (double)p->ticks * p->model->tick_s, "unit", p->trace->column, "capacity", p->model->capacity, "full",
      p->model->limit, "how", how_of(p), "columns", heads, "demand", demand_of(p), "policies", rows,
      "reasons", reasons);
  if (doc && p->trace->dated) json_object_set_new(doc, "start_s", json_real(p->trace->start_s));
  return doc;
}

/* ---- files ---- */

static int finish(FILE *out, int code) {
  if (ferror(out)) code = -1;
  return fclose(out) != 0 ? -1 : code;
}

int report_json(const char *path, const played *p, const result *results, int n) {
  json_t *doc = document(p, results, n);
  FILE *out = doc ? fopen(path, "w") : NULL;
  if (!out) return json_decref(doc), -1;
  int code = json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
  fputc('\n', out);
  json_decref(doc);
  return finish(out, code);
}

int report_html(const char *path, const played *p, const result *results, int n) {
  static const char hole[] = "/*DATA*/null";
  const char *page = (const char *)backtest_page, *at = strstr(page, hole);
  json_t *doc = document(p, results, n);
  char *text = doc ? json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  FILE *out = text && at ? fopen(path, "w") : NULL;
  json_decref(doc);
  if (!out) return free(text), -1;
  fwrite(page, 1, (size_t)(at - page), out);
  /* "</script>" in a name must not end the script. */
  for (const char *s = text; *s; s++) {
    if (*s == '<') fputs("\\u003c", out);
    else fputc(*s, out);
  }
  fputs(at + sizeof hole - 1, out);
  free(text);
  return finish(out, 0);
}
