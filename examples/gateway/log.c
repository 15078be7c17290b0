/* SPDX-License-Identifier: MIT */
/* Writing and reading the event log; see log.h. */
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

int log_open(event_log *ret, const char *path, int fresh) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644);
  if (fd < 0) return -1;
  ret->fd = fd;
  ret->zero_ns = now_ns();
  return 0;
}

void log_close(event_log *log) {
  if (log->fd >= 0) close(log->fd);
  log->fd = -1;
}

double log_ms(const event_log *log, uint64_t t_ns) {
  return ((double)t_ns - (double)log->zero_ns) / 1e6;
}

static void append(const event_log *log, uint64_t t_ns, const char *kind, const char *fields,
                   va_list ap) {
  if (log->fd < 0) return;
  char line[512];
  int n = snprintf(line, sizeof line, "{\"t_ms\":%.3f,\"kind\":\"%s\"%s", log_ms(log, t_ns), kind,
                   fields[0] != '\0' ? "," : "");
  if (n < 0 || (size_t)n >= sizeof line - 3) return;
  int m = vsnprintf(line + n, sizeof line - (size_t)n - 2, fields, ap);
  if (m < 0 || (size_t)(n + m) >= sizeof line - 2) return;
  n += m;
  line[n++] = '}';
  line[n++] = '\n';
  /* A full disk loses events, never requests. */
  ssize_t written = write(log->fd, line, (size_t)n);
  (void)written;
}

void log_event(const event_log *log, const char *kind, const char *fields, ...) {
  va_list ap;
  va_start(ap, fields);
  append(log, now_ns(), kind, fields, ap);
  va_end(ap);
}

void log_event_at(const event_log *log, uint64_t t_ns, const char *kind, const char *fields, ...) {
  va_list ap;
  va_start(ap, fields);
  append(log, t_ns, kind, fields, ap);
  va_end(ap);
}

/* Where the value of a key begins, or NULL. */
static const char *value_of(const char *line, const char *key) {
  char pattern[64];
  int n = snprintf(pattern, sizeof pattern, "\"%s\":", key);
  if (n < 0 || (size_t)n >= sizeof pattern) return NULL;
  const char *at = strstr(line, pattern);
  return at == NULL ? NULL : at + n;
}

int log_number(const char *line, const char *key, double *ret) {
  const char *at = value_of(line, key);
  if (at == NULL) return 0;
  char *end;
  double x = strtod(at, &end);
  if (end == at) return 0;
  *ret = x;
  return 1;
}

int log_text(const char *line, const char *key, char *ret, size_t n) {
  const char *at = value_of(line, key);
  if (at == NULL || *at != '"' || n == 0) return 0;
  at++;
  size_t len = strcspn(at, "\"\n");
  if (len >= n) len = n - 1;
  memcpy(ret, at, len);
  ret[len] = '\0';
  return 1;
}
