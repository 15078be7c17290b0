/* SPDX-License-Identifier: MIT */
/* backtest: what a policy would have done to a recorded load. Reads a manifest and
 * a trace, replays each policy by the library's own code, and reports. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manifest.h"
#include "policies.h"
#include "replay.h"
#include "report.h"
#include "trace.h"

#define MAX_POLICIES 32
/* Changes a report keeps of a policy; of more, the last of each bucket. */
#define MAX_CHANGES 20000

typedef struct wish {
  const char *hpa, *trace, *html, *json;
  const policy_row *policy[MAX_POLICIES];
  int policies, linear, quiet;
  double capacity, mean_replicas, score_from_days, budget;
  trace_how how;
  replay_model model;
  const char *metric[MANIFEST_METRICS]; /* NAME=FACTOR */
  int metrics;
} wish;

static void usage(FILE *out) {
  fprintf(out,
          "usage: backtest --hpa FILE --trace FILE [options]\n"
          "\n"
          "Replays a recorded load under autoscaling policies and says what each would have\n"
          "cost and missed.\n"
          "\n"
          "  --hpa FILE          a HorizontalPodAutoscaler manifest, autoscaling/v2 (YAML)\n"
          "  --trace FILE        the load: CSV of time,value\n"
          "  --policy NAME       one of those below; may be given several times; default: all\n"
          "  --html FILE         a page with the load, the replicas and the reason of each change\n"
          "  --json FILE         the same as data\n"
          "\n"
          "The load:\n"
          "  --column NAME       the value's column, if there are more than two (name or number)\n"
          "  --time-unit UNIT    of times that are numbers: s (default), ms, us, ns\n"
          "  --between HOW       rows: hold (default) the value until the next, or linear\n"
          "  --skip-bad          leave bad rows out instead of stopping\n"
          "The service:\n"
          "  --capacity LOAD     what one replica does at 100 %%, in the trace's unit\n"
          "  --mean-replicas N   or: the mean load is N replicas at 100 %%; default 14\n"
          "  --metric NAME=F     how the load makes a metric of the manifest other than cpu:\n"
          "                      utilisation: the load with which a replica is at 100 %%;\n"
          "                      others: units of the metric a unit of load. Without it, a\n"
          "                      utilisation other than cpu is left out, others get F = 1\n"
          "  --startup SECONDS   from order to service; default 60\n"
          "  --signal WHAT       offered (default): the load itself; capped: what was served\n"
          "  --limit SHARE       above it a replica violates; default 0.9\n"
          "  --budget SHARE      of time that may be in violation, for policies that take one;\n"
          "                      default 0.01\n"
          "  --score-from DAYS   what happens before does not count; default 0\n"
          "  --quiet             no progress\n"
          "\n"
          "Policies:\n");
  for (int i = 0; i < policies_n; i++)
    fprintf(out, "  %-19s %s\n", policies[i]->name, policies[i]->about);
}

/* ---- arguments ---- */

static int wrong(const char *option, const char *value, const char *must) {
  fprintf(stderr, "backtest: --%s must be %s, not '%s'\n", option, must, value);
  return -1;
}

static int positive(const char *option, const char *value, double max, double *ret) {
  char *end;
  double v = strtod(value, &end);
  if (end == value || *end || !(v > 0) || !(v <= max)) return wrong(option, value, "a number above 0 (and sensible)");
  *ret = v;
  return 0;
}

static int add_policy(wish *w, const char *name) {
  const policy_row *p = policy_by_name(name);
  if (!p) {
    fprintf(stderr, "backtest: no policy is called '%s'; there are:", name);
    for (int i = 0; i < policies_n; i++) fprintf(stderr, " %s", policies[i]->name);
    fputc('\n', stderr);
    return -1;
  }
  for (int i = 0; i < w->policies; i++)
    if (w->policy[i] == p) return 0;
  if (w->policies == MAX_POLICIES) return wrong("policy", name, "given fewer times");
  w->policy[w->policies++] = p;
  return 0;
}

