/* SPDX-License-Identifier: MIT */
/* The gateway demo: starts the runs, shows how they go, prints the tables and
 * writes the report. See README.md. */
#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "load.h"
#include "measure.h"
#include "page.h"
#include "script.h"
#include "series.h"
#include "stage.h"
#include "table.h"

/* Fleet sizes: trimtab starts with 2 and may go to 7; the naive fleet has from
 * the start what the full load needs. */
enum { FLEET_MIN = 2, FLEET_MAX = 7, FLEET_NAIVE = 5 };
enum { READY_LIMIT_MS = 8000, END_LIMIT_MS = 8000 };

typedef struct options {
  int naive, serve, idle;
  int port, admin_port;
  uint64_t seed;
  const char *out;
} options;

/* One of the two runs. */
typedef struct run {
  const steer_ops *ops;
  playbill *bill;
  pid_t stage, load; /* 0: none, or ended */
  char log_path[512];
} run;

static volatile sig_atomic_t interrupted;

static void on_signal(int sig) {
  (void)sig;
  interrupted = 1;
}

static void help(FILE *out) {
  fprintf(out,
          "usage: gateway [options]\n"
          "A reverse proxy steered by trimtab and the same without it, side by side, under load\n"
          "and with faults; prints a table for each and writes report.html. Takes %.0f s.\n\n"
          "  --serve         keep running (the script again and again) with a live page\n"
          "  --naive         only the run without trimtab\n"
          "  --idle          with --serve: no load and no faults but your own\n"
          "  --out DIR       where report.html and events-*.jsonl go (default gateway-report;\n"
          "                  with --serve there is no log unless this is given)\n"
          "  --port N        port of the (first) gateway (default: any free one)\n"
          "  --admin-port N  port of the live page (default: any free one)\n"
          "  --seed N        of the load's arrivals (default 1)\n"
          "  --help          this text\n"
          "Everything listens on 127.0.0.1 only.\n",
          script_length_s() + 4);
}

static int parse_number(const char *text, long long max, long long *ret) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || n < 0 || n > max) return -1;
  *ret = n;
  return 0;
}

/* 0: go on; 1: done; 2: wrong usage */
static int parse(int argc, char **argv, options *o) {
  for (int i = 1; i < argc; i++) {
    const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    long long n = 0;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
      help(stdout);
      return 1;
    }
    if (strcmp(arg, "--serve") == 0)
      o->serve = 1;
    else if (strcmp(arg, "--naive") == 0)
      o->naive = 1;
    else if (strcmp(arg, "--idle") == 0)
      o->idle = 1;
    else if (value != NULL && strcmp(arg, "--out") == 0)
      o->out = argv[++i];
    else if (value != NULL && strcmp(arg, "--port") == 0 && parse_number(value, 65535, &n) == 0)
      o->port = (int)n, i++;
    else if (value != NULL && strcmp(arg, "--admin-port") == 0 &&
             parse_number(value, 65535, &n) == 0)
      o->admin_port = (int)n, i++;
    else if (value != NULL && strcmp(arg, "--seed") == 0 && parse_number(value, INT64_MAX, &n) == 0)
      o->seed = (uint64_t)n, i++;
    else {
      fprintf(stderr, "gateway: cannot make sense of \"%s\"; see --help\n", arg);
      return 2;
    }
  }
  if (o->idle && !o->serve) {
    fprintf(stderr, "gateway: --idle goes with --serve\n");
    return 2;
  }
  return 0;
}

static void sleep_ms(long ms) {
  struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
  nanosleep(&ts, NULL);
}

