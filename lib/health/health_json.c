/* SPDX-License-Identifier: MIT */
/* A view as application/health+json, draft-inadarei-api-health-check-06.
 *
 *     {"status":"warn","serviceId":"...","version":"...","description":"...",
 *      "checks":{"db:responseTime":[{"componentId":"...","componentType":"datastore",
 *        "observedValue":12.5,"observedUnit":"ms","status":"warn",
 *        "time":"2026-01-31T12:00:00.000Z","output":"slow"}]}}
 *
 * I1  Nothing is ever written at or past buf + size; the text is cut between
 *     characters (escapes included) and nothing follows a cut.
 * I2  What is written is valid UTF-8 and valid JSON whatever the caller's texts
 *     hold: ill-formed sequences become U+FFFD (Unicode 3.9, table 3-7).
 * I3  `status` stands in front but is known last: its four letters are put in
 *     at the end ("pass", "warn" and "fail" are equally long). */
#include "health_view.h"

#include <string.h>

typedef struct out {
  char *at, *end; /* room for text; the NUL comes after. Equal after a cut (I1) */
  uint64_t lost;  /* bytes for which there was no room */
} out;

/* What does not fit: as much as there is room for. */
static TTB__SELDOM void put_cut(out *o, const char *s, uint64_t n) {
  uint64_t room = (uint64_t)(o->end - o->at);
  memcpy(o->at, s, (size_t)room);
  o->at = o->end;
  o->lost += n - room;
}

/* ASCII, which may be cut anywhere. In line: most pieces are constants. */
static inline void put(out *o, const char *s, uint64_t n) {
  if (n > (uint64_t)(o->end - o->at)) {
    put_cut(o, s, n);
    return;
  }
  memcpy(o->at, s, (size_t)n);
  o->at += n;
}
#define PUT(o, literal) put(o, literal, sizeof(literal) - 1)

/* What must not be cut in the middle. */
static void put_whole(out *o, const char *s, uint64_t n) {
  if (n > (uint64_t)(o->end - o->at)) o->end = o->at;
  put(o, s, n);
}

/* ---- texts ---- */

static bool within(unsigned char c, unsigned lo, unsigned hi) { return c >= lo && c <= hi; }

/* Bytes of the well-formed character at s, 0 if it is none. A NUL ends s. */
static uint32_t utf8_length(const unsigned char *s) {
  unsigned c = s[0], lo = 0x80, hi = 0xbf;
  uint32_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5              ? 4
                                                    : 0;
  if (n < 2) return n;
  if (c == 0xe0) lo = 0xa0; /* overlong */
  if (c == 0xed) hi = 0x9f; /* surrogates */
  if (c == 0xf0) lo = 0x90; /* overlong */
  if (c == 0xf4) hi = 0x8f; /* above U+10FFFF */
  if (!within(s[1], lo, hi)) return 0;
  for (uint32_t i = 2; i < n; i++)
    if (!within(s[i], 0x80, 0xbf)) return 0;
  return n;
}

static void put_escape(out *o, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  switch (c) {
  case '"': put_whole(o, "\\\"", 2); return;
  case '\\': put_whole(o, "\\\\", 2); return;
  case '\n': put_whole(o, "\\n", 2); return;
  case '\r': put_whole(o, "\\r", 2); return;
  case '\t': put_whole(o, "\\t", 2); return;
  default: put_whole(o, u, 6);
  }
}

/* 1 for what stands for itself: ASCII but for controls, '"' and '\\'. */
#define ONES_8 1, 1, 1, 1, 1, 1, 1, 1
#define ONES_16 ONES_8, ONES_8
static const unsigned char plain[256] = {
    [' '] = 1, 1, 0, 1, 1, 1, 1, 1, ONES_8, /* no '"' */
    ['0'] = ONES_16, ['@'] = ONES_16,
    ['P'] = ONES_8, 1, 1, 1, 1, 0, 1, 1, 1, /* no '\\' */
    ['`'] = ONES_16, ['p'] = ONES_8, 1, 1, 1, 1, 1, 1, 1, 0,
};

