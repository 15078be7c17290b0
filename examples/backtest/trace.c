/* SPDX-License-Identifier: MIT */
/* Reading load traces; see trace.h. */
#include "trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Faults told one by one; of more, only the number. */
#define TOLD 20
#define MAX_FIELDS 64

typedef struct reader {
  const char *path;
  const trace_how *how;
  size_t line, room;
  double fixed_step; /* of "# step_s=": then a row is one value */
  int value_at;      /* the value's column, from 0; -1: not known yet */
  int header_done;
} reader;

static void complain(const reader *r, trace *t, const char *what, const char *text) {
  if (++t->faults <= TOLD)
    fprintf(r->how->complaints, "%s:%zu: %s%s%.40s%s\n", r->path, r->line, what, text ? ": '" : "",
            text ? text : "", text ? "'" : "");
}

/* ---- fields ---- */

static char *trim(char *s) {
  while (*s == ' ' || *s == '\t') s++;
  size_t n = strlen(s);
  while (n > 0 && strchr(" \t\r\n", s[n - 1])) s[--n] = 0;
  if (n >= 2 && s[0] == '"' && s[n - 1] == '"') s[n - 1] = 0, s++;
  return s;
}

static int split(char *line, char **fields) {
  int n = 0;
  for (char *s = line; s && n < MAX_FIELDS; n++) {
    char *comma = strchr(s, ',');
    if (comma) *comma++ = 0;
    fields[n] = trim(s);
    s = comma;
  }
  return n;
}

static int number(const char *s, double *ret) {
  char *end;
  if (*s == 0 || strpbrk(s, "xXpP")) return -1;
  double v = strtod(s, &end);
  if (*end || !isfinite(v)) return -1;
  *ret = v;
  return 0;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static long days(int y, int m, int d) {
  long year = m > 2 ? y : y - 1, month = m > 2 ? m - 3 : m + 9; /* the year begins in March */
  return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + d - 719469;
}

/* YYYY-MM-DD[T ]HH:MM[:SS[.fraction]][Z|+hh:mm|-hh:mm] */
static int date(const char *s, double *ret) {
  static const int length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int y, mo, d, h = 0, mi = 0, used = 0;
  double sec = 0;
  char between;
  if (sscanf(s, "%4d-%2d-%2d%n", &y, &mo, &d, &used) != 3 || used != 10) return -1;
  if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > length[mo - 1]) return -1;
  if (mo == 2 && d == 29 && (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0))) return -1;
  s += used;
  if (*s) {
    used = 0;
    if (sscanf(s, "%c%2d:%2d%n", &between, &h, &mi, &used) != 3 || used != 6) return -1;
    if ((between != 'T' && between != ' ') || h < 0 || h > 23 || mi < 0 || mi > 59) return -1;
    s += used;
  }
  if (*s == ':') {
    if (s[1] < '0' || s[1] > '9') return -1;
    char *end;
    sec = strtod(s + 1, &end);
    if (sec >= 61) return -1;
    s = end;
  }
  double zone = 0;
  if (*s == 'Z') {
    s++;
  } else if (*s == '+' || *s == '-') {
    int zh, zm, sign = *s == '-' ? -1 : 1;
    used = 0;
    if (sscanf(s + 1, "%2d:%2d%n", &zh, &zm, &used) != 2 || used != 5 || zh < 0 || zh > 14 ||
        zm < 0 || zm > 59)
      return -1;
    zone = sign * (zh * 3600.0 + zm * 60);
    s += 1 + used;
  }
  if (*s) return -1;
  *ret = (double)days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone;
  return 0;
}

/* ---- rows ---- */

static int keep(reader *r, trace *t, double time, double value) {
  if (t->n == r->room) {
    size_t room = r->room ? 2 * r->room : 4096;
    double *times = realloc(t->time_s, room * sizeof *times);
    if (times) t->time_s = times;
    double *values = realloc(t->value, room * sizeof *values);
    if (values) t->value = values;
    if (!times || !values) {
      fprintf(r->how->complaints, "%s: no memory for %zu rows\n", r->path, room);
      return -1;
    }
    r->room = room;
  }
  if (t->n == 0) t->start_s = time;
  t->time_s[t->n] = time - t->start_s;
  t->value[t->n++] = value;
  return 0;
}

