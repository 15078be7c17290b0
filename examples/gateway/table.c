/* SPDX-License-Identifier: MIT */
/* From the event log to the table and the plots; see table.h.
 *
 * The log is read twice: phases first, because lines of two processes are not
 * in order of time, then everything else into the row of its moment. */
#include "table.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "script.h"
#include "series.h"

typedef struct reader {
  table *t;
  struct series *series;
  double begin_ms[TABLE_ROWS]; /* of each phase */
  int begun;
  double last_gauge_ms;
  int last_replicas;
} reader;

static row *whole(table *t) { return &t->row[t->rows - 1]; }

/* The row of a moment: the last phase that had begun; NULL before and after all. */
static row *row_at(reader *r, double t_ms) {
  row *found = NULL;
  if (r->t->end_ms > 0 && t_ms >= r->t->end_ms) return NULL;
  for (int i = 0; i < r->begun; i++)
    if (t_ms >= r->begin_ms[i]) found = &r->t->row[i];
  return found;
}

static double number(const char *line, const char *key) {
  double x = 0;
  log_number(line, key, &x);
  return x;
}

static void read_phase(reader *r, const char *line, double t_ms) {
  int phase = (int)number(line, "phase");
  if (phase < 0) {
    r->t->end_ms = t_ms;
  } else if (r->begun < r->t->rows - 1 && phase == r->begun) {
    r->begin_ms[r->begun++] = t_ms;
  }
  if (r->series != NULL) series_phase(r->series, t_ms, phase);
}

static void read_client(reader *r, const char *line, double t_ms) {
  row *rows[2] = {row_at(r, t_ms), whole(r->t)};
  char method[8] = "";
  log_text(line, "method", method, sizeof method);
  int status = (int)number(line, "status"), is_post = strcmp(method, "POST") == 0;
  double ms = number(line, "ms");
  for (int i = 0; i < 2; i++) {
    row *w = rows[i];
    if (w == NULL) continue;
    hist_add(&w->latency, ms);
    if (is_post) {
      w->posts++;
      w->posts_failed += !status_is_good(status);
    } else {
      w->gets++;
      w->gets_good += status_is_good(status) != 0;
    }
  }
  if (r->series != NULL) series_request(r->series, t_ms, is_post, status, ms);
}

static void read_gauge(reader *r, const char *line, double t_ms) {
  int replicas = (int)number(line, "replicas");
  row *rows[2] = {row_at(r, t_ms), whole(r->t)};
  for (int i = 0; i < 2 && rows[0] != NULL; i++) {
    row *w = rows[i];
    if (w->replicas_max == 0 || replicas < w->replicas_min) w->replicas_min = replicas;
    if (replicas > w->replicas_max) w->replicas_max = replicas;
  }
  if (rows[0] != NULL) {
    if (r->last_gauge_ms > 0)
      r->t->replica_seconds += r->last_replicas * (t_ms - r->last_gauge_ms) / 1000.0;
    r->last_gauge_ms = t_ms;
    r->last_replicas = replicas;
  }
  if (r->series != NULL)
    series_gauge(r->series, t_ms, replicas, (int)number(line, "ready"),
                 (int)number(line, "inflight"));
}

static void read_scale(reader *r, const char *line, double t_ms) {
  int have = (int)number(line, "have"), want = (int)number(line, "want");
  row *rows[2] = {row_at(r, t_ms), whole(r->t)};
  if (have == want) return;
  for (int i = 0; i < 2 && rows[0] != NULL; i++) {
    if (want > have)
      rows[i]->scaled_up += (uint32_t)(want - have);
    else
      rows[i]->scaled_down += (uint32_t)(have - want);
  }
  if (r->series != NULL) {
    char why[80] = "", text[128];
    log_text(line, "why", why, sizeof why);
    snprintf(text, sizeof text, "%d to %d: %s", have, want, why);
    series_event(r->series, t_ms, want > have ? "scale-up" : "scale-down", 0, text);
  }
}

static void count(reader *r, double t_ms, size_t field, uint32_t n) {
  row *rows[2] = {row_at(r, t_ms), whole(r->t)};
  for (int i = 0; i < 2 && rows[0] != NULL; i++)
    *(uint32_t *)(void *)((char *)rows[i] + field) += n;
}

static void read_state(reader *r, const char *line, double t_ms) {
  char state[16] = "";
  log_text(line, "state", state, sizeof state);
  int show = show_by_name(state);
  if (r->series != NULL && show >= 0)
    series_state(r->series, t_ms, (uint32_t)number(line, "backend"), (enum show)show);
}

/* Lines that the page lists as they are. */
static void read_note(reader *r, const char *line, const char *kind, double t_ms) {
  static const char *const listed[] = {"eject", "reopen", "readmit", "health",
                                       "died",  "fault",  "ready"};
  char text[80] = "";
  if (r->series == NULL) return;
  if (!log_text(line, "why", text, sizeof text)) log_text(line, "what", text, sizeof text);
  if (strcmp(kind, "fault") == 0)
    series_fault(r->series, t_ms, (uint32_t)number(line, "backend"), text);
  for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++)
    if (strcmp(kind, listed[i]) == 0)
      series_event(r->series, t_ms, kind, (uint32_t)number(line, "backend"), text);
}

