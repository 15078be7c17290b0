/* SPDX-License-Identifier: MIT */
/* Knative's decision: stable and panic, rates, activation, scale-down delay.
 *
 * After Scale() in pkg/autoscaler/scaling/autoscaler.go and
 * pkg/autoscaler/aggregation/max of knative/serving@98e5ef90.
 *
 * I1  The double operations are upstream's in its order (../base/fp.h).
 * I2  While it panics the count never falls.
 * I3  The delay's steps are upstream's ticks of 2 s. */
#include "knative.h"

#include <string.h>

#define STEP_NS UINT64_C(2000000000)
#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_knative_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, unreachable, "", 0, 1, 0, 0),
    C(I64, target_milli, "milli", 1, INT64_MAX, 0, 0),
    C(I64, total_milli, "milli", 0, INT64_MAX, 0, 0),
    C(I64, burst_milli, "milli", 0, INT64_MAX, 0, TTB__MAY_BE_OFF),
    C(I64, up_rate_milli, "milli", 1001, 1000000000, 1000000, 0),
    C(I64, down_rate_milli, "milli", 1001, 1000000000, 2000, 0),
    C(I64, panic_milli, "milli", 1000, 1000000000, 2000, 0),
    C(I32, stable_ms, "ms", 1, 3600000, 60000, TTB__MAY_BE_OFF),
    C(U32, delay_ms, "ms", 0, 3600000, 0, 0),
    C(U32, activation, "replicas", 0, 10000000, 0, 0),
    C(U32, min_replicas, "replicas", 0, 10000000, 0, 0),
    C(U32, max_replicas, "replicas", 0, 10000000, 0, 0),
    C(U32, reserved, "", 0, 0, 0, 0),
};
static const ttb__struct config_struct = TTB__STRUCT(ttb_knative_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_knative_input, type, field, unit)

static const ttb__field input_fields[] = {
    I(U32, struct_size, "bytes"),  I(U32, missing, ""),          I(I32, ready, "replicas"),
    I(U32, reserved, ""),          I(I64, stable_milli, "milli"), I(I64, panic_milli, "milli"),
};
static const ttb__struct input_struct = TTB__STRUCT(ttb_knative_input, input_fields);

#define D(type, field, unit) TTB__OUT(ttb_knative_decision, type, field, unit)

static const ttb__field decision_fields[] = {
    D(U32, struct_size, "bytes"),        D(I32, desired, "replicas"),
    D(U32, valid, ""),                   D(U32, panicking, ""),
    D(I32, stable, "replicas"),          D(I32, panic, "replicas"),
    D(I32, most, "replicas"),            D(I32, least, "replicas"),
    D(I32, panic_maximum, "replicas"),   D(I32, delayed, ""),
    D(I64, excess_burst_milli, "milli"), D(I64, panic_age_ms, "ms"),
    D(I64, next_change_ms, "ms"),
};
static const ttb__struct decision_struct = TTB__STRUCT(ttb_knative_decision, decision_fields);

/* ---- the sliding maximum ---- */

static uint64_t *place(ttb__sliding_max *m, uint32_t i) {
  uint32_t at = m->head + i;
  return &m->entry[at < TTB_KNATIVE_MAX_BUCKETS ? at : at - TTB_KNATIVE_MAX_BUCKETS];
}

void ttb__sliding_max_record(ttb__sliding_max *m, uint32_t size, uint32_t index, int32_t value) {
  if (m->head >= TTB_KNATIVE_MAX_BUCKETS || m->count > TTB_KNATIVE_MAX_BUCKETS)
    m->head = m->count = 0;
  while (m->count > 0 && index - (uint32_t)*place(m, 0) >= size) {
    m->head = m->head + 1 < TTB_KNATIVE_MAX_BUCKETS ? m->head + 1 : 0;
    m->count--;
  }
  while (m->count > 0 && (int32_t)(*place(m, m->count - 1) >> 32) <= value) m->count--;
  /* A larger one of the same index already stands for it. */
  if (m->count > 0 && (uint32_t)*place(m, m->count - 1) == index) return;
  if (m->count == TTB_KNATIVE_MAX_BUCKETS) return;
  *place(m, m->count++) = (uint64_t)(uint32_t)value << 32 | index;
}

