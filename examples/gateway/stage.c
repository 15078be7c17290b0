/* SPDX-License-Identifier: MIT */
/* One run of the demo; see stage.h. All of it is one thread and one event loop:
 * the trimtab handles belong to it. */
#include "stage.h"

#include <errno.h>
#include <event2/event.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "admin.h"
#include "fleet.h"
#include "front.h"
#include "log.h"
#include "measure.h"
#include "probe.h"
#include "script.h"
#include "series.h"
#include "upstream.h"

enum { TICK_MS = 20, LOOK_MS = 100, GAUGE_MS = 250, SCALE_MS = 1000, CLOSE_LIMIT_MS = 4000 };

typedef struct stage {
  const stage_options *options;
  playbill *bill;
  struct event_base *base;
  event_log log;
  series *series;
  steer *steer;
  fleet fleet;
  front front;
  admin *admin;
  struct event *tick_timer, *sigterm, *sigint;
  uint64_t looked_ns, gauged_ns, scaled_ns, closing_ns;
  int phase;       /* -1: none */
  uint32_t victim; /* whom the phase hurts; 0: nobody */
  int stopping;
} stage;

static double t_ms(const stage *st, uint64_t now) { return log_ms(&st->log, now); }

/* A happening for both the log and the page. */
static void tell(stage *st, const char *kind, uint32_t id, const char *text) {
  uint64_t now = now_ns();
  log_event_at(&st->log, now, kind, "\"backend\":%u,\"why\":\"%s\"", id, text);
  series_event(st->series, t_ms(st, now), kind, id, text);
}

/* ---- the script ---- */

/* The n-th of the backends that work, by age; the last one if there are fewer. */
static backend *nth_ready(fleet *f, int n) {
  backend *found = NULL;
  uint32_t above = 0;
  for (; n >= 0; n--) {
    backend *next = NULL;
    for (int i = 0; i < STEER_MAX_BACKENDS; i++) {
      backend *b = f->member[i];
      if (b != NULL && b->life == LIFE_READY && b->id > above && (next == NULL || b->id < next->id))
        next = b;
    }
    if (next == NULL) break;
    found = next;
    above = next->id;
  }
  return found;
}

static void change_phase(stage *st, int next) {
  backend *b = st->victim != 0 ? fleet_find(&st->fleet, st->victim) : NULL;
  if (b != NULL && b->fault != FAULT_NONE) fleet_hurt(&st->fleet, b, FAULT_NONE);
  st->victim = 0;
  st->phase = next;
  uint64_t now = now_ns();
  log_event_at(&st->log, now, "phase", "\"phase\":%d,\"name\":\"%s\"", next,
               next >= 0 ? script[next].name : "end");
  series_phase(st->series, t_ms(st, now), next);
  if (next < 0 || script[next].fault == FAULT_NONE) return;
  b = nth_ready(&st->fleet, (int)script[next].fault - 1); /* each fault hits another one */
  if (b == NULL) return;
  st->victim = b->id;
  fleet_hurt(&st->fleet, b, script[next].fault);
}

static void play(stage *st, uint64_t now) {
  uint64_t begin = atomic_load(&st->bill->begin_ns);
  if (begin == 0 || now < begin || st->options->idle || st->stopping) return;
  double t = (double)(now - begin) / 1e9;
  if (st->options->loop) t = fmod(t, script_length_s());
  int phase = script_phase_at(t);
  if (phase != st->phase) change_phase(st, phase);
}

/* ---- what is looked at ten times a second ---- */

/* What the strip of a backend shows: what the gateway believes of it, unless it
 * is not in the set or plainly has no process. */
static enum show look_at(stage *st, const backend *b, uint64_t now) {
  if (b->life == LIFE_DRAINING) return SHOW_DRAINING;
  if (!b->in_set) return b->life == LIFE_DOWN ? SHOW_DOWN : SHOW_STARTING;
  switch (st->options->ops->state(st->steer, b->id, now)) {
    case STEER_EJECTED: return SHOW_EJECTED;
    case STEER_PROBING: return SHOW_PROBING;
    case STEER_DEGRADED: return b->life == LIFE_READY ? SHOW_DEGRADED : SHOW_DOWN;
    case STEER_HEALTHY: break;
  }
  return b->life == LIFE_READY ? SHOW_HEALTHY : SHOW_DOWN;
}