static int time_unit(wish *w, const char *value) {
  static const struct { const char *name; double s; } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp(units[i].name, value) == 0) return w->how.time_unit_s = units[i].s, 0;
  return wrong("time-unit", value, "s, ms, us or ns");
}

static int either(const char *option, const char *value, const char *no, const char *yes, int *ret) {
  if (strcmp(value, no) != 0 && strcmp(value, yes) != 0) {
    fprintf(stderr, "backtest: --%s must be %s or %s, not '%s'\n", option, no, yes, value);
    return -1;
  }
  *ret = strcmp(value, yes) == 0;
  return 0;
}

enum { O_HPA = 1, O_TRACE, O_POLICY, O_HTML, O_JSON, O_COLUMN, O_UNIT, O_BETWEEN, O_SKIP, O_CAPACITY, O_MEAN,
       O_METRIC, O_STARTUP, O_SIGNAL, O_LIMIT, O_BUDGET, O_SCORE, O_QUIET, O_HELP };
static const struct option options[] = {
    {"hpa", 1, 0, O_HPA}, {"trace", 1, 0, O_TRACE}, {"policy", 1, 0, O_POLICY}, {"html", 1, 0, O_HTML},
    {"json", 1, 0, O_JSON}, {"column", 1, 0, O_COLUMN}, {"time-unit", 1, 0, O_UNIT}, {"between", 1, 0, O_BETWEEN},
    {"skip-bad", 0, 0, O_SKIP}, {"capacity", 1, 0, O_CAPACITY}, {"mean-replicas", 1, 0, O_MEAN},
    {"metric", 1, 0, O_METRIC}, {"startup", 1, 0, O_STARTUP}, {"signal", 1, 0, O_SIGNAL}, {"limit", 1, 0, O_LIMIT},
    {"budget", 1, 0, O_BUDGET}, {"score-from", 1, 0, O_SCORE}, {"quiet", 0, 0, O_QUIET}, {"help", 0, 0, O_HELP}, {0, 0, 0, 0}};

static int take(wish *w, int option, const char *value) {
  int signal;
  switch (option) {
  case O_HPA: w->hpa = value; return 0;
  case O_TRACE: w->trace = value; return 0;
  case O_HTML: w->html = value; return 0;
  case O_JSON: w->json = value; return 0;
  case O_COLUMN: w->how.column = value; return 0;
  case O_SKIP: w->how.skip_bad = 1; return 0;
  case O_QUIET: w->quiet = 1; return 0;
  case O_POLICY: return add_policy(w, value);
  case O_UNIT: return time_unit(w, value);
  case O_BETWEEN: return either("between", value, "hold", "linear", &w->linear);
  case O_CAPACITY: return positive("capacity", value, 1e15, &w->capacity);
  case O_MEAN: return positive("mean-replicas", value, 1e6, &w->mean_replicas);
  case O_STARTUP:
    if (strcmp(value, "0") == 0) return w->model.startup_s = 0, 0;
    return positive("startup", value, 36000, &w->model.startup_s);
  case O_LIMIT: return positive("limit", value, 1, &w->model.limit);
  case O_BUDGET: return positive("budget", value, 0.5, &w->budget);
  case O_SCORE: return positive("score-from", value, 36500, &w->score_from_days);
  case O_SIGNAL:
    if (either("signal", value, "offered", "capped", &signal)) return -1;
    w->model.signal = signal ? REPLAY_CAPPED : REPLAY_OFFERED;
    return 0;
  case O_METRIC:
    if (!strchr(value, '=') || w->metrics == MANIFEST_METRICS) return wrong("metric", value, "NAME=FACTOR");
    w->metric[w->metrics++] = value;
    return 0;
  default: return -1;
  }
}

/* 0; 1: help was asked for; -1 after a complaint. */
static int arguments(int argc, char **argv, wish *w) {
  for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (o == O_HELP) return 1;
    if (o == '?' || take(w, o, optarg)) return -1;
  }
  if (optind < argc) return fprintf(stderr, "backtest: what is '%s'?\n", argv[optind]), -1;
  if (!w->hpa || !w->trace) return fprintf(stderr, "backtest: --hpa and --trace must be given\n"), -1;
  for (int i = 0; w->policies == 0 && i < policies_n; i++) w->policy[i] = policies[i];
  if (w->policies == 0) w->policies = policies_n;
  return 0;
}

