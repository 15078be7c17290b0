/* SPDX-License-Identifier: MIT */
/* Starting, watching and ending backend processes; see fleet.h. */
#define _GNU_SOURCE /* close_range */
#include "fleet.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "series.h"
#include "upstream.h"

enum { START_MS = 1000, RESTART_MS = 2500, DRAIN_STEP_MS = 20, TERM_MS = 1500 };
#define SLOWNESS 10
#define CONTROL_FD 3 /* of the child */

/* For the page: the log has it in more detail. */
static void note(const backend *b, const char *kind, const char *text) {
  if (b->fleet->series == NULL) return;
  series_event(b->fleet->series, log_ms(b->fleet->log, now_ns()), kind, b->id, text);
}

static void arm(backend *b, long ms) {
  struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
  event_add(b->timer, &tv);
}

backend *fleet_find(fleet *f, uint64_t id) {
  for (int i = 0; i < STEER_MAX_BACKENDS; i++)
    if (f->member[i] != NULL && f->member[i]->id == id) return f->member[i];
  return NULL;
}

int fleet_count_life(const fleet *f, enum life life) {
  int n = 0;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++)
    n += f->member[i] != NULL && f->member[i]->life == life;
  return n;
}

int fleet_count(const fleet *f) {
  int n = 0;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++)
    n += f->member[i] != NULL && f->member[i]->life != LIFE_DRAINING;
  return n;
}

/* Binds an ephemeral port of 127.0.0.1 and never listens on it: a connection is
 * refused until the backend listens beside us. */
static int reserve_port(int *ret_fd) {
  struct sockaddr_in addr = {.sin_family = AF_INET};
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof addr;
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
      getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
    close(fd);
    return -1;
  }
  *ret_fd = fd;
  return ntohs(addr.sin_port);
}

static void forget(backend *b) {
  fleet *f = b->fleet;
  if (b->in_set) f->ops->remove(f->steer, b->id, now_ns());
  if (b->shown >= 0) {
    uint64_t now = now_ns();
    log_event_at(f->log, now, "state", "\"backend\":%u,\"state\":\"%s\"", b->id,
                 show_name(SHOW_GONE));
    if (f->series != NULL) series_state(f->series, log_ms(f->log, now), b->id, SHOW_GONE);
  }
  upstream_close_all(b);
  if (b->control != NULL) bufferevent_free(b->control);
  if (b->timer != NULL) event_free(b->timer);
  if (b->port_fd >= 0) close(b->port_fd);
  for (int i = 0; i < STEER_MAX_BACKENDS; i++)
    if (f->member[i] == b) f->member[i] = NULL;
  free(b);
}

static void on_control(struct bufferevent *bev, void *arg) {
  backend *b = arg;
  fleet *f = b->fleet;
  char *line;
  while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF)) != NULL) {
    if (strncmp(line, "ready ", 6) == 0 && b->life == LIFE_STARTING) {
      b->life = LIFE_READY;
      log_event(f->log, "ready", "\"backend\":%u,\"pid\":%d,\"port\":%d", b->id, (int)b->pid,
                b->port);
      note(b, "ready", b->restarts > 0 ? "restarted" : "started");
      if (!b->in_set && f->ops->add(f->steer, b->id, now_ns()) == 0) b->in_set = 1;
      if (b->fault != FAULT_NONE && b->fault != FAULT_KILL) fleet_hurt(f, b, b->fault);
    }
    free(line);
  }
}

static void on_control_closed(struct bufferevent *bev, short what, void *arg) {
  (void)what, (void)arg;
  bufferevent_disable(bev, EV_READ | EV_WRITE); /* SIGCHLD tells the rest */
}

/* fork and exec. The child's end of the socket pair is the only descriptor it
 * inherits besides stdin, stdout and stderr. */