static int start_stage(run *r, const options *o, int port, uint64_t zero_ns) {
  r->bill = mmap(NULL, sizeof *r->bill, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (r->bill == MAP_FAILED) return -1;
  memset(r->bill, 0, sizeof *r->bill);
  int naive = r->ops == &steer_naive;
  stage_options so = {
      .ops = r->ops,
      .steer = {.capacity = STEER_MAX_BACKENDS,
                .min_replicas = FLEET_MIN,
                .max_replicas = FLEET_MAX,
                .start_replicas = naive ? FLEET_NAIVE : FLEET_MIN,
                .seed = o->seed},
      .log_path = r->log_path,
      .zero_ns = zero_ns,
      .parent = getpid(),
      .port = port,
      .admin_port = o->serve ? o->admin_port : -1,
      .loop = o->serve,
      .idle = o->idle,
  };
  r->stage = fork();
  if (r->stage == 0) _exit(stage_main(&so, r->bill));
  return r->stage > 0 ? 0 : -1;
}

static int start_load(run *r, const options *o, uint64_t zero_ns, uint64_t begin_ns) {
  load_options lo = {.port = atomic_load(&r->bill->port),
                     .zero_ns = zero_ns,
                     .begin_ns = begin_ns,
                     .seed = o->seed,
                     .parent = getpid(),
                     .log_path = r->log_path,
                     .loop = o->serve};
  r->load = fork();
  if (r->load == 0) _exit(load_main(&lo));
  return r->load > 0 ? 0 : -1;
}

/* Reaps a child if it has ended. 1: it has (now or before). */
static int ended(pid_t *pid) {
  int status;
  if (*pid != 0 && waitpid(*pid, &status, WNOHANG) == *pid) *pid = 0;
  return *pid == 0;
}

static void end_by_force(pid_t *pid) {
  if (*pid == 0) return;
  kill(*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) continue;
  *pid = 0;
}

static void show_progress(run *runs, int n, double t_s) {
  int phase = script_phase_at(t_s);
  printf("%4.0f s  %-14s %3.0f/s", t_s, phase >= 0 ? script[phase].label : "", script_rate_at(t_s));
  for (int i = 0; i < n; i++)
    printf("   %s: %d replicas, p99 %4d ms, %3d errors/s", runs[i].ops->name,
           atomic_load(&runs[i].bill->replicas), atomic_load(&runs[i].bill->p99_ms),
           atomic_load(&runs[i].bill->errors));
  printf("\n");
  fflush(stdout);
}

/* Waits until all gateways have their first backends. 0, or -1. */
static int wait_ready(run *runs, int n) {
  for (int ms = 0; ms < READY_LIMIT_MS && !interrupted; ms += 20) {
    int ready = 0;
    for (int i = 0; i < n; i++) {
      if (atomic_load(&runs[i].bill->failed) || ended(&runs[i].stage)) return -1;
      ready += atomic_load(&runs[i].bill->port) != 0;
    }
    if (ready == n) return 0;
    sleep_ms(20);
  }
  return -1;
}

/* Until all load generators are done, or somebody interrupts. -1: a run ended
 * by itself. */
static int watch(run *runs, int n, const options *o, uint64_t begin_ns) {
  double limit_s = script_length_s() + 6;
  for (int second = 1; !interrupted;) {
    double t = ((double)now_ns() - (double)begin_ns) / 1e9;
    int over = 1;
    for (int i = 0; i < n; i++) {
      over &= o->idle ? 0 : ended(&runs[i].load);
      if (ended(&runs[i].stage)) return -1;
    }
    if (over || (!o->serve && t > limit_s)) return 0;
    if (t >= second && !o->serve) {
      if (t < script_length_s()) show_progress(runs, n, t);
      second = (int)t + 2;
    }
    sleep_ms(50);
  }
  return 0;
}

/* Ends everything in order, by force what does not end in time. */
static int stop(run *runs, int n) {
  int forced = 0;
  for (int i = 0; i < n; i++) {
    end_by_force(&runs[i].load);
    atomic_store(&runs[i].bill->stop, 1);
  }
  for (int ms = 0; ms < END_LIMIT_MS; ms += 20) {
    int over = 1;
    for (int i = 0; i < n; i++) over &= ended(&runs[i].stage);
    if (over) break;
    sleep_ms(20);
  }
  for (int i = 0; i < n; i++) {
    forced += runs[i].stage != 0;
    end_by_force(&runs[i].stage); /* its backends die with it */
  }
  return forced;
}

static int write_report(run *runs, int n, table *tables, const char *path) {
  struct evbuffer *data = evbuffer_new(), *page = evbuffer_new();
  if (data == NULL || page == NULL) return -1;
  evbuffer_add_printf(data, "{\"live\":false,\"runs\":[");
  int bad = 0;
  for (int i = 0; i < n; i++) {
    series *s = series_new(runs[i].ops->name);
    if (s == NULL || table_read(&tables[i], s, runs[i].log_path) != 0) bad = 1;
    if (i > 0) evbuffer_add_printf(data, ",\n");
    if (s != NULL) series_json(s, tables[i].end_ms, data);
    series_free(s);
  }
  evbuffer_add_printf(data, "],\n\"tables\":[");
  for (int i = 0; i < n; i++) {
    if (i > 0) evbuffer_add_printf(data, ",\n");
    table_json(&tables[i], data);
  }
  evbuffer_add_printf(data, "]}");
  page_write(page, data);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  while (!bad && fd >= 0 && evbuffer_get_length(page) > 0)
    if (evbuffer_write(page, fd) < 0) bad = 1;
  if (fd < 0 || close(fd) != 0) bad = 1;
  evbuffer_free(data);
  evbuffer_free(page);
  return bad ? -1 : 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "backend") == 0) return backend_main(argc - 1, argv + 1);
  options o = {.seed = 1};
  int code = parse(argc, argv, &o);
  if (code != 0) return code == 1 ? 0 : 2;
  const char *out = o.out != NULL ? o.out : "gateway-report";
  if ((!o.serve || o.out != NULL) && mkdir(out, 0755) != 0 && errno != EEXIST) {
    fprintf(stderr, "gateway: cannot make the folder %s: %s\n", out, strerror(errno));
    return 1;
  }
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGINT, &sa, NULL);
  sigaction(SIGTERM, &sa, NULL);

  run runs[2] = {{.ops = o.naive ? &steer_naive : &steer_trimtab}, {.ops = &steer_naive}};
  int n = o.naive || o.serve ? 1 : 2;
  uint64_t zero_ns = now_ns();
  code = 0;
  for (int i = 0; i < n; i++) {
    if (o.serve && o.out == NULL)
      snprintf(runs[i].log_path, sizeof runs[i].log_path, "/dev/null");
    else
      snprintf(runs[i].log_path, sizeof runs[i].log_path, "%s/events-%s.jsonl", out,
               runs[i].ops->name);
    if (start_stage(&runs[i], &o, i == 0 ? o.port : 0, zero_ns) != 0) return 1;
  }
  if (wait_ready(runs, n) != 0) {
    if (!interrupted) fprintf(stderr, "gateway: cannot start\n");
    code = 1;
  } else {
    uint64_t begin_ns = now_ns() + 200 * NS_PER_MS;
    for (int i = 0; i < n; i++) {
      printf("%s: gateway on http://127.0.0.1:%d/\n", runs[i].ops->name,
             atomic_load(&runs[i].bill->port));
      if (o.serve)
        printf("live page on http://127.0.0.1:%d/  (Ctrl-C ends it)\n",
               atomic_load(&runs[i].bill->admin_port));
      fflush(stdout);
      atomic_store(&runs[i].bill->begin_ns, begin_ns);
      if (!o.idle && start_load(&runs[i], &o, zero_ns, begin_ns) != 0) code = 1;
    }
    if (watch(runs, n, &o, begin_ns) != 0 && !interrupted) {
      fprintf(stderr, "gateway: a run ended too early\n");
      code = 1;
    }
  }
  int cut_short = interrupted;
  if (stop(runs, n) != 0) {
    fprintf(stderr, "gateway: a run did not end in order\n");
    code = 1;
  }
  if (o.serve || code != 0) return code;
  if (cut_short) {
    fprintf(stderr, "gateway: interrupted; no report\n");
    return 130;
  }
  static table tables[2];
  char path[512];
  snprintf(path, sizeof path, "%s/report.html", out);
  if (write_report(runs, n, tables, path) != 0) {
    fprintf(stderr, "gateway: cannot write %s\n", path);
    code = 1;
  }
  for (int i = 0; i < n; i++) {
    printf("\n");
    table_print(&tables[i], stdout);
  }
  for (int i = 0; i < n; i++)
    if (runs[i].bill->memory[0] != '\0') printf("\n%s", runs[i].bill->memory);
  printf("\nreport: %s\n", path);
  return code;
}