static void read_line(reader *r, const char *line, int pass) {
  char kind[16] = "";
  char why[32];
  double t_ms;
  if (!log_text(line, "kind", kind, sizeof kind) || !log_number(line, "t_ms", &t_ms)) return;
  if (pass == 0) {
    if (strcmp(kind, "phase") == 0) read_phase(r, line, t_ms);
    return;
  }
  if (strcmp(kind, "client") == 0)
    read_client(r, line, t_ms);
  else if (strcmp(kind, "gauge") == 0)
    read_gauge(r, line, t_ms);
  else if (strcmp(kind, "scale") == 0)
    read_scale(r, line, t_ms);
  else if (strcmp(kind, "state") == 0)
    read_state(r, line, t_ms);
  else if (strcmp(kind, "config") == 0)
    log_text(line, "mode", r->t->mode, sizeof r->t->mode);
  else if (strcmp(kind, "retry") == 0)
    count(r, t_ms, offsetof(row, retries), 1);
  else if (strcmp(kind, "eject") == 0)
    count(r, t_ms, offsetof(row, ejections), 1);
  else if (strcmp(kind, "readmit") == 0)
    count(r, t_ms, offsetof(row, readmissions), 1);
  else if (strcmp(kind, "health") == 0 && log_text(line, "why", why, sizeof why) &&
           strcmp(why, "degraded") == 0)
    count(r, t_ms, offsetof(row, degradations), 1);
  else if (strcmp(kind, "pick") == 0 && number(line, "probe") > 0)
    count(r, t_ms, offsetof(row, probes), 1);
  read_note(r, line, kind, t_ms);
}

int table_read(table *ret, struct series *plots, const char *path) {
  *ret = (table){.rows = script_phases + 1};
  for (int i = 0; i < script_phases; i++) ret->row[i].name = script[i].name;
  whole(ret)->name = "all";
  reader r = {.t = ret, .series = plots};
  FILE *in = fopen(path, "r");
  if (in == NULL) return -1;
  char line[1024];
  for (int pass = 0; pass < 2; pass++) {
    rewind(in);
    while (fgets(line, sizeof line, in) != NULL) read_line(&r, line, pass);
  }
  fclose(in);
  return 0;
}

static double share_good(const row *w) {
  return w->gets != 0 ? 100.0 * w->gets_good / w->gets : 100.0;
}

void table_print(const table *t, FILE *out) {
  fprintf(out, "%-7s  %8s  %8s  %10s  %5s  %6s  %8s  %s\n", t->mode, "requests", "GET ok %",
          "POST fails", "p50", "p99 ms", "replicas", "what it did");
  for (int i = 0; i < t->rows; i++) {
    const row *w = &t->row[i];
    char did[160] = "";
    int n = 0;
    const struct {
      uint32_t count;
      const char *one, *many;
    } deeds[] = {{w->retries, "retry", "retries"},
                 {w->ejections, "ejection", "ejections"},
                 {w->degradations, "found slow", "found slow"},
                 {w->probes, "probe", "probes"},
                 {w->readmissions, "readmission", "readmissions"}};
    for (size_t k = 0; k < sizeof deeds / sizeof deeds[0]; k++)
      if (deeds[k].count != 0 && n >= 0 && (size_t)n < sizeof did)
        n += snprintf(did + n, sizeof did - (size_t)n, "%s%u %s", n > 0 ? ", " : "", deeds[k].count,
                      deeds[k].count == 1 ? deeds[k].one : deeds[k].many);
    if (w->scaled_up + w->scaled_down != 0 && n >= 0 && (size_t)n < sizeof did) {
      n += snprintf(did + n, sizeof did - (size_t)n, "%sreplicas", n > 0 ? ", " : "");
      if (w->scaled_up != 0) n += snprintf(did + n, sizeof did - (size_t)n, " +%u", w->scaled_up);
      if (w->scaled_down != 0 && (size_t)n < sizeof did)
        snprintf(did + n, sizeof did - (size_t)n, " -%u", w->scaled_down);
    }
    fprintf(out, "%-7s  %8u  %8.2f  %4u of %3u  %5.0f  %6.0f  %4d..%-2d  %s\n", w->name,
            w->gets + w->posts, share_good(w), w->posts_failed, w->posts,
            hist_quantile(&w->latency, 0.5), hist_quantile(&w->latency, 0.99), w->replicas_min,
            w->replicas_max, did[0] != '\0' ? did : "-");
  }
  fprintf(out, "%-7s  %.0f replica-seconds paid\n", "", t->replica_seconds);
}

void table_json(const table *t, struct evbuffer *out) {
  evbuffer_add_printf(out, "{\"mode\":\"%s\",\"replica_seconds\":%.0f,\"rows\":[", t->mode,
                      t->replica_seconds);
  for (int i = 0; i < t->rows; i++) {
    const row *w = &t->row[i];
    evbuffer_add_printf(
        out,
        "%s\n{\"name\":\"%s\",\"requests\":%u,\"get_ok\":%.3f,\"posts\":%u,\"post_fails\":%u,"
        "\"p50\":%.1f,\"p99\":%.1f,\"min\":%d,\"max\":%d,\"retries\":%u,\"ejections\":%u,"
        "\"degradations\":%u,\"readmissions\":%u,\"probes\":%u,\"up\":%u,\"down\":%u}",
        i > 0 ? "," : "", w->name, w->gets + w->posts, share_good(w), w->posts, w->posts_failed,
        hist_quantile(&w->latency, 0.5), hist_quantile(&w->latency, 0.99), w->replicas_min,
        w->replicas_max, w->retries, w->ejections, w->degradations, w->readmissions, w->probes,
        w->scaled_up, w->scaled_down);
  }
  evbuffer_add_printf(out, "]}");
}