/* Which column holds the value; the first row may name them. */
static int columns(reader *r, trace *t, char **fields, int n) {
  double ignored;
  const char *want = r->how->column;
  int named = date(fields[0], &ignored) != 0 && number(fields[0], &ignored) != 0;
  r->header_done = 1;
  snprintf(t->column, sizeof t->column, "value");
  if (want && number(want, &ignored) == 0) {
    if (ignored < 2 || ignored > n || ignored != floor(ignored)) {
      fprintf(r->how->complaints, "%s:%zu: there is no column %s: the rows have %d, the first is "
              "the time\n", r->path, r->line, want, n);
      return -1;
    }
    r->value_at = (int)ignored - 1;
  } else if (want) {
    for (int i = 1; named && i < n; i++)
      if (strcmp(fields[i], want) == 0) r->value_at = i;
    if (r->value_at < 0) {
      fprintf(r->how->complaints, "%s:%zu: no column is called '%s'\n", r->path, r->line, want);
      return -1;
    }
  } else if (n > 2) {
    fprintf(r->how->complaints, "%s:%zu: %d columns: say which one is the load, --column NAME or "
            "NUMBER\n", r->path, r->line, n);
    return -1;
  } else {
    r->value_at = 1;
  }
  if (!named) return 1;
  if (r->value_at < n) snprintf(t->column, sizeof t->column, "%.63s", fields[r->value_at]);
  return 0;
}

static int row(reader *r, trace *t, char *line) {
  char *fields[MAX_FIELDS];
  double time = 0, value = 0;
  if (r->fixed_step > 0) {
    const char *only = trim(line);
    if (number(only, &value) || value < 0) {
      complain(r, t, "not a value of 0 or more", only);
      value = NAN; /* its time passes all the same */
    }
    time = (double)(r->header_done++) * r->fixed_step;
    return isnan(value) ? 0 : keep(r, t, time, value);
  }
  int n = split(line, fields);
  if (!r->header_done) {
    int code = columns(r, t, fields, n);
    if (code <= 0) return code;
  }
  if (n <= r->value_at) return complain(r, t, "too few columns", NULL), 0;
  if (date(fields[0], &time) == 0) {
    t->dated = 1;
  } else if (number(fields[0], &time) == 0) {
    time *= r->how->time_unit_s;
    if (time > 1e10) {
      fprintf(r->how->complaints, "%s:%zu: time %s is after the year 2286: if it is not in seconds, "
              "say --time-unit ms (or us, ns)\n", r->path, r->line, fields[0]);
      return -1;
    }
    t->dated |= time > 1e8;
  } else {
    return complain(r, t, "not a time (seconds, or like 2024-05-01T12:00:00Z)", fields[0]), 0;
  }
  if (number(fields[r->value_at], &value))
    return complain(r, t, "not a number", fields[r->value_at]), 0;
  if (value < 0) return complain(r, t, "a load below 0", fields[r->value_at]), 0;
  if (t->n > 0 && time - t->start_s <= t->time_s[t->n - 1])
    return complain(r, t, "not after the time of the row before", fields[0]), 0;
  return keep(r, t, time, value);
}