/* A text's inside, without the quotes. */
static void put_text(out *o, const char *text) {
  const unsigned char *s = (const unsigned char *)text;
  for (;;) {
    char *at = o->at;
    while (plain[*s] && at < o->end) *at++ = (char)*s++;
    o->at = at;
    while (plain[*s]) s++, o->lost++;
    if (!*s) return;
    uint32_t n = utf8_length(s);
    if (n == 1)
      put_escape(o, *s);
    else if (n == 0)
      put_whole(o, "\xef\xbf\xbd", 3);
    else
      put_whole(o, (const char *)s, n);
    s += n ? n : 1;
  }
}

/* before text after, if there is a text. */
#define PAIR(o, before, text, after) \
  do {                               \
    if (!(text)) break;              \
    PUT(o, before);                  \
    put_text(o, text);               \
    PUT(o, after);                   \
  } while (0)

/* ---- numbers ---- */

static void two_digits(char *at, uint32_t v) {
  at[0] = (char)('0' + v / 10);
  at[1] = (char)('0' + v % 10);
}
static void three_digits(char *at, uint32_t v) {
  at[0] = (char)('0' + v / 100);
  two_digits(at + 1, v % 100);
}

static void put_number(out *o, uint64_t v) {
  char digits[20];
  uint32_t n = 0;
  do {
    digits[sizeof digits - ++n] = (char)('0' + v % 10);
  } while ((v /= 10) != 0);
  put(o, digits + sizeof digits - n, n);
}

/* ms with up to three places: 12.345, 12.5, 12 */
static void put_ms(out *o, uint64_t ns) {
  uint64_t us = (ns + 500) / 1000;
  char rest[4] = ".";
  uint32_t n = 4;
  three_digits(rest + 1, (uint32_t)(us % 1000));
  while (n > 1 && rest[n - 1] == '0') n--;
  put_number(o, us / 1000);
  if (n > 1) put(o, rest, n);
}

/* ISO 8601 in UTC. Days to date after H. Hinnant, "chrono-compatible low-level
 * date algorithms": eras of 400 years that begin on 1 March. */
static void put_time(out *o, uint64_t unix_ms) {
  uint32_t ms_of_day = (uint32_t)(unix_ms % 86400000), seconds = ms_of_day / 1000;
  uint32_t z = (uint32_t)(unix_ms / 86400000) + 719468, era = z / 146097, doe = z % 146097;
  uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  uint32_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  uint32_t year = yoe + era * 400 + (month <= 2);
  char text[] = "0000-00-00T00:00:00.000Z";
  two_digits(text, year / 100);
  two_digits(text + 2, year % 100);
  two_digits(text + 5, month);
  two_digits(text + 8, day);
  two_digits(text + 11, seconds / 3600);
  two_digits(text + 14, seconds / 60 % 60);
  two_digits(text + 17, seconds % 60);
  three_digits(text + 20, ms_of_day % 1000);
  put(o, text, sizeof text - 1);
}

/* ---- members ---- */

static const char *status_word(int32_t status) {
  return status == TTB_STATUS_HEALTHY ? "pass" : status == TTB_STATUS_DEGRADED ? "warn" : "fail";
}

/* Why it does not pass, in words. */
static void put_reason(out *o, const ttb__health *t, uint32_t slot, ttb__member_state m,
                       uint64_t now) {
  uint64_t since = ttb__load_rlx(&t->slots[slot].since);
  uint32_t reason = TTB_HEALTH_BY_NOTHING;
  if (ttb__since_fits(since, ttb__target_gen(m.word), m.level)) reason = ttb__since_reason(since);
  if (m.level == TTB_STATUS_STALE) {
    PUT(o, "no report for ");
    put_number(o, ttb__ms_since(m.word, now));
    PUT(o, " ms");
  } else if (m.level == TTB_STATUS_UNKNOWN) {
    PUT(o, "no report yet");
  } else if (reason == TTB_HEALTH_BY_LATENCY) {
    PUT(o, "slow");
  } else if (reason == TTB_HEALTH_BY_TRAFFIC) {
    PUT(o, "calls failed");
  } else if (reason == TTB_HEALTH_BY_HAND) {
    PUT(o, "set by hand");
  } else if (ttb__target_verdict(m.word).row == 0) {
    PUT(o, "no report yet");
  } else {
    PUT(o, "probes failed");
  }
}