int32_t ttb__sliding_max_current(const ttb__sliding_max *m) {
  bool sound = m->count > 0 && m->head < TTB_KNATIVE_MAX_BUCKETS;
  return sound ? (int32_t)(m->entry[m->head] >> 32) : 0;
}

uint32_t ttb__sliding_max_left(const ttb__sliding_max *m, uint32_t size, uint32_t index) {
  if (m->count < 2 || m->head >= TTB_KNATIVE_MAX_BUCKETS) return 0;
  uint32_t age = index - (uint32_t)m->entry[m->head];
  return age < size ? size - age : 0;
}

/* ---- the rule ---- */

static int32_t at_most_32(int64_t n) { return n > INT32_MAX ? INT32_MAX : (int32_t)n; }

static ttb__fp positive(int64_t n) { return ttb__fp_int(n > 0 ? (uint64_t)n : 0); }

static ttb__fp milli(int64_t n) { return ttb__fp_div(positive(n), ttb__fp_int(1000)); }

static int32_t between(int32_t n, int32_t least, int32_t most) {
  int32_t raised = n > least ? n : least;
  return raised < most ? raised : most;
}

/* ready * total - burst - panic, saturating. */
static int64_t excess_of(const ttb_knative_config *c, const ttb_knative_input *in) {
  if (c->burst_milli == 0) return 0;
  if (c->burst_milli < 0) return -1000;
  int64_t total = c->total_milli;
  if (total == 0) /* 70 % of the total is the target */
    total = c->target_milli < INT64_MAX / 10 ? c->target_milli * 10 / 7 : INT64_MAX;
  int64_t room = in->ready > 0 && total > INT64_MAX / in->ready ? INT64_MAX : total * in->ready;
  int64_t panic = in->panic_milli > 0 ? in->panic_milli : 0;
  room -= c->burst_milli; /* neither is below 0 */
  return room < INT64_MIN + panic ? INT64_MIN : room - panic;
}

static void panic_or_not(ttb__knative *k, const ttb_knative_config *c, int64_t wanted,
                         int64_t ready, uint64_t now) {
  uint64_t stable_ns = c->stable_ms < 0 ? 0 : (uint64_t)c->stable_ms * 1000000;
  /* wanted / ready >= threshold */
  if (wanted * 1000 >= c->panic_milli * ready) {
    k->panicking = 1;
    k->panic_since = now;
  } else if (k->panicking && now - k->panic_since > stable_ns) {
    k->panicking = 0;
    k->panic_maximum = 0;
  }
}

static void decide(ttb__knative *k, const ttb_knative_config *c, const ttb_knative_input *in,
                   uint64_t now, ttb_knative_decision *d) {
  int32_t ready = in->ready > 0 ? in->ready : 1;
  ttb__fp r = positive(ready), target = positive(c->target_milli);
  d->most = at_most_32(ttb__fp_ceil(ttb__fp_mul(milli(c->up_rate_milli), r)));
  d->least =
      c->unreachable ? 0 : at_most_32(ttb__fp_floor(ttb__fp_div(r, milli(c->down_rate_milli))));
  int32_t by_stable = at_most_32(ttb__fp_ceil(ttb__fp_div(positive(in->stable_milli), target)));
  int32_t by_panic = at_most_32(ttb__fp_ceil(ttb__fp_div(positive(in->panic_milli), target)));
  d->stable = between(by_stable, d->least, d->most);
  d->panic = between(by_panic, d->least, d->most);
  if (c->activation > 1) {
    int32_t a = (int32_t)c->activation;
    if (by_stable > 0 && d->stable < a) d->stable = a;
    if (by_panic > 0 && d->panic < a) d->panic = a;
  }
  panic_or_not(k, c, by_panic, ready, now);
  int32_t x = d->stable;
  if (k->panicking) {
    if (d->panic > x) x = d->panic;
    if (x > k->panic_maximum) k->panic_maximum = x;
    x = k->panic_maximum;
  }
  uint32_t size = (uint32_t)((c->delay_ms + 1999) / 2000), index = (uint32_t)(now / STEP_NS);
  if (size > 0 && !c->unreachable) {
    ttb__sliding_max_record(&k->delay, size, index, x);
    int32_t delayed = ttb__sliding_max_current(&k->delay);
    d->delayed = delayed != x;
    x = delayed;
  }
  if (c->max_replicas > 0 && x > (int32_t)c->max_replicas) x = (int32_t)c->max_replicas;
  if (x < (int32_t)c->min_replicas) x = (int32_t)c->min_replicas;
  d->desired = x;
  d->valid = 1;
  d->excess_burst_milli = excess_of(c, in);
  int64_t next = -1;
  if (d->delayed)
    next = (int64_t)(((now / STEP_NS + ttb__sliding_max_left(&k->delay, size, index)) * STEP_NS -
                      now + 999999) / 1000000);
  if (k->panicking) {
    uint64_t stable_ms = c->stable_ms < 0 ? 0 : (uint64_t)c->stable_ms;
    int64_t over = (int64_t)(stable_ms - (now - k->panic_since) / 1000000) + 1;
    if (next < 0 || over < next) next = over;
  }
  d->next_change_ms = next;
}

