/* SPDX-License-Identifier: MIT */
/* Names and sentences for codes, and a detail put into words.
 *
 * I1  Every code has one row here; numbers are never reused.
 * I2  All texts are static; any number gets an answer. */
#include "config.h"

#include <trimtab/base.h>

#define CODES(X)                                                                           \
  X(TTB_OK, "done")                                                                        \
  X(TTB_ERR_MISUSE, "misuse: a NULL, a dead handle or a call that makes no sense here")    \
  X(TTB_ERR_NOMEM, "out of memory: the allocator returned NULL")                           \
  X(TTB_ERR_RANGE, "out of range: a slot, an outcome, or a field, which the _check "       \
                   "function names with its limits")                                       \
  X(TTB_ERR_NOSPACE, "no room: ask the _size function; raise capacity or threads; "        \
                     "or recover the dead")                                                \
  X(TTB_ERR_UNSUPPORTED, "unsupported: the program is newer than the library, or the "     \
                         "object was not made for this call")                              \
  X(TTB_ERR_CORRUPT, "corrupt region: its bytes contradict themselves")                    \
  X(TTB_ERR_VERSION, "region of another version or byte order: make a new one")            \
  X(TTB_ERR_MISMATCH, "region of another kind of object")                                  \
  X(TTB_ERR_UNKNOWN_ID, "unknown id: no endpoint, target or node has it")                  \
  X(TTB_ERR_DUPLICATE, "duplicate id: it is there already")                                \
  X(TTB_AGAIN, "not now: being set up or changed by another; try again")                   \
  X(TTB_STALE, "stale ticket: its round or endpoint is gone; nothing was changed")         \
  X(TTB_NO_ENDPOINT, "no endpoint may be picked")                                          \
  X(TTB_ALL_EXCLUDED, "all endpoints that may be picked are excluded")                     \
  X(TTB_OPEN, "circuit open: refused without a try")                                       \
  X(TTB_HALF_OPEN_FULL, "circuit half-open: all its probes are out")                       \
  X(TTB_LIMIT, "limit reached")                                                            \
  X(TTB_THROTTLED, "throttled to shed load")                                               \
  X(TTB_NO_PRIMARY, "no primary: nothing takes writes now")                                \
  X(TTB_TOO_STALE, "no replica is fresh enough")                                           \
  X(TTB_LOST_WRITE, "lost write: the position belongs to a history that was lost")   \
  X(TTB_NOT_ELIGIBLE, "the endpoint asked for may not be picked")                         \
  X(TTB_FORGED, "forged or damaged token: this key did not make it")

const char *ttb_strerror(int32_t code) {
  switch (code) {
#define TEXT(c, text) \
  case c: return text;
    CODES(TEXT)
#undef TEXT
  default: return code > 0 ? "done (a positive result)" : "unknown code";
  }
}

const char *ttb_errname(int32_t code) {
  switch (code) {
#define NAME(c, text) \
  case c: return #c;
    CODES(NAME)
#undef NAME
  default: return "TTB_?";
  }
}

const char *ttb_version(void) { return TTB_VERSION; }
uint32_t ttb_abi(void) { return TTB_ABI; }

/* A bounded writer that keeps counting past the end, as snprintf does. */
typedef struct text {
  char *buf;
  uint32_t n, len;
} text;

static void put_char(text *t, char c) {
  if (t->len + 1 < t->n) t->buf[t->len] = c;
  t->len++;
}

static void put(text *t, const char *s) {
  while (*s) put_char(t, *s++);
}

static void put_int(text *t, int64_t v) {
  char digits[20];
  int n = 0;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  if (v < 0) put_char(t, '-');
  do {
    digits[n++] = (char)('0' + u % 10);
  } while ((u /= 10) != 0);
  while (n > 0) put_char(t, digits[--n]);
}

int32_t ttb_detail_format(const ttb_detail *d, char *buf, uint32_t n) {
  if (!d || (!buf && n > 0)) return TTB_ERR_MISUSE;
  text t = {buf, n, 0};
  if (d->field) {
    put(&t, d->field);
    if (d->index >= 0) {
      put_char(&t, '[');
      put_int(&t, d->index);
      put_char(&t, ']');
    }
    put(&t, ": ");
  }
  if (d->code == TTB_ERR_RANGE && d->field) {
    put_int(&t, d->got);
    put(&t, " is not within ");
    put_int(&t, d->min);
    put(&t, "..");
    put_int(&t, d->max);
  } else {
    put(&t, ttb_strerror(d->code));
  }
  if (n > 0) buf[t.len < n ? t.len : n - 1] = 0;
  return (int32_t)t.len;
}