/* How the load makes each metric of the manifest. */
static int factors(const wish *w, const manifest *m, double capacity, setup *s) {
  int used = 0;
  for (int i = 0; i < m->metrics; i++) {
    int utilisation = m->metric[i].target == TARGET_UTILIZATION;
    if (!utilisation) s->factor[i] = 1;
    else if (strcmp(m->metric[i].name, "cpu") == 0) s->factor[i] = capacity;
  }
  for (int k = 0; k < w->metrics; k++) {
    const char *equals = strchr(w->metric[k], '=');
    size_t length = (size_t)(equals - w->metric[k]);
    int found = 0;
    double factor;
    if (positive("metric", equals + 1, 1e15, &factor)) return -1;
    for (int i = 0; i < m->metrics; i++) {
      if (strlen(m->metric[i].name) != length || strncmp(m->metric[i].name, w->metric[k], length) != 0) continue;
      s->factor[i] = factor;
      found = 1;
    }
    if (!found) return wrong("metric", w->metric[k], "a metric of the manifest");
  }
  for (int i = 0; i < m->metrics; i++) {
    used += s->factor[i] > 0;
    if (s->factor[i] <= 0)
      fprintf(stderr, "left out: metric %s, the trace says nothing of it (--metric %s=LOAD says how the load makes it)\n",
              m->metric[i].name, m->metric[i].name);
  }
  if (used == 0) return fprintf(stderr, "backtest: no metric of %s is left\n", w->hpa), -1;
  return 0;
}

/* ---- a replay ---- */

typedef struct watcher {
  result *result;
  void *state;
  int32_t last;
  double tick_s;
  size_t ticks, bucket;
  int shown, quiet, at, of;
  struct timespec begun, told;
} watcher;

static double seconds_since(const struct timespec *t) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void progress(watcher *w, size_t done) {
  if (w->quiet || seconds_since(&w->begun) < 1 || seconds_since(&w->told) < 0.2) return;
  clock_gettime(CLOCK_MONOTONIC, &w->told);
  char bar[31];
  int full = (int)(30 * done / w->ticks);
  for (int i = 0; i < 30; i++) bar[i] = i < full ? '#' : '.';
  bar[30] = 0;
  fprintf(stderr, "\r%-18s %d/%d [%s] %3d %%", w->result->policy->name, w->at, w->of, bar, (int)(100 * done / w->ticks));
  fflush(stderr);
  w->shown = 1;
}

static void note(watcher *w, double time_s, int32_t replicas) {
  result *r = w->result;
  size_t bucket = (size_t)(time_s / w->tick_s) / w->bucket;
  char detail[200] = "";
  r->total++;
  /* In a long trace the last change of a bucket stands for those before it. */
  if (r->n > 0 && (size_t)(r->changes[r->n - 1].time_s / w->tick_s) / w->bucket == bucket && w->bucket > 1) {
    free(r->changes[--r->n].detail);
  } else if (r->n == r->room) {
    size_t room = r->room ? 2 * r->room : 256;
    change *more = realloc(r->changes, room * sizeof *more);
    if (!more) return;
    r->changes = more;
    r->room = room;
  }
  if (r->policy->detail) r->policy->detail(w->state, detail, sizeof detail);
  r->changes[r->n++] = (change){time_s, replicas, r->policy->why(w->state), *detail ? strdup(detail) : NULL};
}

static void each(void *ctx, const replay_step *step) {
  watcher *w = ctx;
  if (step->view->tick == 0 || step->replicas != w->last)
    note(w, (double)step->view->tick * w->tick_s, step->replicas);
  w->last = step->replicas;
  if (step->view->tick % 1024 == 0) progress(w, step->view->tick);
}

