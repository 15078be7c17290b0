/* SPDX-License-Identifier: MIT */
/* trimtab's side of the comparison: the loop is in C, as a C program has it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trimtab/balancer.h>

typedef struct driver {
  ttb_balancer shared, mine;
} driver;

driver *peer_make(uint32_t algorithm, uint32_t n);
int64_t peer_turns(driver *d, uint64_t n, uint64_t now_ns, uint64_t step_ns);
void peer_end(driver *d);
uint64_t peer_cpu_ns(void);
uint32_t peer_algorithm(const char *name);

uint32_t peer_algorithm(const char *name) {
  if (strcmp(name, "two choices") == 0) return TTB_BALANCER_TWO_CHOICES;
  if (strcmp(name, "peak EWMA") == 0) return TTB_BALANCER_PEAK_EWMA;
  return 0;
}

driver *peer_make(uint32_t algorithm, uint32_t n) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  driver *d = calloc(1, sizeof *d);
  ttb_endpoint *list = calloc(n, sizeof *list);
  if (!d || !list || algorithm == 0) return NULL;
  c.algorithm = algorithm, c.capacity = n;
  for (uint32_t i = 0; i < n; i++) {
    list[i] = TTB_CONFIG(ttb_endpoint);
    list[i].id = i + 1;
  }
  if (ttb_balancer_new(&d->shared, &c, NULL) < 0 || ttb_balancer_join(&d->shared, 1, &d->mine) < 0 ||
      ttb_balancer_update(&d->mine, list, n, NULL) < 0)
    return NULL;
  free(list);
  return d;
}

int64_t peer_turns(driver *d, uint64_t n, uint64_t now_ns, uint64_t step_ns) {
  int64_t worst = 0;
  for (uint64_t i = 0; i < n; i++, now_ns += step_ns) {
    int64_t t = ttb_balancer_acquire(&d->mine, 0, now_ns);
    if (t < 0) return t;
    if (ttb_balancer_report(&d->mine, t, TTB_SUCCESS, step_ns, now_ns) < 0) worst = -1;
  }
  return worst;
}

void peer_end(driver *d) {
  ttb_balancer_free(&d->mine);
  ttb_balancer_free(&d->shared);
  free(d);
}

uint64_t peer_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
