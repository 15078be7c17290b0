/* SPDX-License-Identifier: MIT */
/* Pods into sums: grouping and one-pass accumulation.
 *
 * After groupPods, calculatePodRequests and removeMetricsForPods of
 * pkg/controller/podautoscaler/replica_calculator.go of Kubernetes; what is made
 * of the sums is in rebalance.c.
 *
 * I1  Most pods are ordinary: running, sampled, requested, past their start, and
 *     with numbers below 2^46. Those are summed in 64 bits, at most 2^16 in a row,
 *     before the 128-bit sums get them; every other pod goes one by one.
 * I2  The ordinary loop puts a pod exactly where ttb_pods_group would. */
#include "pods.h"

#include "../base/config.h"

#include <string.h>

#include "autoscaler.h"

#define CHUNK 65536u
#define PHASE (TTB_POD_PENDING | TTB_POD_ENDED | TTB_POD_DELETED | TTB_POD_UNLISTED)

#define C(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_pods_config, type, field, unit, min, max, def, flags)

static const ttb__field config_fields[] = {
    C(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    C(U32, kind, "", 1, 2, TTB_PODS_UTILISATION, 0),
    C(I64, target_milli, "milli", 1, INT64_MAX, 0, 0),
    C(U32, flags, "", 0, TTB_PODS_CPU, 0, 0),
    C(I32, cpu_init_ms, "ms", 1, 86400000, 300000, TTB__MAY_BE_OFF),
    C(I32, readiness_delay_ms, "ms", 1, 86400000, 30000, TTB__MAY_BE_OFF),
    C(U32, reserved, "", 0, 0, 0, 0),
};
const ttb__struct ttb__pods_config_fields = TTB__STRUCT(ttb_pods_config, config_fields);

#define P(type, field, unit) TTB__OUT(ttb_pod, type, field, unit)

static const ttb__field pod_fields[] = {
    P(U32, struct_size, "bytes"), P(U32, flags, ""),
    P(I64, value_milli, "milli"), P(I64, request_milli, "milli"),
    P(I64, start_ms, "ms"),       P(I64, ready_changed_ms, "ms"),
    P(I64, sample_ms, "ms"),      P(U32, window_ms, "ms"),
    P(U32, reserved, ""),
};
const ttb__struct ttb__pod_fields = TTB__STRUCT(ttb_pod, pod_fields);

#define K(type, field, unit) TTB__OUT(ttb_container, type, field, unit)

static const ttb__field container_fields[] = {
    K(U32, struct_size, "bytes"), K(U32, flags, ""),
    K(I64, value_milli, "milli"), K(I64, request_milli, "milli"),
};
const ttb__struct ttb__container_fields = TTB__STRUCT(ttb_container, container_fields);

#define N(field) TTB__OUT(ttb_pods_info, U32, field, "pods")

static const ttb__field info_fields[] = {
    TTB__OUT(ttb_pods_info, U32, struct_size, "bytes"),
    N(ready), N(unready), N(missing), N(ignored), N(unlisted), N(serving), N(requestless),
};
const ttb__struct ttb__pods_info_fields = TTB__STRUCT(ttb_pods_info, info_fields);

static ttb__pods *open_pods(const ttb_pods *h) {
  ttb__pods *p = (ttb__pods *)(uintptr_t)h;
  return p && p->tag == TTB__PODS_TAG ? p : NULL;
}

const ttb__pods *ttb__pods_of(const ttb_pods *h) { return open_pods(h); }

/* a + b, saturating. */
static int64_t plus(int64_t a, int64_t b) {
  if (b > 0 && a > INT64_MAX - b) return INT64_MAX;
  if (b < 0 && a < INT64_MIN - b) return INT64_MIN;
  return a + b;
}

int32_t ttb_pods_start(ttb_pods *ret, const ttb_pods_config *config, int64_t now_ms) {
  ttb_pods_config c;
  if (!ret) return TTB_ERR_MISUSE;
  int32_t code = ttb__config_read(&ttb__pods_config_fields, config, &c, -1, NULL);
  if (code < 0) return code;
  if (c.target_milli == 0 && c.kind == TTB_PODS_UTILISATION) c.target_milli = 80000;
  if (c.target_milli == 0) return TTB_ERR_RANGE;
  ttb__pods p = {.tag = TTB__PODS_TAG,
                 .target = c.target_milli,
                 .now = now_ms,
                 .init_ms = c.cpu_init_ms < 0 ? 0 : c.cpu_init_ms,
                 .delay_ms = c.readiness_delay_ms < 0 ? 0 : c.readiness_delay_ms,
                 .kind = c.kind,
                 .flags = c.flags};
  memset(ret, 0, sizeof *ret);
  memcpy(ret, &p, sizeof p);
  return TTB_OK;
}

/* ---- groups ---- */

static bool starting(const ttb__pods *p, const ttb_pod *pod) {
  uint32_t f = pod->flags;
  if (!(f & (TTB_POD_READY | TTB_POD_NOT_READY | TTB_POD_READY_UNKNOWN)) || !(f & TTB_POD_STARTED))
    return true;
  bool not_ready = f & TTB_POD_NOT_READY;
  if (plus(pod->start_ms, p->init_ms) > p->now)
    return not_ready || pod->sample_ms < plus(pod->ready_changed_ms, pod->window_ms);
  return not_ready && plus(pod->start_ms, p->delay_ms) > pod->ready_changed_ms;
}

static uint32_t group_of(const ttb__pods *p, const ttb_pod *pod) {
  uint32_t f = pod->flags;
  if (f & (TTB_POD_DELETED | TTB_POD_ENDED)) return TTB_PODS_IGNORED;
  if (f & TTB_POD_PENDING) return TTB_PODS_UNREADY;
  if (!(f & TTB_POD_SAMPLED)) return TTB_PODS_MISSING;
  if ((p->flags & TTB_PODS_CPU) && starting(p, pod)) return TTB_PODS_UNREADY;
  return TTB_PODS_READY;
}

int32_t ttb_pods_group(const ttb_pods *h, const ttb_pod *pod) {
  const ttb__pods *p = open_pods(h);
  if (!p || !pod) return TTB_ERR_MISUSE;
  if (pod->struct_size < sizeof *pod) return TTB_ERR_RANGE;
  return (int32_t)group_of(p, pod);
}

/* ---- sums ---- */

/* request * max(100 %, target): what a missing pod is taken to use if that
 * speaks against going down. */
static int64_t fill_of(const ttb__pods *p, int64_t request) {
  if (p->target <= 100000) return request;
  return ttb__scale(request, p->target, 100000);
}

static TTB__SELDOM void add_one(ttb__pods *p, const ttb_pod *pod) {
  uint32_t f = pod->flags;
  if (f & TTB_POD_UNLISTED) {
    if (!(f & TTB_POD_SAMPLED)) return;
    ttb__sum_add(&p->value[1], pod->value_milli);
    p->group[0]++;
    p->samples++;
    return;
  }
  uint32_t group = group_of(p, pod);
  int64_t request = f & TTB_POD_REQUESTED && pod->request_milli > 0 ? pod->request_milli : 0;
  p->listed++;
  p->samples += (f & TTB_POD_SAMPLED) != 0;
  p->requestless += !(f & TTB_POD_REQUESTED);
  p->serving += (f & (TTB_POD_READY | TTB_POD_PENDING | TTB_POD_ENDED)) == TTB_POD_READY;
  p->group[group]++;
  if (group == TTB_PODS_READY) {
    ttb__sum_add(&p->value[0], pod->value_milli);
    ttb__sum_add(&p->request[0], request);
  } else if (group == TTB_PODS_MISSING) {
    ttb__sum_add(&p->request[1], request);
    ttb__sum_add(&p->filled, fill_of(p, request));
  } else if (group == TTB_PODS_UNREADY) {
    ttb__sum_add(&p->request[2], request);
  }
}

/* At most CHUNK pods of the library's own size (I1). False: one is not. */
static inline bool add_chunk(ttb__pods *p, const ttb_pod *pod, uint32_t n, bool requests, bool cpu) {
  const uint32_t want = TTB_POD_SAMPLED | TTB_POD_REQUESTED |
                        (cpu ? TTB_POD_READY | TTB_POD_STARTED : 0);
  const uint32_t mask = want | PHASE | (cpu ? TTB_POD_NOT_READY : 0);
  const int64_t started = plus(p->now, -p->init_ms);
  int64_t value = 0, request = 0;
  uint32_t ordinary = 0, serving = 0;
  bool sound = true;
  for (uint32_t i = 0; i < n; i++, pod++) {
    uint64_t v = (uint64_t)pod->value_milli, r = (uint64_t)pod->request_milli;
    bool easy = (pod->flags & mask) == want && ((v | r) >> 46) == 0 &&
                (!cpu || pod->start_ms <= started);
    if (!easy || pod->struct_size != sizeof *pod) {
      if (!(sound = pod->struct_size == sizeof *pod)) break;
      add_one(p, pod);
      continue;
    }
    value += (int64_t)v;
    if (requests) request += (int64_t)r;
    serving += pod->flags & TTB_POD_READY;
    ordinary++;
  }
  ttb__sum_add(&p->value[0], value);
  ttb__sum_add(&p->request[0], request);
  p->group[TTB_PODS_READY] += ordinary;
  p->listed += ordinary;
  p->samples += ordinary;
  p->serving += serving;
  return sound;
}

static bool add_chunk_of(ttb__pods *p, const ttb_pod *pod, uint32_t n) {
  bool requests = p->kind == TTB_PODS_UTILISATION, cpu = p->flags & TTB_PODS_CPU;
  if (requests) return cpu ? add_chunk(p, pod, n, true, true) : add_chunk(p, pod, n, true, false);
  return cpu ? add_chunk(p, pod, n, false, true) : add_chunk(p, pod, n, false, false);
}

int32_t ttb_pods_add(ttb_pods *h, const ttb_pod *pod, uint32_t n) {
  ttb__pods *p = open_pods(h);
  if (!p || (n > 0 && !pod)) return TTB_ERR_MISUSE;
  if (n == 0) return TTB_OK;
  if (n > INT32_MAX - p->group[0] - p->listed) return TTB_ERR_RANGE;
  uint32_t stride = pod->struct_size;
  if (stride != sizeof *pod) {
    /* A newer program's pods are longer: one by one, with a look at their tails. */
    for (uint32_t i = 0; i < n; i++) {
      const void *at = (const char *)pod + (uint64_t)i * stride;
      uint32_t size;
      ttb_pod copy;
      memcpy(&size, at, sizeof size);
      if (size != stride || stride % 8 != 0) return TTB_ERR_RANGE;
      int32_t code = ttb__config_read(&ttb__pod_fields, at, &copy, -1, NULL);
      if (code < 0) return code;
      add_one(p, &copy);
    }
    return TTB_OK;
  }
  while (n > 0) {
    uint32_t part = n < CHUNK ? n : CHUNK;
    if (!add_chunk_of(p, pod, part)) return TTB_ERR_RANGE;
    pod += part;
    n -= part;
  }
  return TTB_OK;
}

int32_t ttb_pod_fold(ttb_pod *pod, const ttb_container *container, uint32_t n, int32_t which) {
  bool all = which == TTB_POD_ALL_CONTAINERS;
  if (!pod || (n > 0 && !container)) return TTB_ERR_MISUSE;
  if (which < TTB_POD_ALL_CONTAINERS || pod->struct_size < sizeof *pod) return TTB_ERR_RANGE;
  uint32_t flags = TTB_POD_REQUESTED | (all && n > 0 ? TTB_POD_SAMPLED : 0);
  uint32_t stride = n > 0 ? container->struct_size : 0;
  int64_t value = 0, request = 0;
  if (n > 0 && stride < sizeof *container) return TTB_ERR_RANGE;
  for (uint32_t i = 0; i < n; i++) {
    ttb_container c;
    memcpy(&c, (const char *)container + (uint64_t)i * stride, sizeof c);
    if (c.struct_size != stride) return TTB_ERR_RANGE;
    if (!all && i != (uint32_t)which) continue;
    if (!all) flags |= TTB_POD_SAMPLED;
    flags &= c.flags | ~(TTB_POD_SAMPLED | TTB_POD_REQUESTED);
    value = plus(value, c.value_milli);
    if (c.request_milli > 0) request = plus(request, c.request_milli);
  }
  pod->flags = (pod->flags & ~(TTB_POD_SAMPLED | TTB_POD_REQUESTED)) | flags;
  pod->value_milli = value;
  pod->request_milli = request;
  return TTB_OK;
}

int32_t ttb_pods_count(const ttb_pods *h, ttb_pods_info *ret) {
  const ttb__pods *p = open_pods(h);
  if (!p || !ret) return TTB_ERR_MISUSE;
  ttb_pods_info i = {.ready = p->group[TTB_PODS_READY],
                     .unready = p->group[TTB_PODS_UNREADY],
                     .missing = p->group[TTB_PODS_MISSING],
                     .ignored = p->group[TTB_PODS_IGNORED],
                     .unlisted = p->group[0],
                     .serving = p->serving,
                     .requestless = p->requestless};
  return ttb__struct_write(&ttb__pods_info_fields, &i, ret);
}