static int spawn(backend *b) {
  fleet *f = b->fleet;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -1;
  char fd[16], port[16], start[16], id[16], parent[16];
  snprintf(fd, sizeof fd, "%d", CONTROL_FD);
  snprintf(port, sizeof port, "%d", b->port);
  snprintf(start, sizeof start, "%u", f->start_ms);
  snprintf(id, sizeof id, "%u", b->id);
  snprintf(parent, sizeof parent, "%d", (int)getpid());
  pid_t pid = fork();
  if (pid == 0) {
    char backend_word[] = "backend", program_word[] = "gateway";
    char *argv[] = {program_word, backend_word, fd, port, start, id, parent, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (pair[1] == CONTROL_FD)
      fcntl(CONTROL_FD, F_SETFD, 0);
    else
      dup2(pair[1], CONTROL_FD);
    close_range(CONTROL_FD + 1, ~0U, 0);
    execv(f->program, argv);
    _exit(127);
  }
  close(pair[1]);
  if (pid < 0) {
    close(pair[0]);
    return -1;
  }
  b->pid = pid;
  b->life = LIFE_STARTING;
  b->terminated = 0;
  evutil_make_socket_nonblocking(pair[0]);
  if (b->control != NULL) bufferevent_free(b->control);
  b->control = bufferevent_socket_new(f->base, pair[0], BEV_OPT_CLOSE_ON_FREE);
  if (b->control == NULL) {
    close(pair[0]); /* the child sees end of file and ends; SIGCHLD follows */
  } else {
    bufferevent_setcb(b->control, on_control, NULL, on_control_closed, b);
    bufferevent_enable(b->control, EV_READ | EV_WRITE);
  }
  log_event(f->log, "started", "\"backend\":%u,\"pid\":%d,\"port\":%d,\"restarts\":%d", b->id,
            (int)pid, b->port, b->restarts);
  return 0;
}

/* The next step of a life: end a drained backend, or start a dead one again. */
static void on_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  backend *b = arg;
  if (b->life == LIFE_DOWN) {
    b->restarts++;
    if (spawn(b) != 0) arm(b, RESTART_MS);
  } else if (b->life == LIFE_DRAINING && b->pid != 0) {
    if (b->terminated) {
      kill(b->pid, SIGKILL); /* it had its time */
    } else if (b->inflight == 0) {
      b->terminated = 1;
      kill(b->pid, SIGTERM);
      arm(b, TERM_MS);
    } else {
      arm(b, DRAIN_STEP_MS);
    }
  } else if (b->life == LIFE_DRAINING && b->inflight == 0) {
    forget(b);
  } else if (b->life == LIFE_DRAINING) {
    arm(b, DRAIN_STEP_MS);
  }
}

backend *fleet_start(fleet *f) {
  int i = 0;
  while (i < STEER_MAX_BACKENDS && f->member[i] != NULL) i++;
  if (i == STEER_MAX_BACKENDS) return NULL;
  backend *b = calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  b->fleet = f;
  b->id = ++f->next_id;
  b->port_fd = -1;
  b->shown = -1;
  b->port = reserve_port(&b->port_fd);
  b->timer = evtimer_new(f->base, on_timer, b);
  f->member[i] = b;
  if (b->port < 0 || b->timer == NULL || spawn(b) != 0) {
    forget(b);
    return NULL;
  }
  return b;
}

void fleet_stop(fleet *f, backend *b) {
  if (b->life == LIFE_DRAINING) return;
  log_event(f->log, "drain", "\"backend\":%u,\"inflight\":%d", b->id, b->inflight);
  b->life = LIFE_DRAINING;
  if (b->in_set) f->ops->drain(f->steer, b->id, now_ns());
  arm(b, DRAIN_STEP_MS);
}

/* Whom to take: those that are of least use first, of equals the youngest. */
static int usefulness(fleet *f, const backend *b) {
  if (b->life == LIFE_DOWN) return 0;
  if (b->life == LIFE_STARTING) return 1;
  switch (f->ops->state(f->steer, b->id, now_ns())) {
    case STEER_EJECTED: return 2;
    case STEER_PROBING: return 3;
    case STEER_DEGRADED: return 4;
    case STEER_HEALTHY: break;
  }
  return 5;
}

