/* SPDX-License-Identifier: MIT */
/* The accumulator of pods against a plain reference, written after the
 * description of the HPA's replica calculator: it keeps every pod and every
 * sample in arrays, groups them, removes and adds samples as the controller does
 * with its map, and computes with double. */
#include <math.h>
#include <string.h>

#include <trimtab/autoscaler.h>

#include "check.h"

#define PODS 24

typedef struct world {
  uint32_t kind;
  bool cpu, old;
  int64_t target, now;
  double up, down;
  int n;
  ttb_pod pod[PODS];
} world;

enum { READY, UNREADY, MISSING, IGNORED, STRANGER };

static int group_of(const world *w, const ttb_pod *p) {
  if (p->flags & TTB_POD_UNLISTED) return STRANGER;
  if (p->flags & (TTB_POD_DELETED | TTB_POD_ENDED)) return IGNORED;
  if (p->flags & TTB_POD_PENDING) return UNREADY;
  if (!(p->flags & TTB_POD_SAMPLED)) return MISSING;
  if (!w->cpu) return READY;
  bool condition = p->flags & (TTB_POD_READY | TTB_POD_NOT_READY | TTB_POD_READY_UNKNOWN);
  bool not_ready = p->flags & TTB_POD_NOT_READY;
  if (!condition || !(p->flags & TTB_POD_STARTED)) return UNREADY;
  bool unready = p->start_ms + 300000 > w->now
                     ? not_ready || p->sample_ms < p->ready_changed_ms + p->window_ms
                     : not_ready && p->start_ms + 30000 > p->ready_changed_ms;
  return unready ? UNREADY : READY;
}

typedef struct entry {
  bool known; /* a pod of the list */
  int64_t value, request;
} entry;

/* False: no request to divide by. */
static bool ratio_of(const world *w, const entry *e, int n, double *ret, int64_t *shown) {
  int64_t s = 0, r = 0; /* values are below 2^40 */
  for (int i = 0; i < n; i++) {
    if (w->kind == TTB_PODS_UTILISATION && !e[i].known) continue;
    s += e[i].value;
    r += e[i].request;
  }
  if (w->kind == TTB_PODS_UTILISATION) {
    if (r <= 0) return false;
    int64_t percent = s * 100 / r;
    *shown = (percent > INT32_MAX ? INT32_MAX : percent) * 1000;
  } else {
    *shown = s / n;
  }
  *ret = (double)*shown / (double)w->target;
  return true;
}

static bool within(const world *w, double r) {
  if (w->old) return fabs(1.0 - r) <= (r > 1.0 ? w->up : w->down);
  return 1.0 - w->down <= r && r <= 1.0 + w->up;
}

static int64_t ceil32(double x) {
  x = ceil(x);
  return x >= 2147483647.0 ? INT32_MAX : x <= 0 ? 0 : (int64_t)x;
}

/* -1: no proposal. */
static int64_t propose(const world *w, int64_t current, int64_t *shown) {
  entry e[PODS];
  int n = 0, ready = 0, unready = 0, missing = 0, listed = 0, samples = 0, bare = 0;
  for (int i = 0; i < w->n; i++) {
    const ttb_pod *p = &w->pod[i];
    int g = group_of(w, p);
    bool sampled = p->flags & TTB_POD_SAMPLED, stranger = g == STRANGER;
    samples += sampled;
    listed += !stranger;
    bare += !stranger && !(p->flags & TTB_POD_REQUESTED);
    ready += g == READY;
    unready += g == UNREADY;
    missing += g == MISSING;
    if (sampled && (g == READY || stranger))
      e[n++] = (entry){!stranger, p->value_milli,
                       p->flags & TTB_POD_REQUESTED ? p->request_milli : 0};
  }
  if (samples == 0 || listed == 0 || n == 0) return -1;
  if (w->kind == TTB_PODS_UTILISATION && bare > 0) return -1;
  double r, second;
  int64_t ignored;
  if (!ratio_of(w, e, n, &r, shown)) return -1;
  bool up = unready > 0 && r > 1.0;
  if (!up && missing == 0) return within(w, r) ? current : ceil32(r * (double)ready);
  for (int i = 0; i < w->n; i++) {
    const ttb_pod *p = &w->pod[i];
    int g = group_of(w, p);
    int64_t request = p->flags & TTB_POD_REQUESTED ? p->request_milli : 0;
    int64_t most = w->target > 100000 ? w->target : 100000;
    int64_t fill = w->kind == TTB_PODS_UTILISATION
                       ? request * most / 100000
                       : w->target;
    if (g == MISSING && r != 1.0) e[n++] = (entry){true, r < 1.0 ? fill : 0, request};
    if (g == UNREADY && up) e[n++] = (entry){true, 0, request};
  }
  if (!ratio_of(w, e, n, &second, &ignored)) return -1;
  if (within(w, second) || (r < 1.0 && second > 1.0) || (r > 1.0 && second < 1.0)) return current;
  int64_t count = ceil32(second * (double)n);
  if ((second < 1.0 && count > current) || (second > 1.0 && count < current)) return current;
  return count;
}