static void look(stage *st, uint64_t now) {
  for (int i = 0; i < STEER_MAX_BACKENDS; i++) {
    backend *b = st->fleet.member[i];
    if (b == NULL) continue;
    upstream_trim(b);
    enum show show = look_at(st, b, now);
    if ((int)show == b->shown) continue;
    b->shown = (int)show;
    log_event_at(&st->log, now, "state", "\"backend\":%u,\"state\":\"%s\"", b->id, show_name(show));
    series_state(st->series, t_ms(st, now), b->id, show);
  }
}

static void gauge(stage *st, uint64_t now) {
  int replicas = fleet_count(&st->fleet), ready = fleet_count_life(&st->fleet, LIFE_READY);
  double p99, errors;
  series_gauge(st->series, t_ms(st, now), replicas, ready, st->front.inflight);
  series_recent(st->series, t_ms(st, now), &p99, &errors);
  log_event_at(&st->log, now, "gauge", "\"replicas\":%d,\"ready\":%d,\"inflight\":%d", replicas,
               ready, st->front.inflight);
  atomic_store(&st->bill->replicas, replicas);
  atomic_store(&st->bill->inflight, st->front.inflight);
  atomic_store(&st->bill->p99_ms, (int)p99);
  atomic_store(&st->bill->errors, (int)errors);
}

static void scale(stage *st, uint64_t now) {
  int have = fleet_count(&st->fleet);
  steer_load load = {.replicas = have, .ready = fleet_count_life(&st->fleet, LIFE_READY)};
  steer_scale s = {0};
  front_load(&st->front, now, &load);
  st->options->ops->scale(st->steer, &load, now, &s);
  log_event_at(&st->log, now, "scale",
               "\"have\":%d,\"want\":%d,\"raw\":%d,\"inflight\":%.3f,\"per_second\":%.1f,"
               "\"why\":\"%s\"",
               have, s.want, s.raw, load.inflight, load.per_second, s.reason);
  if (s.want == have) return;
  char text[128];
  snprintf(text, sizeof text, "%d to %d: %s", have, s.want, s.reason);
  series_event(st->series, t_ms(st, now), s.want > have ? "scale-up" : "scale-down", 0, text);
  fleet_resize(&st->fleet, s.want);
}

/* ---- the clockwork ---- */

static void close_down(stage *st, uint64_t now) {
  if (!st->stopping) {
    st->stopping = 1;
    st->closing_ns = now;
    if (st->phase >= 0 || st->options->idle) change_phase(st, -1);
    front_stop_accepting(&st->front);
  }
  if (st->front.inflight == 0 && !st->fleet.closing) fleet_stop_all(&st->fleet);
  int left = 0;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++) left += st->fleet.member[i] != NULL;
  if ((st->front.inflight == 0 && left == 0) ||
      now - st->closing_ns > (uint64_t)CLOSE_LIMIT_MS * NS_PER_MS)
    event_base_loopbreak(st->base);
}

static int due(uint64_t *last, uint64_t now, int every_ms) {
  if (now - *last < (uint64_t)every_ms * NS_PER_MS) return 0;
  *last = now;
  return 1;
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  stage *st = arg;
  uint64_t now = now_ns();
  st->options->ops->tick(st->steer, now);
  steer_event e;
  while (st->options->ops->next_event(st->steer, &e)) tell(st, e.kind, (uint32_t)e.backend, e.why);
  if (atomic_load(&st->bill->port) == 0 &&
      fleet_count_life(&st->fleet, LIFE_READY) == st->options->steer.start_replicas) {
    st->scaled_ns = now;
    atomic_store(&st->bill->admin_port, st->admin != NULL ? admin_port(st->admin) : 0);
    atomic_store(&st->bill->port, st->front.port);
  }
  if (!st->stopping) probe_run(&st->fleet);
  play(st, now);
  if (due(&st->looked_ns, now, LOOK_MS)) look(st, now);
  if (due(&st->gauged_ns, now, GAUGE_MS)) gauge(st, now);
  if (!st->stopping && atomic_load(&st->bill->port) != 0 && due(&st->scaled_ns, now, SCALE_MS))
    scale(st, now);
  if (atomic_load(&st->bill->stop) || st->stopping) close_down(st, now);
}