static int32_t read_config(const ttb_knative_config *from, ttb_knative_config *ret) {
  int32_t code = ttb__config_read(&config_struct, from, ret, -1, NULL);
  if (code < 0) return code;
  if (ret->target_milli == 0) return TTB_ERR_RANGE;
  if (ret->max_replicas > 0 && ret->max_replicas < ret->min_replicas) return TTB_ERR_RANGE;
  return TTB_OK;
}

static ttb__knative *open_state(ttb_knative *h) {
  ttb__knative *k = (ttb__knative *)(void *)h;
  return k && k->tag == TTB__KNATIVE_TAG ? k : NULL;
}

int32_t ttb_knative_start(ttb_knative *ret, const ttb_knative_config *config, int32_t ready,
                          uint64_t now_ns) {
  ttb_knative_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c);
  if (code < 0) return code;
  if (ready < TTB_OFF || ready > 10000000) return TTB_ERR_RANGE;
  memset(ret, 0, sizeof *ret);
  ttb__knative *k = (ttb__knative *)(void *)ret;
  k->tag = TTB__KNATIVE_TAG;
  k->last = now_ns;
  k->panic_maximum = ready > 0 ? ready : 0;
  if (ready > 1) k->panicking = 1, k->panic_since = now_ns;
  return TTB_OK;
}

int32_t ttb_knative_decide(ttb_knative *state, const ttb_knative_config *config,
                           const ttb_knative_input *input, uint64_t now_ns,
                           ttb_knative_decision *ret) {
  ttb__knative *k = open_state(state);
  ttb_knative_config c;
  ttb_knative_input in;
  if (!k || !ret) return TTB_ERR_MISUSE;
  int32_t code = read_config(config, &c);
  if (code < 0 || (code = ttb__config_read(&input_struct, input, &in, -1, NULL)) < 0) return code;
  if (in.ready < TTB_OFF || in.ready > 10000000 || ret->struct_size < sizeof *ret)
    return TTB_ERR_RANGE;
  uint64_t now = now_ns > k->last ? now_ns : k->last;
  ttb_knative_decision d = {.desired = -1, .stable = -1, .panic = -1, .most = -1, .least = -1,
                            .panic_age_ms = -1, .next_change_ms = -1};
  k->last = now;
  if (k->panic_since > now) k->panic_since = now; /* whoever wrote that */
  if (!in.missing && in.ready >= 0) decide(k, &c, &in, now, &d);
  d.panicking = k->panicking != 0;
  if (d.panicking) d.panic_maximum = k->panic_maximum;
  if (d.panicking) d.panic_age_ms = (int64_t)((now - k->panic_since) / 1000000);
  return ttb__struct_write(&decision_struct, &d, ret);
}

int32_t ttb_knative_field(uint32_t which, uint32_t index, ttb_field *ret_field) {
  static const ttb__struct *const all[] = {&config_struct, &input_struct, &decision_struct};
  return ttb__field_get(all, sizeof all / sizeof *all, which, index, ret_field);
}