static void draw(check *c, world *w) {
  static const uint32_t conditions[] = {0, TTB_POD_READY, TTB_POD_READY, TTB_POD_READY,
                                        TTB_POD_NOT_READY, TTB_POD_READY_UNKNOWN};
  static const int64_t starts[] = {0, 699999, 700000, 700001, 690000, 999000};
  w->kind = 1 + (uint32_t)check_below(c, 2);
  w->cpu = check_chance(c, 2, 3);
  w->old = check_chance(c, 1, 4);
  w->now = 1000000;
  w->target = w->kind == TTB_PODS_UTILISATION ? 1000 * check_between(c, 1, 250)
                                              : check_between(c, 1, 20000);
  w->n = (int)check_below(c, PODS + 1);
  for (int i = 0; i < w->n; i++) {
    ttb_pod *p = &w->pod[i];
    *p = TTB_CONFIG(ttb_pod);
    p->flags = conditions[check_below(c, 6)];
    if (check_chance(c, 9, 10)) p->flags |= TTB_POD_STARTED;
    if (check_chance(c, 9, 10)) p->flags |= TTB_POD_SAMPLED;
    if (check_chance(c, 99, 100)) p->flags |= TTB_POD_REQUESTED;
    if (check_chance(c, 1, 12)) p->flags |= TTB_POD_PENDING;
    if (check_chance(c, 1, 12)) p->flags |= TTB_POD_ENDED;
    if (check_chance(c, 1, 12)) p->flags |= TTB_POD_DELETED;
    if (check_chance(c, 1, 20)) p->flags |= TTB_POD_UNLISTED;
    p->value_milli = check_chance(c, 1, 8) ? check_between(c, 0, INT64_C(1) << 40)
                                           : check_between(c, 0, 3000);
    p->request_milli = check_chance(c, 1, 8) ? check_between(c, 0, INT64_C(1) << 40)
                                             : 250 * check_between(c, 0, 8);
    p->start_ms = starts[check_below(c, 6)];
    p->ready_changed_ms = p->start_ms + check_between(c, -1, 1) + 30000 * check_between(c, 0, 2);
    p->window_ms = 15000;
    p->sample_ms = p->ready_changed_ms + check_between(c, 14999, 15001);
  }
}

#if FLT_EVAL_METHOD == 2 && defined(__i386__)
/* The reference computes with double: let the x87 round to it. */
static void round_to_double(void) {
  unsigned short word;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  word = (unsigned short)((word & ~0x300) | 0x200);
  __asm__ volatile("fldcw %0" : : "m"(word));
}
#else
static void round_to_double(void) {}
#endif

int main(int argc, char **argv) {
  static const int32_t tolerances[] = {TTB_OFF, 10000, 100000, 360000};
  static world w;
  check c = check_start(argc, argv);
  round_to_double();
  check_property(&c, "pods one by one or together: the reference's proposal and value");
  while (check_step(&c)) {
    draw(&c, &w);
    ttb_autoscaler_metric m = TTB_CONFIG(ttb_autoscaler_metric);
    ttb_autoscaler_config config = TTB_CONFIG(ttb_autoscaler_config);
    ttb_pods_config pc = TTB_CONFIG(ttb_pods_config);
    ttb_autoscaler_sample s = TTB_CONFIG(ttb_autoscaler_sample);
    ttb_autoscaler_row row = TTB_CONFIG(ttb_autoscaler_row);
    ttb_autoscaler_decision d = TTB_CONFIG(ttb_autoscaler_decision);
    ttb_pods pods;
    ttb_autoscaler a;
    int32_t up = tolerances[check_below(&c, 4)], down = tolerances[check_below(&c, 4)];
    int32_t current = (int32_t)check_between(&c, 1, 30);
    w.up = up < 0 ? 0 : up / 1e6;
    w.down = down < 0 ? 0 : down / 1e6;
    m.kind = pc.kind = w.kind;
    m.target_milli = pc.target_milli = w.target;
    pc.flags = w.cpu ? TTB_PODS_CPU : 0;
    config.metrics = &m;
    config.metrics_n = 1;
    config.tolerance_up_ppm = up;
    config.tolerance_down_ppm = down;
    config.flags = w.old ? TTB_AUTOSCALER_OLD_TOLERANCE : 0;
    CHECK(&c, ttb_pods_start(&pods, &pc, w.now) == TTB_OK, "start");
    for (int i = 0; i < w.n;) { /* in pieces of any size */
      int piece = (int)check_between(&c, 1, w.n - i);
      CHECK(&c, ttb_pods_add(&pods, &w.pod[i], (uint32_t)piece) == TTB_OK, "add");
      i += piece;
    }
    s.pods = &pods;
    d.rows = &row;
    d.rows_n = 1;
    CHECK(&c, ttb_autoscaler_new(&a, &config, NULL) == TTB_OK, "new");
    int32_t code = ttb_autoscaler_evaluate(&a, 0, &s, 1, current, 1000000000, &d);
    ttb_autoscaler_free(&a);
    int64_t shown = 0, want = propose(&w, current, &shown);
    CHECK(&c, code == TTB_OK, "code %d", code);
    CHECK(&c, row.proposal == want, "proposal %d, reference %" PRId64 " (failure %d, ratio %" PRId64
          ", second %" PRId64 ")", row.proposal, want, row.failure, row.ratio_ppm, row.second_ppm);
    CHECK(&c, want < 0 || row.value_milli == shown, "value %" PRId64 ", reference %" PRId64,
          row.value_milli, shown);
  }
  return check_end(&c);
}