static void on_signal(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  stage *st = arg;
  atomic_store(&st->bill->stop, 1);
}

static int no(const char *what, int n) {
  fprintf(stderr, "gateway: %s", what);
  if (n > 0) fprintf(stderr, " %d", n);
  fprintf(stderr, ": %s\n", strerror(errno));
  return -1;
}

static int set_up(stage *st) {
  const stage_options *o = st->options;
  struct event_config *config = event_config_new();
  if (config == NULL) return -1;
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  st->base = event_base_new_with_config(config);
  event_config_free(config);
  st->series = series_new(o->ops->name);
  st->steer = o->ops->open(&o->steer);
  if (st->base == NULL || st->series == NULL || st->steer == NULL) return -1;
  if (log_open(&st->log, o->log_path, 1) != 0) return no(o->log_path, -1);
  st->log.zero_ns = o->zero_ns;
  if (fleet_open(&st->fleet, st->base, &st->log, o->ops, st->steer) != 0) return -1;
  if (front_open(&st->front, st->base, &st->log, o->ops, st->steer, &st->fleet, o->port) != 0)
    return no("listening on port", o->port);
  st->front.series = st->series;
  st->fleet.series = st->series;
  if (o->admin_port >= 0) {
    st->admin = admin_new(st->base, &st->fleet, st->series, &st->log, o->admin_port);
    if (st->admin == NULL) return no("listening on port", o->admin_port);
  }
  st->tick_timer = event_new(st->base, -1, EV_PERSIST, on_tick, st);
  st->sigterm = evsignal_new(st->base, SIGTERM, on_signal, st);
  st->sigint = evsignal_new(st->base, SIGINT, on_signal, st);
  if (st->tick_timer == NULL || st->sigterm == NULL || st->sigint == NULL) return -1;
  struct timeval tick = {.tv_usec = TICK_MS * 1000};
  event_add(st->tick_timer, &tick);
  event_add(st->sigterm, NULL);
  event_add(st->sigint, NULL);
  char settings[256];
  o->ops->settings(st->steer, settings, sizeof settings);
  log_event(&st->log, "config", "\"mode\":\"%s\",\"max_tries\":%d,%s", o->ops->name,
            o->ops->max_tries, settings);
  return fleet_resize(&st->fleet, o->steer.start_replicas) > 0 ? 0 : -1;
}

int stage_main(const stage_options *options, playbill *bill) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != options->parent) return 3; /* it died before we asked */
  signal(SIGPIPE, SIG_IGN);
  stage st = {.options = options, .bill = bill, .phase = -1};
  st.log.fd = -1;
  if (set_up(&st) != 0) {
    atomic_store(&bill->failed, 1);
    if (st.fleet.base != NULL) fleet_close(&st.fleet);
    return 1;
  }
  event_base_dispatch(st.base);

  /* Everything in order if nothing hangs; else the process' end frees it. */
  int clean = st.front.inflight == 0;
  options->ops->memory(st.steer, bill->memory, sizeof bill->memory);
  int killed = clean ? fleet_close(&st.fleet) : -1;
  atomic_store(&bill->killed_at_end, killed);
  log_event(&st.log, "end", "\"inflight\":%d,\"killed\":%d", st.front.inflight, killed);
  if (!clean) return 1;
  if (st.admin != NULL) admin_free(st.admin);
  front_close(&st.front);
  event_free(st.tick_timer);
  event_free(st.sigterm);
  event_free(st.sigint);
  event_base_free(st.base);
  options->ops->close(st.steer);
  series_free(st.series);
  log_close(&st.log);
  libevent_global_shutdown();
  return 0;
}