static void put_member(out *o, const ttb__health *t, const ttb_health_view *v,
                       const ttb_health_member *row, ttb__member_state m, uint64_t now) {
  uint64_t latency = ttb__load_rlx(&t->slots[row->slot].latency);
  latency = ttb__tagged_of(latency, ttb__target_gen(m.word));
  PUT(o, "{");
  PAIR(o, "\"componentId\":\"", row->id, "\",");
  PAIR(o, "\"componentType\":\"", row->type, "\",");
  if (latency > 0) {
    PUT(o, "\"observedValue\":");
    put_ms(o, latency);
    PUT(o, ",\"observedUnit\":\"ms\",");
  }
  PUT(o, "\"status\":\"");
  put(o, status_word(m.counted), 4);
  PUT(o, "\"");
  if (v->wall_ms && ttb__target_verdict(m.word).row > 0) {
    uint64_t age = ttb__ms_since(m.word, now);
    PUT(o, ",\"time\":\"");
    put_time(o, age < v->wall_ms ? v->wall_ms - age : 0);
    PUT(o, "\"");
  }
  if (m.counted != TTB_STATUS_HEALTHY) {
    PUT(o, ",\"output\":\"");
    if (row->output)
      put_text(o, row->output);
    else
      put_reason(o, t, row->slot, m, now);
    PUT(o, "\"");
  }
  PUT(o, "}");
}

#define MEASUREMENT "responseTime"

static const char *measurement_of(const ttb_health_member *m) {
  return m->measurement ? m->measurement : MEASUREMENT;
}

static bool same_text(const char *a, const char *b) {
  if (a == b) return true;
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* The rows of one component and measurement share an array. */
static void put_key(out *o, const ttb_health_member *m, const ttb_health_member *before) {
  if (before && same_text(m->name, before->name) &&
      same_text(measurement_of(m), measurement_of(before))) {
    PUT(o, ",");
    return;
  }
  if (before) PUT(o, "],");
  PUT(o, "\"");
  put_text(o, m->name);
  if (m->measurement) {
    PUT(o, ":");
    put_text(o, m->measurement);
    PUT(o, "\":[");
  } else {
    PUT(o, ":" MEASUREMENT "\":[");
  }
}

#define OPENING "{\"status\":\""

int64_t ttb_health_json(const ttb_health *h, const ttb_health_view *view, uint64_t now_ns,
                        char *buf, uint64_t size, ttb_health_summary *ret_summary) {
  const ttb__health *t = ttb__health_of(h);
  ttb_health_view v;
  ttb_health_member row[2]; /* this one and the one before, in turns */
  ttb__tally y = {{0}, 0, 0, 0};
  if (!t || (!buf && size > 0)) return TTB_ERR_MISUSE;
  int32_t code = ttb__view_check(t, view, &v, NULL);
  if (code < 0) return code;
  if (ret_summary && (code = ttb__tally_write(&y, &v, ret_summary)) < 0) return code;

  uint64_t now = ttb__health_look(t, now_ns);
  char none[1], *start = size > 0 ? buf : none;
  uint64_t room = size > 0 ? size - 1 : 0;
  out o = {start, start + room, 0};
  PUT(&o, OPENING "????\"");
  PAIR(&o, ",\"serviceId\":\"", v.service_id, "\"");
  PAIR(&o, ",\"version\":\"", v.version, "\"");
  PAIR(&o, ",\"description\":\"", v.description, "\"");
  if (v.count > 0) PUT(&o, ",\"checks\":{");
  for (uint32_t i = 0; i < v.count; i++) {
    ttb_health_member *m = &row[i & 1], *before = i ? &row[~i & 1] : NULL;
    if ((code = ttb__member_read(t, &v, i, m, NULL)) < 0) return code;
    ttb__member_state state = ttb__member_state_of(t, &v, m->slot, now);
    ttb__tally_add(&y, m->criticality, state);
    put_key(&o, m, before);
    put_member(&o, t, &v, m, state, now);
  }
  if (v.count > 0) PUT(&o, "]}");
  PUT(&o, "}");

  const char *word = status_word(ttb__tally_status(&y, &v));
  for (uint64_t i = 0, at = sizeof OPENING - 1; i < 4 && at + i < room; i++) buf[at + i] = word[i];
  *o.at = 0;
  if (ret_summary) (void)ttb__tally_write(&y, &v, ret_summary);
  return (int64_t)((uint64_t)(o.at - start) + o.lost);
}
