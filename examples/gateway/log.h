/* SPDX-License-Identifier: MIT */
/* The event log: every decision, one JSON object a line.
 *
 *     {"t_ms":1234.567,"kind":"pick","req":17,"try":1,"backend":3,"probe":0}
 *
 * The gateway and its load generator append to one file.
 * I1  A line is one write() to a file opened with O_APPEND, so lines of two
 *     processes never mix. They are sorted by time only within a process.
 * I2  Lines are flat: no nested object or array, no quote inside a string.
 *     That is what lets log_number and log_text be a search. */
#ifndef GATEWAY_LOG_H
#define GATEWAY_LOG_H

#include <stddef.h>
#include <stdint.h>

typedef struct event_log {
  int fd;           /* -1: events go nowhere */
  uint64_t zero_ns; /* what t_ms counts from */
} event_log;

/* Opens for appending; `fresh` empties the file first. 0, or -1 and errno. */
int log_open(event_log *ret, const char *path, int fresh);
void log_close(event_log *log);

/* Milliseconds since the log's zero (negative before it). */
double log_ms(const event_log *log, uint64_t t_ns);

/* Appends a line. `fields` is a printf format for what follows "kind":
 * `"backend":%u,"why":"%s"`; it may be "". */
void log_event(const event_log *log, const char *kind, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
/* The same at a time of one's own choice. */
void log_event_at(const event_log *log, uint64_t t_ns, const char *kind, const char *fields, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads a field of a line. 1 if it is there, else 0 and *ret untouched. */
int log_number(const char *line, const char *key, double *ret);
int log_text(const char *line, const char *key, char *ret, size_t n);

#endif