/* ---- the whole ---- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int measure_steps(const reader *r, trace *t) {
  double *steps = malloc((t->n - 1) * sizeof *steps);
  if (!steps) return fprintf(r->how->complaints, "%s: no memory\n", r->path), -1;
  for (size_t i = 1; i < t->n; i++) steps[i - 1] = t->time_s[i] - t->time_s[i - 1];
  qsort(steps, t->n - 1, sizeof *steps, by_size);
  t->step_s = steps[(t->n - 1) / 2];
  free(steps);
  for (size_t i = 1; i < t->n; i++)
    if (t->time_s[i] - t->time_s[i - 1] > 3 * t->step_s) t->gaps++;
  return 0;
}

static int read_all(reader *r, FILE *in, trace *t) {
  char *line = NULL;
  size_t size = 0;
  int code = 0;
  for (ssize_t got; code == 0 && (got = getline(&line, &size, in)) >= 0;) {
    r->line++;
    char *s = line;
    if (r->line == 1 && strncmp(s, "\xef\xbb\xbf", 3) == 0) s += 3; /* a byte order mark */
    if (strlen(line) != (size_t)got) {
      complain(r, t, "a zero byte: not text", NULL);
      continue;
    }
    const char *step = *s == '#' ? strstr(s, "step_s=") : NULL;
    if (step && t->n == 0) {
      r->fixed_step = strtod(step + 7, NULL);
      if (!(r->fixed_step > 0 && r->fixed_step < 1e8)) {
        complain(r, t, "step_s must be above 0", NULL);
        code = -1;
      }
      snprintf(t->column, sizeof t->column, "value");
    }
    if (*s == '#' || *trim(s) == 0) continue;
    code = row(r, t, s);
  }
  free(line);
  if (ferror(in)) return fprintf(r->how->complaints, "%s: %s\n", r->path, strerror(errno)), -1;
  return code;
}

int trace_read(const char *path, const trace_how *how, trace *ret) {
  reader r = {.path = path, .how = how, .value_at = -1};
  memset(ret, 0, sizeof *ret);
  FILE *in = fopen(path, "r");
  if (!in) return fprintf(how->complaints, "%s: %s\n", path, strerror(errno)), -1;
  int code = read_all(&r, in, ret);
  fclose(in);
  if (ret->faults > TOLD)
    fprintf(how->complaints, "%s: and %zu more rows like these\n", path, ret->faults - TOLD);
  if (code == 0 && ret->faults > 0 && !how->skip_bad) {
    fprintf(how->complaints, "%s: %zu bad rows: mend them, or leave them out with --skip-bad\n", path,
            ret->faults);
    code = -1;
  }
  if (code == 0 && ret->n < 2) {
    fprintf(how->complaints, "%s: %zu rows: a trace needs two at least\n", path, ret->n);
    code = -1;
  }
  if (code == 0) code = measure_steps(&r, ret);
  if (code) trace_free(ret);
  return code;
}

void trace_free(trace *t) {
  free(t->time_s);
  free(t->value);
  memset(t, 0, sizeof *t);
}

double trace_length_s(const trace *t) { return t->time_s[t->n - 1] + t->step_s; }

double trace_mean(const trace *t) {
  double sum = 0;
  for (size_t i = 0; i < t->n; i++)
    sum += t->value[i] * ((i + 1 < t->n ? t->time_s[i + 1] : trace_length_s(t)) - t->time_s[i]);
  return sum / trace_length_s(t);
}

/* The integral of the load from the begin of row i over `span` seconds, not past its end. */
static double area(const trace *t, size_t i, double span, int linear) {
  double first = t->value[i];
  if (!linear || i + 1 == t->n) return first * span;
  double length = t->time_s[i + 1] - t->time_s[i];
  if (length > 3 * t->step_s) return first * span;
  return (first + (t->value[i + 1] - first) * span / length / 2) * span;
}

size_t trace_ticks(const trace *t, double tick_s, int linear, double **ret) {
  double ticks = ceil(trace_length_s(t) / tick_s - 1e-9);
  double *load = ticks < 1e9 ? malloc((size_t)ticks * sizeof *load) : NULL;
  if (!load) return 0;
  size_t n = (size_t)ticks, row = 0;
  for (size_t k = 0; k < n; k++) {
    double from = (double)k * tick_s, to = from + tick_s, sum = 0;
    for (double at = from; at < to;) {
      while (row + 1 < t->n && t->time_s[row + 1] <= at) row++;
      double end = row + 1 < t->n && t->time_s[row + 1] < to ? t->time_s[row + 1] : to;
      sum += area(t, row, end - t->time_s[row], linear) - area(t, row, at - t->time_s[row], linear);
      at = end;
    }
    load[k] = sum > 0 ? sum / tick_s : 0;
  }
  *ret = load;
  return n;
}
