/* SPDX-License-Identifier: MIT */
/* explore: runs the harnesses, or proves that they bite.
 *
 *   explore [--deep] [NAME...]       a line a harness, then "N passed, N failed"
 *   explore --mutations [NAME...]    a line a mutation, the same ending
 *   explore --mutate FILE:LINE [NAME...]   with this order relaxed: shows the trace
 *   explore --list
 *
 * A mutation weakens one order of the library to relaxed, or lets a "newest"
 * read be a plain load, or breaks the logic of a harness. It passes if some
 * harness fails under it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "harnesses.h"
#include "model.h"

#define EX_ROW(name) &name,
static const ex_harness *const harnesses[] = {EX_HARNESSES(EX_ROW)};
#define HARNESSES (sizeof harnesses / sizeof harnesses[0])
_Static_assert(HARNESSES <= 64, "a bit each in ex_site.met");

static bool deep;
static bool chosen[HARNESSES];
static uint32_t passed, failed;

static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

static ex_result run(const ex_harness *h, const char *logic) {
  ex_limits limits = {.bound = deep ? h->deep_bound : h->bound, .logic = logic};
  return ex_explore(h, &limits);
}

/* ---- plain runs ---- */

static void run_all(void) {
  for (size_t i = 0; i < HARNESSES; i++) {
    if (!chosen[i]) continue;
    double start = seconds();
    ex_result r = run(harnesses[i], NULL);
    printf("%-14s %9llu states %9llu executions %8llu ends  %-8s %5.1f s  %s\n", harnesses[i]->name,
           (unsigned long long)r.states, (unsigned long long)r.executions,
           (unsigned long long)r.ends, r.bounded ? "bounded" : "complete", seconds() - start,
           r.failed ? "FAILED" : harnesses[i]->what);
    if (r.failed) {
      printf("  %s\n", r.failed);
      ex_print_trace(stdout);
    }
    r.failed ? failed++ : passed++;
    fflush(stdout);
  }
}

/* ---- mutations ---- */

static const char *describe(const ex_site *s) {
  static const char *const kinds[] = {"load", "store", "add", "and", "or", "cas"};
  static char text[64];
  const char *order = s->order == memory_order_acquire   ? "acquire"
                      : s->order == memory_order_release ? "release"
                      : s->order == memory_order_acq_rel ? "acq_rel"
                                                         : "relaxed";
  snprintf(text, sizeof text, "%s %s", order, s->identity ? "newest" : kinds[s->kind]);
  return text;
}

/* Orders that C11 asks for and no execution here can show the lack of: in the model
 * read-modify-writes take place one after the other, in C11 relaxed ones of two
 * words need not; nor does a load here read what is stored after it. */
static const struct {
  const char *file, *what;
} beyond[] = {
    {"lib/base/keys.c", "release newest"}, /* put and alone: each writes one word, reads the other */
    {"lib/balancer/eligibility.c", "acq_rel cas"}, /* word and bitmap */
    {"lib/health/outlier_room.c", "acquire load"}, /* of the epoch: a load of what is stored later, */
    {"lib/health/outlier_count.c", "release cas"}, /* by who saw what this caller stores after it */
    {"lib/limiter/permit.c", "acquire newest"},    /* permit and bit */
    {"lib/limiter/permit.c", "acquire cas"},
};

static bool is_beyond(const ex_site *s, const char *what) {
  for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
    if (strcmp(s->file, beyond[i].file) == 0 && strcmp(what, beyond[i].what) == 0) return true;
  return false;
}

/* Runs the harnesses that come by this site until one fails, and says which. */
static void judge(const ex_site *s, const char *where, const char *what, const char *instead) {
  for (size_t i = 0; i < HARNESSES; i++) {
    if (!(s->met >> i & 1)) continue;
    ex_result r = run(harnesses[i], NULL);
    if (!r.failed) continue;
    printf("%-24s %-16s -> %-10s caught by %s: %s\n", where, what, instead, harnesses[i]->name,
           r.failed);
    passed++;
    return;
  }
  bool cannot = strcmp(instead, "relaxed") == 0 && is_beyond(s, what);
  printf("%-24s %-16s -> %-10s %s\n", where, what, instead,
         cannot ? "cannot be shown here" : "NOT CAUGHT");
  failed += !cannot;
}

