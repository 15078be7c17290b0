/* SPDX-License-Identifier: MIT */
/* KEDA: how many jobs to create.
 *
 * After getScalingDecision and GetEffectiveMaxScale in
 * pkg/scaling/executor/scale_jobs.go and pkg/scaling/scaledjob of
 * kedacore/keda@8b4f083c.
 *
 * I1  Numbers are cut to 0..2^53 before they are added, so no sum wraps. */
#include "keda.h"

#include <stdbool.h>
#include <string.h>

#define MOST (INT64_C(1) << 53)
#define C(type, field, unit, min, max, def) \
  TTB__FIELD(ttb_keda_jobs_config, type, field, unit, min, max, def, 0)

static const ttb__field config_fields[] = {
    TTB__FIELD(ttb_keda_jobs_config, U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, strategy, "", 1, 4, TTB_KEDA_JOBS_DEFAULT),
    C(I32, min_replicas, "jobs", 0, TTB_AUTOSCALER_MAX_REPLICAS, 0),
    C(I32, max_replicas, "jobs", 1, TTB_AUTOSCALER_MAX_REPLICAS, 100),
    C(I32, deduction, "jobs", 0, TTB_AUTOSCALER_MAX_REPLICAS, 0),
    C(I32, running_ppm, "ppm", 0, 1000000000, 0),
};
const ttb__struct ttb__keda_jobs_config_struct = TTB__STRUCT(ttb_keda_jobs_config, config_fields);

#define I(type, field, unit) TTB__OUT(ttb_keda_jobs_input, type, field, unit)

static const ttb__field input_fields[] = {
    I(U32, struct_size, "bytes"), I(U32, active, ""),      I(I64, queue, "jobs"),
    I(I64, wanted, "jobs"),       I(I64, running, "jobs"), I(I64, pending, "jobs"),
};
const ttb__struct ttb__keda_jobs_input_struct = TTB__STRUCT(ttb_keda_jobs_input, input_fields);

#define D(type, field, unit) TTB__OUT(ttb_keda_jobs_decision, type, field, unit)

static const ttb__field decision_fields[] = {
    D(U32, struct_size, "bytes"), D(U32, reserved, ""),     D(I64, create, "jobs"),
    D(I64, effective, "jobs"),    D(I64, scale_to, "jobs"),
};
const ttb__struct ttb__keda_jobs_decision_struct =
    TTB__STRUCT(ttb_keda_jobs_decision, decision_fields);

#define T(type, field, unit) TTB__OUT(ttb_keda_trigger, type, field, unit)

static const ttb__field trigger_fields[] = {
    T(U32, struct_size, "bytes"),
    T(U32, active, ""),
    T(I64, queue_milli, "milli"),
    T(I64, target_milli, "milli"),
};
const ttb__struct ttb__keda_trigger_struct = TTB__STRUCT(ttb_keda_trigger, trigger_fields);

static int64_t cut(int64_t n) { return n < 0 ? 0 : n < MOST ? n : MOST; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t by_strategy(const ttb_keda_jobs_config *c, int64_t wanted, int64_t running,
                           int64_t pending) {
  int64_t max = c->max_replicas;
  switch (c->strategy) {
  case TTB_KEDA_JOBS_CUSTOM: {
    int64_t part = running / 1000000 * c->running_ppm + running % 1000000 * c->running_ppm / 1000000;
    return least(wanted - c->deduction - part, max);
  }
  case TTB_KEDA_JOBS_ACCURATE:
    return wanted + running - pending > max ? max - running : wanted - pending;
  case TTB_KEDA_JOBS_EAGER: return least(max - running - pending, wanted);
  default: return wanted - running;
  }
}

int32_t ttb_keda_jobs(const ttb_keda_jobs_config *config, const ttb_keda_jobs_input *input,
                      ttb_keda_jobs_decision *ret) {
  ttb_keda_jobs_config c;
  ttb_keda_jobs_input in;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&ttb__keda_jobs_config_struct, config, &c, -1, NULL);
  if (code < 0) return code;
  code = ttb__config_read(&ttb__keda_jobs_input_struct, input, &in, -1, NULL);
  if (code < 0) return code;
  /* A part of 1000 times the running jobs must still fit. */
  int64_t running = least(cut(in.running), MOST >> 10), pending = cut(in.pending);
  ttb_keda_jobs_decision d = {.scale_to = cut(in.queue)};
  if (running < c.min_replicas) {
    d.effective = d.scale_to = c.min_replicas - running;
  } else {
    d.effective = by_strategy(&c, cut(in.wanted), running - c.min_replicas, pending);
    if (c.strategy == TTB_KEDA_JOBS_EAGER) d.scale_to = c.max_replicas;
  }
  int64_t create = least(d.effective, d.scale_to);
  d.create = in.active && create > 0 ? create : 0;
  return ttb__struct_write(&ttb__keda_jobs_decision_struct, &d, ret);
}

/* ---- several triggers ---- */

static int64_t up(int64_t n, int64_t d) { return n / d + (n % d != 0); }

int32_t ttb_keda_triggers(const ttb_keda_jobs_config *config, const ttb_keda_trigger *trigger,
                          uint32_t n, uint32_t combine, ttb_keda_jobs_input *ret) {
  ttb_keda_jobs_config c;
  if (!ret || (n > 0 && !trigger)) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&ttb__keda_jobs_config_struct, config, &c, -1, NULL);
  if (code < 0) return code;
  if (combine < TTB_KEDA_MAX || combine > TTB_KEDA_SUM || ret->struct_size < sizeof *ret)
    return TTB_ERR_RANGE;
  uint32_t stride = n > 0 ? trigger->struct_size : 0, active = 0;
  int64_t queue = 0, wanted = 0;
  if (n > 0 && stride < sizeof *trigger) return TTB_ERR_RANGE;
  for (uint32_t i = 0; i < n; i++) {
    ttb_keda_trigger t;
    memcpy(&t, (const char *)trigger + (uint64_t)i * stride, sizeof t);
    if (t.struct_size != stride || t.target_milli < 1) return TTB_ERR_RANGE;
    if (!t.active) continue;
    int64_t length = cut(t.queue_milli), worth = least(up(length, t.target_milli), c.max_replicas);
    active++;
    if (combine >= TTB_KEDA_AVG) {
      queue = least(queue + length, MOST);
      wanted += worth;
    } else if (combine == TTB_KEDA_MIN ? queue == 0 || length < queue : length > queue) {
      queue = length;
      wanted = worth;
    }
  }
  if (combine == TTB_KEDA_AVG && active > 0) {
    queue = up(queue, active);
    wanted = up(wanted, active);
  }
  ret->queue = up(queue, 1000);
  ret->wanted = least(wanted, c.max_replicas);
  ret->active = active > 0 || c.min_replicas > 0;
  return TTB_OK;
}
