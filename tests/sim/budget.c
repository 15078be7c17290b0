/* SPDX-License-Identifier: MIT */
/* What a violation budget costs: against every baseline at equal violation.
 *
 *     budget [--full [--startup SECONDS] [--hold] [--capped] [--mean]]
 *
 * Loads are replayed by examples/backtest/replay.h: 14 replicas in the mean, 60 s of
 * start-up. The first half teaches, the second is scored. The budget is told nothing
 * but itself and the start-up time. A baseline is tuned in hindsight: its target is
 * the one that gives, on the scored half itself, the violation the budget had (the
 * line between two neighbours of a sweep). ratio = cost of the budget / cost of the
 * baseline; below 1 the budget is cheaper. "-": no target of the baseline does.
 *
 * --full reads the traces in the folder TRIMTAB_TRACES instead of making loads (or,
 * without it, makes longer ones); --hold takes a trace's values as lasting their step
 * instead of lines between them; --capped shows policies what was served; --mean
 * shows the budget what the baselines see, the mean of 30 s, instead of 15 s.
 *
 * In the end all is held against the goals (hold_goals); made loads must reach them. */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/budget.h>

#include "budget/baselines.h"
#include "budget/load.h"

#define MAX_LOADS 64
#define TARGETS 24

static struct {
  bool full, capped, mean;
  int32_t between;
  double startup_s;
} options = {.startup_s = 60};

static const int budgets_ppm[] = {10000, 3000};
enum { BUDGETS = sizeof budgets_ppm / sizeof *budgets_ppm };

/* ---- the budget as a policy ---- */

typedef struct player {
  ttb_budget b;
  double capacity;
  int ppm;
  uint32_t flags;
  uint64_t arms[TTB_BUDGET_ARMS];
} player;

static int32_t player_init(void *ctx, const replay_model *m) {
  player *p = ctx;
  ttb_budget_config c = TTB_CONFIG(ttb_budget_config);
  /* Loads are told in millionths of a replica, whatever the trace's unit. */
  c.replica_milli = 1000000;
  c.budget_ppm = p->ppm;
  c.startup_ms = (uint32_t)(m->startup_s * 1000);
  c.min_replicas = m->min;
  c.max_replicas = m->max;
  c.flags = p->flags | (m->signal == REPLAY_CAPPED ? TTB_BUDGET_CAPPED : 0);
  p->capacity = m->capacity;
  return ttb_budget_new(&p->b, &c, NULL);
}

static int32_t player_tick(void *ctx, const replay_view *v) {
  player *p = ctx;
  ttb_budget_sample s = TTB_CONFIG(ttb_budget_sample);
  ttb_budget_decision d = TTB_CONFIG(ttb_budget_decision);
  s.load_milli = (int64_t)((options.mean ? v->load : v->newest) / p->capacity * 1000000);
  s.current = v->current;
  s.serving = v->serving;
  int32_t code = ttb_budget_tick(&p->b, 0, &s, v->now_ns, &d);
  if (code < 0) return code;
  p->arms[d.arm]++;
  return d.desired;
}

static replay_model model_of(const sim_load *l) {
  replay_model m = replay_defaults();
  m.startup_s = options.startup_s;
  m.signal = options.capped ? REPLAY_CAPPED : REPLAY_OFFERED;
  m.capacity = replay_capacity_for(l->load, l->ticks, 14);
  m.score_from = l->ticks / 2;
  return m;
}

static replay_score run(const replay_model *m, const sim_load *l, const replay_policy *p) {
  replay_score s;
  int32_t code = replay_run(m, l->load, l->ticks, p, NULL, NULL, &s);
  if (code < 0) {
    printf("%s on %s: %s\n", p->name, l->name, ttb_errname(code));
    exit(1);
  }
  return s;
}

static replay_score play(const sim_load *l, int ppm, uint32_t flags, int *ret_arm) {
  static player p;
  p = (player){.ppm = ppm, .flags = flags};
  replay_model m = model_of(l);
  replay_policy policy = {.name = "budget", .ctx = &p, .init = player_init, .tick = player_tick};
  replay_score s = run(&m, l, &policy);
  ttb_budget_free(&p.b);
  *ret_arm = 0;
  for (int i = 1; i < TTB_BUDGET_ARMS; i++)
    if (p.arms[i] > p.arms[*ret_arm]) *ret_arm = i;
  return s;
}

/* ---- baselines, swept ---- */

typedef struct sweep {
  double violation[TARGETS], cost[TARGETS], learned[TARGETS], actions[TARGETS];
} sweep;

static double target_of(int i) { return 0.06 + 0.04 * i; }

