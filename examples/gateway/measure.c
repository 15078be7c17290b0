/* SPDX-License-Identifier: MIT */
/* Clock, random numbers and latency histogram; see measure.h. */
#include "measure.h"

#include <math.h>
#include <time.h>

uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t random_next(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

double random_unit(uint64_t *state) { return (double)(random_next(state) >> 11) * 0x1.0p-53; }

double random_exp(uint64_t *state) { return -log1p(-random_unit(state)); }

static const double hist_first_ms = 0.05;
static const double hist_ratio = 1.03;

void hist_add(histogram *h, double ms) {
  double i = ms > hist_first_ms ? log(ms / hist_first_ms) / log(hist_ratio) : 0.0;
  uint32_t bin = i >= HIST_BINS - 1 ? HIST_BINS - 1 : (uint32_t)i;
  h->bin[bin]++;
  h->count++;
}

void hist_merge(histogram *into, const histogram *from) {
  for (int i = 0; i < HIST_BINS; i++) into->bin[i] += from->bin[i];
  into->count += from->count;
}

double hist_quantile(const histogram *h, double q) {
  if (h->count == 0) return 0.0;
  uint64_t want = (uint64_t)ceil(q * (double)h->count);
  if (want == 0) want = 1;
  uint64_t seen = 0;
  int i = 0;
  for (; i < HIST_BINS - 1; i++) {
    seen += h->bin[i];
    if (seen >= want) break;
  }
  return hist_first_ms * pow(hist_ratio, (double)i + 0.5);
}