int fleet_resize(fleet *f, int want) {
  int have = fleet_count(f), change = want - have;
  for (; have < want; have++)
    if (fleet_start(f) == NULL) break;
  for (; have > want; have--) {
    backend *victim = NULL;
    for (int i = 0; i < STEER_MAX_BACKENDS; i++) {
      backend *b = f->member[i];
      if (b == NULL || b->life == LIFE_DRAINING) continue;
      int less = victim == NULL ? -1 : usefulness(f, b) - usefulness(f, victim);
      if (less < 0 || (less == 0 && b->id > victim->id)) victim = b;
    }
    if (victim == NULL) break;
    fleet_stop(f, victim);
  }
  return change;
}

void fleet_stop_all(fleet *f) {
  f->closing = 1;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++)
    if (f->member[i] != NULL) fleet_stop(f, f->member[i]);
}

void fleet_hurt(fleet *f, backend *b, enum fault fault) {
  b->fault = fault;
  uint64_t now = now_ns();
  log_event_at(f->log, now, "fault", "\"backend\":%u,\"what\":\"%s\"", b->id, fault_name(fault));
  if (f->series != NULL) series_fault(f->series, log_ms(f->log, now), b->id, fault_name(fault));
  note(b, "fault", fault_name(fault));
  if (fault == FAULT_KILL) {
    if (b->pid != 0) kill(b->pid, SIGKILL);
  } else if (b->control != NULL && b->life == LIFE_READY) {
    evbuffer_add_printf(bufferevent_get_output(b->control), "mode %s %d\n", fault_name(fault),
                        SLOWNESS);
  }
}

/* A child ended: by our SIGTERM, or by itself. */
static void reaped(backend *b, int status) {
  fleet *f = b->fleet;
  const char *how = WIFSIGNALED(status) ? "signal" : "exit";
  int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  pid_t pid = b->pid;
  b->pid = 0;
  if (b->control != NULL) bufferevent_free(b->control);
  b->control = NULL;
  if (b->life == LIFE_DRAINING || f->closing) {
    log_event(f->log, "stopped", "\"backend\":%u,\"pid\":%d,\"how\":\"%s\",\"code\":%d", b->id,
              (int)pid, how, code);
    b->life = LIFE_DRAINING;
    arm(b, 0); /* forgotten as soon as nothing is in flight */
    return;
  }
  log_event(f->log, "died", "\"backend\":%u,\"pid\":%d,\"how\":\"%s\",\"code\":%d", b->id, (int)pid,
            how, code);
  note(b, "died", WIFSIGNALED(status) ? "by a signal" : "by itself");
  b->life = LIFE_DOWN;
  if (b->fault == FAULT_KILL) b->fault = FAULT_NONE;
  arm(b, RESTART_MS);
}

static void on_sigchld(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  fleet *f = arg;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++) {
    backend *b = f->member[i];
    int status;
    if (b != NULL && b->pid != 0 && waitpid(b->pid, &status, WNOHANG) == b->pid) reaped(b, status);
  }
}

int fleet_open(fleet *f, struct event_base *base, event_log *log, const steer_ops *ops, steer *s) {
  *f = (fleet){.base = base, .log = log, .ops = ops, .steer = s, .start_ms = START_MS};
  f->program = "/proc/self/exe";
  f->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, f);
  return f->sigchld != NULL && event_add(f->sigchld, NULL) == 0 ? 0 : -1;
}

int fleet_close(fleet *f) {
  int killed = 0;
  for (int i = 0; i < STEER_MAX_BACKENDS; i++) {
    backend *b = f->member[i];
    if (b == NULL) continue;
    if (b->pid != 0) {
      int status;
      kill(b->pid, SIGKILL);
      while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR) continue;
      killed++;
      log_event(f->log, "stopped", "\"backend\":%u,\"pid\":%d,\"how\":\"signal\",\"code\":9", b->id,
                (int)b->pid);
    }
    forget(b);
  }
  if (f->sigchld != NULL) event_free(f->sigchld);
  return killed;
}