/* The violation of the first half alone, to tune without hindsight. */
static double taught(baseline *b, const baseline_kind *kind, double target, const sim_load *l) {
  replay_model m = model_of(l);
  sim_load first = *l;
  m.score_from = 0;
  first.ticks = l->ticks / 2;
  replay_policy p = baseline_policy(b, kind, target);
  replay_score s = run(&m, &first, &p);
  baseline_end(b);
  return s.violation;
}

static void sweep_of(const sim_load *l, const baseline_kind *kind, sweep *ret, bool learn) {
  static baseline b;
  replay_model m = model_of(l);
  for (int i = 0; i < TARGETS; i++) {
    replay_policy p = baseline_policy(&b, kind, target_of(i));
    replay_score s = run(&m, l, &p);
    baseline_end(&b);
    ret->violation[i] = s.violation, ret->cost[i] = s.cost, ret->actions[i] = s.actions_a_day;
    ret->learned[i] = learn ? taught(&b, kind, target_of(i), l) : 0;
  }
}

/* The least a baseline costs at a violation; 0: it cannot. */
static double cost_at(const sweep *w, double violation) {
  double best = 0;
  for (int i = 0; i < TARGETS; i++) {
    double cost = 0;
    if (w->violation[i] <= violation) cost = w->cost[i];
    for (int j = i - 1; j <= i + 1; j += 2) {
      if (j < 0 || j >= TARGETS || w->violation[i] > violation || w->violation[j] <= violation) continue;
      double part = (violation - w->violation[i]) / (w->violation[j] - w->violation[i]);
      double between = w->cost[i] + part * (w->cost[j] - w->cost[i]);
      if (between < cost) cost = between;
    }
    if (cost > 0 && (best == 0 || cost < best)) best = cost;
  }
  return best;
}

/* The cheapest target that kept the budget in the first half; -1: none did. */
static int tuned(const sweep *w, double budget) {
  int best = -1;
  for (int i = 0; i < TARGETS; i++)
    if (w->learned[i] <= budget && (best < 0 || w->cost[i] < w->cost[best])) best = i;
  return best;
}

/* ---- the table ---- */

typedef struct result {
  replay_score budget;
  double ratio[BASELINES]; /* 0: the baseline cannot */
  double to_tuned_hpa;     /* cost to that of the HPA tuned on the first half */
} result;

static void tabulate(const sim_load *loads, int n, result (*r)[BUDGETS]) {
  printf("%-28s %6s %7s %6s %6s %6s %5s |", "load", "budget", "violat", "cost", "action", "flips",
         "arm");
  for (int k = 0; k < BASELINES; k++) printf(" %-12s", baseline_kinds[k].name);
  printf(" | tuned hpa: violat, ratio of cost\n");
  for (int i = 0; i < n; i++) {
    static sweep w[BASELINES];
    for (int k = 0; k < BASELINES; k++) sweep_of(&loads[i], &baseline_kinds[k], &w[k], k == 0);
    for (int g = 0; g < BUDGETS; g++) {
      int arm;
      double budget = budgets_ppm[g] / 1e6;
      result *x = &r[i][g];
      x->budget = play(&loads[i], budgets_ppm[g], 0, &arm);
      printf("%-28.28s %5.2f%% %6.3f%% %6.3f %6.0f %6.0f %5d |", loads[i].name, 100 * budget,
             100 * x->budget.violation, x->budget.cost, x->budget.actions_a_day,
             x->budget.flips_a_day, arm);
      for (int k = 0; k < BASELINES; k++) {
        double cost = cost_at(&w[k], x->budget.violation);
        x->ratio[k] = cost > 0 ? x->budget.cost / cost : 0;
        if (cost > 0) printf(" %-12.3f", x->ratio[k]);
        else printf(" %-12s", "-");
      }
      int t = tuned(&w[0], budget);
      x->to_tuned_hpa = t >= 0 ? x->budget.cost / w[0].cost[t] : 0;
      if (t >= 0) printf(" | %6.3f%% %.3f\n", 100 * w[0].violation[t], x->to_tuned_hpa);
      else printf(" | -\n");
      fflush(stdout);
    }
  }
}

typedef struct summary {
  double violation, worst, actions, most_actions, cost, ratio[BASELINES], worst_ratio;
} summary;

static summary sum_up(int n, result (*r)[BUDGETS], int g) {
  summary s = {.cost = 0};
  for (int i = 0; i < n; i++) {
    const replay_score *x = &r[i][g].budget;
    s.violation += x->violation / n;
    s.actions += x->actions_a_day / n;
    s.cost += log(x->cost) / n;
    if (x->violation > s.worst) s.worst = x->violation;
    if (x->actions_a_day > s.most_actions) s.most_actions = x->actions_a_day;
  }
  s.cost = exp(s.cost);
  for (int k = 0; k < BASELINES; k++) {
    double sum = 0;
    int counted = 0;
    for (int i = 0; i < n; i++)
      if (r[i][g].ratio[k] > 0) sum += log(r[i][g].ratio[k]), counted++;
    s.ratio[k] = counted ? exp(sum / counted) : 0;
    if (s.ratio[k] > s.worst_ratio) s.worst_ratio = s.ratio[k];
  }
  return s;
}