static void mutate_site(ex_site *s) {
  char where[128];
  if (strncmp(s->file, "lib/", 4) != 0) return; /* a harness' own */
  snprintf(where, sizeof where, "%s:%d", s->file, s->line);
  if (s->order != memory_order_relaxed) {
    s->weak = true;
    judge(s, where, describe(s), "relaxed");
    s->weak = false;
  }
  if (s->identity) {
    s->plain = true;
    judge(s, where, describe(s), "plain load");
    s->plain = false;
  }
}

static void mutate_logic(const ex_harness *h) {
  for (uint32_t k = 0; k < EX_LOGIC && h->logic[k]; k++) {
    ex_result r = run(h, h->logic[k]);
    printf("%-24s %-16s -> %-10s %s%s\n", h->name, "logic", h->logic[k],
           r.failed ? "caught: " : "NOT CAUGHT", r.failed ? r.failed : "");
    r.failed ? passed++ : failed++;
  }
}

static int by_place(const void *a, const void *b) {
  const ex_site *x = *(ex_site *const *)a, *y = *(ex_site *const *)b;
  int files = strcmp(x->file, y->file);
  return files ? files : x->line - y->line;
}

/* A first run finds the sites, and who comes by them. */
static uint32_t find_sites(ex_site **sites) {
  for (size_t i = 0; i < HARNESSES; i++) {
    ex_site_mark = UINT64_C(1) << i;
    if (chosen[i]) (void)run(harnesses[i], NULL);
  }
  ex_site_mark = 0;
  for (uint32_t i = 0; i < ex_site_count; i++) sites[i] = &ex_sites[i];
  qsort(sites, ex_site_count, sizeof *sites, by_place);
  return ex_site_count;
}

static void run_mutations(void) {
  static ex_site *sites[EX_SITES];
  uint32_t n = find_sites(sites);
  for (uint32_t i = 0; i < n; i++) mutate_site(sites[i]);
  for (size_t i = 0; i < HARNESSES; i++)
    if (chosen[i]) mutate_logic(harnesses[i]);
}

/* Weakens all sites at "file:line" and runs as ever: shows how it fails. */
static bool run_mutated(const char *place) {
  static ex_site *sites[EX_SITES];
  uint32_t n = find_sites(sites), hits = 0;
  for (uint32_t i = 0; i < n; i++) {
    char where[128];
    snprintf(where, sizeof where, "%s:%d", sites[i]->file, sites[i]->line);
    const char *end = strstr(where, place);
    if (!end || end[strlen(place)] != '\0') continue;
    sites[i]->weak = true;
    sites[i]->plain = sites[i]->order == memory_order_relaxed && sites[i]->identity;
    hits++;
  }
  if (hits == 0) fprintf(stderr, "explore: no access at %s was met\n", place);
  if (hits > 0) run_all();
  return hits > 0;
}

/* ---- the command line ---- */

static int usage(void) {
  fprintf(stderr,
          "usage: explore [--deep] [--mutations | --mutate FILE:LINE | --list] [NAME...]\n");
  return 2;
}

static bool choose(const char *name) {
  bool known = false;
  for (size_t i = 0; i < HARNESSES; i++)
    if (strcmp(harnesses[i]->name, name) == 0) known = chosen[i] = true;
  return known;
}

int main(int argc, char **argv) {
  bool mutations = false, any = false;
  const char *place = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--deep") == 0)
      deep = true;
    else if (strcmp(argv[i], "--mutations") == 0)
      mutations = true;
    else if (strcmp(argv[i], "--mutate") == 0 && i + 1 < argc)
      place = argv[++i];
    else if (strcmp(argv[i], "--list") == 0) {
      for (size_t k = 0; k < HARNESSES; k++)
        printf("%-14s %s\n", harnesses[k]->name, harnesses[k]->what);
      return 0;
    } else if (choose(argv[i]))
      any = true;
    else
      return usage();
  }
  for (size_t i = 0; i < HARNESSES && !any; i++) chosen[i] = true;
  if (place && !run_mutated(place)) return 2;
  if (mutations) run_mutations();
  if (!place && !mutations) run_all();
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
