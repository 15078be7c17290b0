/* SPDX-License-Identifier: MIT */
/* The loads of load.h. Values are requests a second around 1000; each load has
 * something that is hard for somebody. Sines are made by recurrence and noise from
 * integers, so that a table does not hang on a C library's last digit. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 5760 /* ticks */

typedef struct dice {
  uint64_t state;
} dice;

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t roll(dice *d) {
  uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}
static double unit(dice *d) { return (double)(roll(d) >> 11) / 9007199254740992.0; }
/* About normal: mean 0, deviation 1. */
static double noise(dice *d) {
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += unit(d);
  return sum;
}

/* -1..1 over a period of 1, without libm: a parabola a half, as good as a sine here. */
static double wave(double phase) {
  double x = phase - (double)(long)phase, h = x < 0.5 ? x : x - 0.5, y = 16 * h * (0.5 - h);
  return x < 0.5 ? y : -y;
}

static double diurnal(size_t k) { return 1 + 0.6 * wave((double)k / DAY - 0.3); }

static double make_diurnal(size_t k, dice *d, double *s) {
  s[0] += 0.02 * (noise(d) * 0.25 - s[0]);
  return diurnal(k) * (1 + s[0]);
}
static double make_weekly(size_t k, dice *d, double *s) {
  size_t day = k / DAY % 7;
  double work = day < 5 ? 1 : 0.45, lunch = k % DAY > DAY / 2 && k % DAY < DAY / 2 + 240 ? 1.25 : 1;
  s[0] += 0.1 * (noise(d) * 0.12 - s[0]);
  return work * lunch * diurnal(k) * (1 + s[0]);
}
/* Bursts of 2 to 20 minutes that rise within one. */
static double make_bursts(size_t k, dice *d, double *s) {
  if (s[1] <= 0 && unit(d) < 1.0 / 360) s[1] = 8 + 72 * unit(d), s[2] = 0.5 + 2 * unit(d) * unit(d);
  s[0] += ((s[1] > 0 ? s[2] : 0) - s[0]) / 4, s[1] -= 1;
  return (diurnal(k) * 0.5 + 0.5) * (1 + s[0]) * (1 + 0.05 * noise(d));
}
static double make_steps(size_t k, dice *d, double *s) {
  if (k == 0 || unit(d) < 1.0 / 720) s[0] = 0.3 + 2 * unit(d) * unit(d);
  return s[0] * (1 + 0.02 * noise(d));
}
static double make_noise(size_t k, dice *d, double *s) {
  (void)k, (void)s;
  return 1 + 0.12 * noise(d);
}
/* A quiet service that is talked about every other day. */
static double make_flash(size_t k, dice *d, double *s) {
  if (s[1] < 0.01 && unit(d) < 1.0 / (2 * DAY)) s[1] = 3 + 5 * unit(d), s[0] = 0.02;
  s[0] += s[0] > 0 ? (s[1] - s[0]) / 20 : 0, s[1] *= 0.995;
  return diurnal(k) * (1 + s[0]) * (1 + 0.03 * noise(d));
}
/* A new value every five minutes and a line between them, as monitoring keeps it. */
static double make_sampled(size_t k, dice *d, double *s) {
  if (k % 20 == 0) {
    s[0] = s[1];
    s[2] += 0.1 * (1 - s[2]) + 0.15 * noise(d);
    if (s[2] < 0.1) s[2] = 0.1;
    s[1] = s[2] * (unit(d) < 0.05 ? 1 + 3 * unit(d) : 1);
  }
  return s[0] + (s[1] - s[0]) * (double)(k % 20) / 20;
}
/* Jobs on the hour, and more of them at night. */
static double make_jobs(size_t k, dice *d, double *s) {
  size_t in = k % 240, hour = k / 240 % 24;
  double job = in < 40 ? (hour < 6 ? 2.5 : 0.8) * (in < 8 ? (double)(in + 1) / 8 : 1) : 0;
  s[0] += 0.05 * (noise(d) * 0.2 - s[0]);
  return (1 + job) * (1 + s[0]);
}

static const struct {
  const char *name;
  double (*make)(size_t k, dice *d, double *s);
} makers[SIM_LOADS] = {
    {"diurnal", make_diurnal}, {"weekly", make_weekly}, {"bursts", make_bursts},
    {"steps", make_steps},     {"noise", make_noise},   {"flash", make_flash},
    {"sampled", make_sampled}, {"jobs", make_jobs},
};

sim_load sim_load_make(int i, int days) {
  sim_load l = {.ticks = (size_t)days * DAY};
  dice d = {.state = (uint64_t)i * 1000 + 1};
  double s[3] = {0, 0, 0};
  snprintf(l.name, sizeof l.name, "%s", makers[i].name);
  l.load = malloc(l.ticks * sizeof *l.load);
  if (!l.load) abort();
  for (size_t k = 0; k < l.ticks; k++) {
    double x = 1000 * makers[i].make(k, &d, s);
    l.load[k] = x > 0 ? x : 0;
  }
  return l;
}

sim_load sim_load_read(const char *path, int32_t between) {
  sim_load l = {.ticks = 0};
  FILE *f = fopen(path, "r");
  char line[256];
  double step = 0, *value = NULL;
  size_t n = 0, room = 0;
  if (!f) return l;
  const char *name = strrchr(path, '/');
  snprintf(l.name, sizeof l.name, "%.*s", (int)strcspn(name ? name + 1 : path, "."), name ? name + 1 : path);
  while (fgets(line, sizeof line, f)) {
    const char *at = strstr(line, "step_s=");
    if (at) step = strtod(at + 7, NULL);
    if (line[0] == '#' || line[0] == '\n') continue;
    if (n == room) {
      room = room ? 2 * room : 4096;
      value = realloc(value, room * sizeof *value);
      if (!value) abort();
    }
    value[n++] = strtod(line, NULL);
  }
  fclose(f);
  l.ticks = replay_resample(value, n, step, 15, between, &l.load);
  free(value);
  return l;
}

sim_load sim_load_shuffled(const sim_load *from) {
  sim_load l = *from;
  const size_t block = DAY / 4, blocks = from->ticks / block;
  dice d = {.state = 7};
  size_t *order = malloc((blocks + 1) * sizeof *order);
  l.load = malloc(l.ticks * sizeof *l.load);
  if (!l.load || !order) abort();
  memcpy(l.load, from->load, l.ticks * sizeof *l.load);
  for (size_t i = 0; i < blocks; i++) order[i] = i;
  for (size_t i = blocks; i > 1; i--) {
    size_t j = (size_t)(roll(&d) % i), was = order[i - 1];
    order[i - 1] = order[j], order[j] = was;
  }
  for (size_t i = 0; i < blocks; i++)
    memcpy(l.load + i * block, from->load + order[i] * block, block * sizeof *l.load);
  free(order);
  return l;
}