static int replay(const played *p, const policy_row *policy, int at, int of, int quiet, result *ret) {
  void *state = calloc(1, policy->bytes);
  if (!state) return fprintf(stderr, "backtest: no memory\n"), -1;
  *ret = (result){.policy = policy};
  int code = policy->make(state, p->setup, p->model, stderr);
  if (code == 0) {
    replay_policy as = {policy->name, state, NULL, policy->tick, NULL};
    watcher w = {.result = ret, .state = state, .tick_s = p->model->tick_s, .ticks = p->ticks, .at = at, .of = of,
                 .bucket = 1 + p->ticks / MAX_CHANGES, .quiet = quiet};
    clock_gettime(CLOCK_MONOTONIC, &w.begun);
    code = replay_run(p->model, p->load, p->ticks, &as, each, &w, &ret->score);
    if (w.shown) fprintf(stderr, "\r%78s\r", "");
    if (code) fprintf(stderr, "backtest: %s: the replay ended with %d\n", policy->name, code);
  }
  if (policy->end) policy->end(state);
  free(state);
  return code;
}

static int write_reports(const wish *w, const played *p, const result *results) {
  const char *const path[] = {w->json, w->html};
  for (int i = 0; i < 2; i++) {
    if (!path[i]) continue;
    errno = 0;
    if ((i == 0 ? report_json : report_html)(path[i], p, results, w->policies) != 0) {
      fprintf(stderr, "backtest: %s: %s\n", path[i], errno ? strerror(errno) : "not written");
      return -1;
    }
    printf("%s: %s\n", i == 0 ? "data" : "page", path[i]);
  }
  return 0;
}

static int run(wish *w, const manifest *hpa, const trace *t) {
  setup s = {.hpa = hpa, .budget = w->budget};
  result results[MAX_POLICIES] = {{0}};
  w->model.capacity = w->capacity > 0 ? w->capacity : trace_mean(t) / w->mean_replicas;
  w->model.min = hpa->min;
  w->model.max = hpa->max;
  played p = {w->trace, w->hpa, t, hpa, &s, &w->model, NULL, 0};
  if (!(w->model.capacity > 0)) return fprintf(stderr, "backtest: the load is 0 throughout: say --capacity\n"), -1;
  if (factors(w, hpa, w->model.capacity, &s)) return -1;
  p.ticks = trace_ticks(t, w->model.tick_s, w->linear, &p.load);
  if (p.ticks == 0) return fprintf(stderr, "backtest: no memory for so long a trace\n"), -1;
  double from = w->score_from_days * 86400 / w->model.tick_s;
  int code = from < (double)p.ticks ? 0 : wrong("score-from", "DAYS", "shorter than the trace");
  w->model.score_from = (size_t)from;
  s.load = p.load;
  s.ticks = p.ticks;
  int quiet = w->quiet || !isatty(STDERR_FILENO);
  for (int i = 0; code == 0 && i < w->policies; i++)
    code = replay(&p, w->policy[i], i + 1, w->policies, quiet, &results[i]);
  if (code == 0) {
    report_table(stdout, &p, results, w->policies);
    code = write_reports(w, &p, results);
  }
  for (int i = 0; i < w->policies; i++) {
    for (size_t k = 0; k < results[i].n; k++) free(results[i].changes[k].detail);
    free(results[i].changes);
  }
  free(p.load);
  return code;
}

int main(int argc, char **argv) {
  wish w = {.mean_replicas = 14, .budget = 0.01, .how = {.time_unit_s = 1, .complaints = stderr}, .model = replay_defaults()};
  manifest hpa;
  trace t;
  int code = arguments(argc, argv, &w);
  if (code > 0) return usage(stdout), 0;
  if (code < 0) return fprintf(stderr, "backtest --help lists the options\n"), 2;
  int bad = manifest_read(w.hpa, stderr, &hpa);
  if (trace_read(w.trace, &w.how, &t)) return 1;
  code = bad ? -1 : run(&w, &hpa, &t);
  trace_free(&t);
  return code ? 1 : 0;
}