static void print_summary(const summary *s, int g) {
  printf("\nbudget %.2f %%: violation %.3f %% in the mean, %.3f %% at worst; actions a day %.0f, at "
         "most %.0f; cost %.3f\n", budgets_ppm[g] / 1e4, 100 * s->violation, 100 * s->worst,
         s->actions, s->most_actions, s->cost);
  printf("  ratio at equal violation, geometric mean:");
  for (int k = 0; k < BASELINES; k++) printf(" %s %.3f", baseline_kinds[k].name, s->ratio[k]);
  printf("\n");
}

/* A forecast of something that has no profile must cost next to nothing. */
static double shuffled_cost(const sim_load *loads, int n, int ppm) {
  double worst = 0;
  printf("\nforecast: cost with it / without it, at %.2f %%\n", ppm / 1e4);
  for (int i = 0; i < n; i++) {
    int arm;
    sim_load s = sim_load_shuffled(&loads[i]);
    replay_score plain = play(&loads[i], ppm, TTB_BUDGET_NO_FORECAST, &arm);
    replay_score with = play(&loads[i], ppm, 0, &arm);
    replay_score lost = play(&s, ppm, 0, &arm), none = play(&s, ppm, TTB_BUDGET_NO_FORECAST, &arm);
    double ratio = lost.cost / none.cost;
    printf("  %-28.28s %.4f (violation %.3f %% / %.3f %%); shuffled %.4f (%.3f %% / %.3f %%)\n",
           loads[i].name, with.cost / plain.cost, 100 * with.violation, 100 * plain.violation, ratio,
           100 * lost.violation, 100 * none.violation);
    if (ratio > worst) worst = ratio;
    free(s.load);
  }
  return worst;
}

static int goal(const char *what, double got, double most) {
  if (got <= most) return 0;
  printf("MISSED %s: %.4f, the goal is %.4f\n", what, got, most);
  return 1;
}

static int hold_goals(const summary *s, int g) {
  double budget = budgets_ppm[g] / 1e6;
  return goal("violation in the mean", s->violation, budget + 0.001) +
         goal("violation at worst", s->worst, 1.5 * budget) +
         goal("actions a day", s->most_actions, 450) + goal("ratio to a baseline", s->worst_ratio, options.full ? 0.9 : 0.95);
}

/* ---- loads ---- */

static int by_name(const void *a, const void *b) {
  return strcmp(((const sim_load *)a)->name, ((const sim_load *)b)->name);
}

static int read_folder(const char *folder, sim_load *loads) {
  DIR *d = opendir(folder);
  int n = 0;
  if (!d) return 0;
  for (struct dirent *e = readdir(d); e && n < MAX_LOADS; e = readdir(d)) {
    char path[4096];
    size_t length = strlen(e->d_name);
    if (length < 5 || strcmp(e->d_name + length - 4, ".csv") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    loads[n] = sim_load_read(path, options.between);
    n += loads[n].ticks > 0;
  }
  closedir(d);
  qsort(loads, (size_t)n, sizeof *loads, by_name);
  return n;
}

int main(int argc, char **argv) {
  static sim_load loads[MAX_LOADS];
  static result results[MAX_LOADS][BUDGETS];
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--full") == 0) options.full = true;
    else if (strcmp(argv[i], "--capped") == 0) options.capped = true;
    else if (strcmp(argv[i], "--mean") == 0) options.mean = true;
    else if (strcmp(argv[i], "--hold") == 0) options.between = REPLAY_HOLD;
    else if (strcmp(argv[i], "--startup") == 0 && i + 1 < argc) options.startup_s = strtod(argv[++i], NULL);
    else return fprintf(stderr, "budget: unknown option %s\n", argv[i]), 2;
  }
  const char *folder = options.full ? getenv("TRIMTAB_TRACES") : NULL;
  int n = folder ? read_folder(folder, loads) : 0;
  if (folder && n == 0) return fprintf(stderr, "budget: no traces in %s\n", folder), 1;
  if (!folder)
    for (n = 0; n < SIM_LOADS; n++) loads[n] = sim_load_make(n, options.full ? 60 : 14);

  tabulate(loads, n, results);
  int missed = 0;
  for (int g = 0; g < BUDGETS; g++) {
    summary s = sum_up(n, results, g);
    print_summary(&s, g);
    missed += hold_goals(&s, g);
  }
  missed += goal("cost of a useless forecast", shuffled_cost(loads, n, 10000), 1.01);
  printf("%d goals missed\n", missed);
  for (int i = 0; i < n; i++) free(loads[i].load);
  return missed > 0 && !options.full;
}
