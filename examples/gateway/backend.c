/* SPDX-License-Identifier: MIT */
/* A backend process; see backend.h.
 *
 * Work is simulated by timers and burns no CPU: BACKEND_CONCURRENCY requests
 * are served at once, the others wait in order. So overload shows as latency,
 * as it would in a real server with that many workers. */
#include "backend.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "script.h"

typedef struct job {
  struct evhttp_request *req;
  struct event *timer;
  struct job *next;
  struct server *server;
} job;

typedef struct server {
  struct event_base *base;
  struct evhttp *http;
  struct bufferevent *control;
  struct event *start;
  job *first; /* waiting, oldest first */
  job **last;
  int waiting;
  int working;
  int port;
  int stopping;
  uint32_t id;
  uint32_t served;
  enum fault mode;
  double slowness;
  uint64_t random;
} server;

static struct timeval after_ms(double ms) {
  struct timeval tv = {.tv_sec = (time_t)(ms / 1000.0)};
  tv.tv_usec = (suseconds_t)((ms - (double)tv.tv_sec * 1000.0) * 1000.0);
  return tv;
}

static void start_waiting(server *s);

static void reply(server *s, struct evhttp_request *req, int code, const char *why) {
  struct evbuffer *body = evbuffer_new();
  const struct evkeyval *h;
  if (body != NULL && strcmp(evhttp_request_get_uri(req), "/echo") == 0)
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
  evbuffer_add_printf(body, "%s: %s\n", h->key, h->value);
  else if (body != NULL)
      evbuffer_add_printf(body, "{\"backend\":%u,\"served\":%u,\"status\":\"%s\"}\n", s->id,
                          s->served, why);
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  evhttp_add_header(headers, "Content-Type", "application/json");
  if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
    char length[24];
    snprintf(length, sizeof length, "%zu", body != NULL ? evbuffer_get_length(body) : 0);
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_send_reply(req, code, NULL, NULL);
  } else {
    evhttp_send_reply(req, code, NULL, body);
  }
  if (body != NULL) evbuffer_free(body);
}

/* Writes bytes that are no HTTP and closes: evhttp would never send them. */
static void answer_raw(struct evhttp_request *req, const char *bytes) {
  struct evhttp_connection *conn = evhttp_request_get_connection(req);
  if (conn == NULL) return;
  int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
  ssize_t sent = send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
  (void)sent;
  evhttp_connection_free(conn);
}

