/* SPDX-License-Identifier: MIT */
/* trimtab's side of the comparison: the loop is in C, as a C program has it. */
#include <string.h>
#include <time.h>
#include <trimtab/balancer.h>

typedef struct driver {
  ttb_balancer shared, mine;
} driver;

int32_t peer_make(driver *d, uint32_t algorithm, uint32_t n);
int64_t peer_turns(driver *d, uint64_t n, uint64_t now_ns, uint64_t step_ns);
void peer_end(driver *d);
uint64_t peer_cpu_ns(void);
uint32_t peer_algorithm(const char *name);

uint32_t peer_algorithm(const char *name) {
  if (strcmp(name, "two choices") == 0) return TTB_BALANCER_TWO_CHOICES;
#ifdef TTB_BALANCER_PEAK_EWMA
  if (strcmp(name, "peak EWMA") == 0) return TTB_BALANCER_PEAK_EWMA;
#endif
  return 0;
}

int32_t peer_make(driver *d, uint32_t algorithm, uint32_t n) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = algorithm, c.capacity = n;
  if (ttb_balancer_new(&d->shared, &c, NULL) < 0) return -1;
  if (ttb_balancer_join(&d->shared, 1, &d->mine) < 0) return -1;
  for (uint32_t i = 0; i < n; i++) {
    ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
    e.id = i + 1;
    if (ttb_balancer_add(&d->mine, &e) < 0) return -1;
  }
  return 0;
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
}

uint64_t peer_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
