/* SPDX-License-Identifier: MIT */
/* What a set of targets comes to.
 *
 * The worst of them, as ASP.NET's HealthReport and MicroProfile Health have it,
 * with two softenings: an optional member is at the worst a warning, an info
 * member only shown. Or k of n, as Amazon Route 53's calculated health checks,
 * with a middle level.
 *
 * I1  Names and rows stay the caller's; the region knows slots only. All rows
 *     are checked before anything is written.
 * I2  Each member's state word is read once; summary and text agree. */
#include "health_view.h"

#include <string.h>

int32_t ttb__view_read(const ttb_health_view *view, ttb_health_view *ret, ttb_detail *d) {
  int32_t code = ttb__config_read(&ttb__health_view_fields, view, ret, -1, d);
  if (code < 0) return code;
  if (ret->count > 0 && !ret->members)
    return ttb__fail(d, TTB_ERR_MISUSE, "members", -1, 0, 0, 0);
  return TTB_OK;
}

static bool name_is_good(const char *name) {
  if (!name || !*name) return false;
  for (; *name; name++)
    if (*name == ':') return false;
  return true;
}

int32_t ttb__member_read(const ttb__health *t, const ttb_health_view *v, uint32_t i,
                         ttb_health_member *ret, ttb_detail *d) {
  uint32_t stride;
  memcpy(&stride, v->members, sizeof stride);
  const unsigned char *row = (const unsigned char *)v->members + (uint64_t)stride * i;
  memcpy(&ret->struct_size, row, sizeof stride);
  if (ret->struct_size != stride)
    return ttb__fail(d, TTB_ERR_RANGE, "struct_size", (int32_t)i, ret->struct_size, stride, stride);
  if (stride == sizeof *ret) { /* the same, without the table's tour: this is hot in json */
    memcpy(ret, row, sizeof *ret);
    if (ret->criticality < 0 || ret->criticality > TTB_HEALTH_INFO)
      return ttb__fail(d, TTB_ERR_RANGE, "criticality", (int32_t)i, ret->criticality, 0,
                       TTB_HEALTH_INFO);
    if (ret->reserved != 0)
      return ttb__fail(d, TTB_ERR_RANGE, "reserved", (int32_t)i, ret->reserved, 0, 0);
  } else {
    int32_t code = ttb__config_read(&ttb__health_member_fields, row, ret, (int32_t)i, d);
    if (code < 0) return code;
  }
  if (ret->slot >= t->capacity)
    return ttb__fail(d, TTB_ERR_RANGE, "slot", (int32_t)i, ret->slot, 0, t->capacity - 1);
  if (!ret->name) return ttb__fail(d, TTB_ERR_MISUSE, "name", (int32_t)i, 0, 0, 0);
  return TTB_OK;
}

int32_t ttb__view_check(const ttb__health *t, const ttb_health_view *view, ttb_health_view *ret,
                        ttb_detail *d) {
  ttb_health_member m;
  int32_t code = ttb__view_read(view, ret, d);
  for (uint32_t i = 0; code >= 0 && i < ret->count; i++) {
    code = ttb__member_read(t, ret, i, &m, d);
    if (code >= 0 && !name_is_good(m.name))
      code = ttb__fail(d, TTB_ERR_MISUSE, "name", (int32_t)i, 0, 0, 0);
  }
  return code;
}

int32_t ttb_health_view_check(const ttb_health *h, const ttb_health_view *view,
                              ttb_detail *ret_detail) {
  const ttb__health *t = ttb__health_of(h);
  ttb_health_view v;
  if (!t) return ttb__fail(ret_detail, TTB_ERR_MISUSE, "health", -1, 0, 0, 0);
  return ttb__view_check(t, view, &v, ret_detail);
}

ttb__member_state ttb__member_state_of(const ttb__health *t, const ttb_health_view *v,
                                       uint32_t slot, uint64_t now) {
  ttb__member_state m = {.word = ttb__load_rlx(&t->slots[slot].state)};
  m.level = ttb__health_level(t, m.word, now);
  switch (m.level) {
  case TTB_STATUS_UNKNOWN: m.counted = v->unknown_as; break;
  case TTB_STATUS_DEGRADED: m.counted = v->degraded_as; break;
  case TTB_STATUS_STALE: m.counted = v->stale_as; break;
  default: m.counted = (int32_t)m.level;
  }
  return m;
}

void ttb__tally_add(ttb__tally *y, int32_t criticality, ttb__member_state m) {
  y->by_level[m.level]++;
  if (criticality == TTB_HEALTH_INFO) return;
  y->pass += m.counted == TTB_STATUS_HEALTHY;
  y->warn += m.counted == TTB_STATUS_DEGRADED;
  if (criticality == TTB_HEALTH_OPTIONAL && m.counted > TTB_STATUS_DEGRADED)
    m.counted = TTB_STATUS_DEGRADED;
  if (m.counted > y->worst) y->worst = m.counted;
}

int32_t ttb__tally_status(const ttb__tally *y, const ttb_health_view *v) {
  if (v->at_least == 0) return y->worst ? y->worst : TTB_STATUS_HEALTHY;
  uint32_t k = v->at_least > 0 ? (uint32_t)v->at_least : 0;
  if (y->pass >= k) return TTB_STATUS_HEALTHY;
  return y->pass + y->warn >= k ? TTB_STATUS_DEGRADED : TTB_STATUS_UNHEALTHY;
}

int32_t ttb__tally_write(const ttb__tally *y, const ttb_health_view *v, ttb_health_summary *ret) {
  if (!ret) return TTB_OK;
  int32_t status = ttb__tally_status(y, v);
  ttb_health_summary s = {
      .status = status,
      .http_code = status == TTB_STATUS_HEALTHY    ? v->http_pass
                   : status == TTB_STATUS_DEGRADED ? v->http_warn
                                                   : v->http_fail,
      .healthy = y->by_level[TTB_STATUS_HEALTHY],
      .degraded = y->by_level[TTB_STATUS_DEGRADED],
      .unhealthy = y->by_level[TTB_STATUS_UNHEALTHY],
      .unknown = y->by_level[TTB_STATUS_UNKNOWN],
      .stale = y->by_level[TTB_STATUS_STALE],
  };
  return ttb__struct_write(&ttb__health_summary_fields, &s, ret);
}

int32_t ttb_health_overall(const ttb_health *h, const ttb_health_view *view, uint64_t now_ns,
                           ttb_health_summary *ret_summary) {
  const ttb__health *t = ttb__health_of(h);
  ttb_health_view v;
  ttb_health_member m;
  ttb__tally y = {{0}, 0, 0, 0};
  if (!t) return TTB_ERR_MISUSE;
  int32_t code = ttb__view_check(t, view, &v, NULL);
  if (code < 0) return code;
  uint64_t now = ttb__health_look(t, now_ns);
  for (uint32_t i = 0; i < v.count; i++) {
    if ((code = ttb__member_read(t, &v, i, &m, NULL)) < 0) return code;
    ttb__tally_add(&y, m.criticality, ttb__member_state_of(t, &v, m.slot, now));
  }
  code = ttb__tally_write(&y, &v, ret_summary);
  return code < 0 ? code : ttb__tally_status(&y, &v);
}
