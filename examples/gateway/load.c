/* SPDX-License-Identifier: MIT */
/* Open-loop load over evhttp's client; see load.h. */
#include "load.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "measure.h"
#include "script.h"

#define CONNECTIONS 600
#define POST_SHARE 0.1
enum { TIMEOUT_S = 4, LAST_WAIT_MS = 4500 };

typedef struct client {
  struct evhttp_connection *evcon;
  struct client *next; /* of the idle ones, the last used first */
  struct generator *g;
  uint64_t arrival_ns; /* of the request under way */
  int is_post;
} client;

typedef struct generator {
  const load_options *options;
  struct event_base *base;
  struct event *timer;
  event_log log;
  client *idle;
  int clients;
  int waiting; /* requests not answered yet */
  uint64_t random;
  double next_s; /* the next arrival, seconds since begin */
  int over;
} generator;

static void record(generator *g, uint64_t arrival_ns, int is_post, int status) {
  double ms = ((double)now_ns() - (double)arrival_ns) / 1e6;
  log_event_at(&g->log, arrival_ns, "client", "\"method\":\"%s\",\"status\":%d,\"ms\":%.3f",
               is_post ? "POST" : "GET", status, ms);
}

static void on_answer(struct evhttp_request *req, void *arg) {
  client *c = arg;
  generator *g = c->g;
  record(g, c->arrival_ns, c->is_post, req != NULL ? evhttp_request_get_response_code(req) : 0);
  c->next = g->idle;
  g->idle = c;
  g->waiting--;
  if (g->over && g->waiting == 0) event_base_loopbreak(g->base);
}

static client *take_client(generator *g) {
  client *c = g->idle;
  if (c != NULL) {
    g->idle = c->next;
    return c;
  }
  c = g->clients < CONNECTIONS ? calloc(1, sizeof *c) : NULL;
  if (c == NULL) return NULL;
  c->g = g;
  c->evcon = evhttp_connection_base_new(g->base, NULL, "127.0.0.1", (uint16_t)g->options->port);
  if (c->evcon == NULL) {
    free(c);
    return NULL;
  }
  evhttp_connection_set_timeout(c->evcon, TIMEOUT_S);
  g->clients++;
  return c;
}

static void send_one(generator *g, uint64_t arrival_ns) {
  int is_post = random_unit(&g->random) < POST_SHARE;
  client *c = take_client(g);
  struct evhttp_request *req = c != NULL ? evhttp_request_new(on_answer, c) : NULL;
  if (req == NULL) {
    record(g, arrival_ns, is_post, 0);
    return;
  }
  c->arrival_ns = arrival_ns;
  c->is_post = is_post;
  evhttp_add_header(evhttp_request_get_output_headers(req), "Host", "127.0.0.1");
  if (is_post) evbuffer_add_printf(evhttp_request_get_output_buffer(req), "{\"order\":1}");
  g->waiting++;
  if (evhttp_make_request(c->evcon, req, is_post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET,
                          is_post ? "/orders" : "/items") != 0) {
    g->waiting--;
    record(g, arrival_ns, is_post, 0);
  }
}

static void wait_until(generator *g, double ns) {
  double us = (ns - (double)now_ns()) / 1e3;
  if (us < 0) us = 0;
  struct timeval tv = {.tv_sec = (time_t)(us / 1e6)};
  tv.tv_usec = (suseconds_t)(us - (double)tv.tv_sec * 1e6);
  event_add(g->timer, &tv);
}

static double rate_at(const generator *g, double t_s) {
  return script_rate_at(g->options->loop ? fmod(t_s, script_length_s()) : t_s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  generator *g = arg;
  double begin = (double)g->options->begin_ns;
  if (g->over) { /* the last answers did not come */
    event_base_loopbreak(g->base);
    return;
  }
  while (begin + g->next_s * 1e9 <= (double)now_ns()) {
    double rate = rate_at(g, g->next_s);
    if (rate <= 0) {
      g->over = 1;
      if (g->waiting == 0)
        event_base_loopbreak(g->base);
      else
        wait_until(g, (double)now_ns() + LAST_WAIT_MS * 1e6);
      return;
    }
    send_one(g, (uint64_t)(begin + g->next_s * 1e9));
    g->next_s += random_exp(&g->random) / rate;
  }
  wait_until(g, begin + g->next_s * 1e9);
}

int load_main(const load_options *options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != options->parent) return 3; /* it died before we asked */
  signal(SIGPIPE, SIG_IGN);
  generator g = {.options = options, .random = options->seed, .next_s = 0.001};
  struct event_config *config = event_config_new();
  if (config == NULL) return 1;
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  g.base = event_base_new_with_config(config);
  event_config_free(config);
  if (g.base == NULL || log_open(&g.log, options->log_path, 0) != 0) return 1;
  g.log.zero_ns = options->zero_ns;
  g.timer = evtimer_new(g.base, on_timer, &g);
  if (g.timer == NULL) return 1;
  wait_until(&g, (double)options->begin_ns);
  event_base_dispatch(g.base);
  return 0; /* the process ends: the system takes back what is open */
}