static void answer(server *s, struct evhttp_request *req, int is_health) {
  s->served++;
  switch (s->mode) {
    case FAULT_ERRORS:
      /* A grey failure: half the work fails while the health check is fine. */
      if (!is_health && (random_next(&s->random) & 1) != 0) {
        reply(s, req, 500, "fail");
        return;
      }
      break;
    case FAULT_GARBAGE: answer_raw(req, "\x01\x02 this is not HTTP\r\n\r\n"); return;
    case FAULT_SHORT:
      answer_raw(req, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
      return;
    case FAULT_CLOSE: answer_raw(req, ""); return;
    case FAULT_HANG: /* the request stays open until its sender gives up */ return;
    case FAULT_NONE:
    case FAULT_KILL:
    case FAULT_SLOW:
    default: break;
  }
  reply(s, req, 200, "pass");
}

static void job_done(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  job *j = arg;
  server *s = j->server;
  s->working--;
  answer(s, j->req, 0);
  event_free(j->timer);
  free(j);
  start_waiting(s);
}

/* Has its sender hung up while it waited? Then the work would be for nobody. */
static int is_gone(struct evhttp_request *req) {
  struct evhttp_connection *conn = evhttp_request_get_connection(req);
  if (conn == NULL) return 1;
  char byte;
  int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void drop(job *j) {
  struct evhttp_connection *conn = evhttp_request_get_connection(j->req);
  if (conn != NULL)
    evhttp_connection_free(conn);
  else
    evhttp_request_free(j->req);
  event_free(j->timer);
  free(j);
}

static void start_waiting(server *s) {
  while (s->first != NULL && s->working < BACKEND_CONCURRENCY) {
    job *j = s->first;
    s->first = j->next;
    if (s->first == NULL) s->last = &s->first;
    s->waiting--;
    if (is_gone(j->req)) {
      drop(j);
      continue;
    }
    s->working++;
    double ms = BACKEND_SERVICE_MS * (0.7 + 0.6 * random_unit(&s->random)) * s->slowness;
    struct timeval tv = after_ms(ms);
    event_add(j->timer, &tv);
  }
  if (s->stopping && s->working == 0 && s->waiting == 0) event_base_loopexit(s->base, NULL);
}

static void check_done(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  job *j = arg;
  answer(j->server, j->req, 1);
  event_free(j->timer);
  free(j);
}

/* Health checks have a worker of their own, so a queue does not fail them; but
 * on a slow machine they are slow. */
static void check(server *s, struct evhttp_request *req) {
  job *j = calloc(1, sizeof *j);
  if (j == NULL || (j->timer = evtimer_new(s->base, check_done, j)) == NULL) {
    free(j);
    reply(s, req, 503, "full");
    return;
  }
  j->req = req;
  j->server = s;
  struct timeval tv = after_ms(BACKEND_CHECK_MS * s->slowness);
  event_add(j->timer, &tv);
}

static void on_request(struct evhttp_request *req, void *arg) {
  server *s = arg;
  if (strcmp(evhttp_request_get_uri(req), "/health") == 0) {
    check(s, req);
    return;
  }
  job *j = s->waiting < BACKEND_QUEUE ? calloc(1, sizeof *j) : NULL;
  if (j != NULL) j->timer = evtimer_new(s->base, job_done, j);
  if (j == NULL || j->timer == NULL) {
    free(j);
    reply(s, req, 503, "full");
    return;
  }
  j->req = req;
  j->server = s;
  *s->last = j;
  s->last = &j->next;
  s->waiting++;
  start_waiting(s);
}

/* Accepts only from now on. SO_REUSEPORT because the gateway holds the port
 * with a socket that never listens, so nobody else gets it between two lives
 * of this backend. */
static int start_listening(server *s) {
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  socklen_t len = sizeof addr;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
      evhttp_accept_socket(s->http, fd) != 0) {
    close(fd);
    return -1;
  }
  s->port = ntohs(addr.sin_port);
  return 0;
}

static void on_started(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  server *s = arg;
  if (start_listening(s) != 0) {
    event_base_loopbreak(s->base);
    return;
  }
  evbuffer_add_printf(bufferevent_get_output(s->control), "ready %d\n", s->port);
}

static void on_control(struct bufferevent *bev, void *arg) {
  server *s = arg;
  char *line;
  while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF)) != NULL) {
    char name[16];
    double n = 1.0;
    if (sscanf(line, "mode %15s %lf", name, &n) >= 1) {
      int mode = fault_by_name(name);
      if (mode >= 0) {
        s->mode = (enum fault)mode;
        s->slowness = mode == FAULT_SLOW && n >= 1.0 && n <= 1000.0 ? n : 1.0;
      }
    }
    free(line);
  }
}

static void on_control_closed(struct bufferevent *bev, short what, void *arg) {
  (void)bev, (void)what;
  server *s = arg;
  event_base_loopbreak(s->base);
}

/* SIGTERM: the gateway has drained us already; finish what is left. */
static void on_sigterm(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  server *s = arg;
  struct timeval limit = {.tv_sec = 1};
  s->stopping = 1;
  event_base_loopexit(s->base, s->working == 0 && s->waiting == 0 ? NULL : &limit);
}

int backend_main(int argc, char **argv) {
  if (argc != 6) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != (pid_t)strtol(argv[5], NULL, 10)) return 3; /* it died before we asked */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN); /* Ctrl-C is for the gateway, which stops us in order */

  server s = {.slowness = 1.0};
  s.last = &s.first;
  s.port = (int)strtol(argv[2], NULL, 10);
  s.id = (uint32_t)strtoul(argv[4], NULL, 10);
  s.random = s.id * UINT64_C(7919);
  struct event_config *config = event_config_new();
  if (config == NULL) return 4;
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  s.base = event_base_new_with_config(config);
  event_config_free(config);
  if (s.base == NULL) return 4;
  s.http = evhttp_new(s.base);
  s.control = bufferevent_socket_new(s.base, (int)strtol(argv[1], NULL, 10), BEV_OPT_CLOSE_ON_FREE);
  s.start = evtimer_new(s.base, on_started, &s);
  struct event *term = evsignal_new(s.base, SIGTERM, on_sigterm, &s);
  if (s.http == NULL || s.control == NULL || s.start == NULL || term == NULL) return 4;
  evhttp_set_gencb(s.http, on_request, &s);
  evhttp_set_max_body_size(s.http, 1 << 20);
  evhttp_set_timeout(s.http, 120); /* longer than the gateway keeps a connection */
  evutil_make_socket_nonblocking(bufferevent_getfd(s.control));
  bufferevent_setcb(s.control, on_control, NULL, on_control_closed, &s);
  bufferevent_enable(s.control, EV_READ | EV_WRITE);
  event_add(term, NULL);
  struct timeval start = after_ms(strtod(argv[3], NULL));
  event_add(s.start, &start);
  event_base_dispatch(s.base);
  event_free(s.start);
  event_free(term);
  bufferevent_free(s.control);
  evhttp_free(s.http);
  event_base_free(s.base);
  return 0;
}
