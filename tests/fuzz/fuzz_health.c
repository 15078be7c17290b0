/* SPDX-License-Identifier: MIT */
/* A configuration from bytes, a sequence of operations on the table it makes,
 * the same on a region of hostile bytes, and views with hostile texts. Nothing
 * may crash, write outside, or answer what the header does not allow. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/health.h>

#define MOST (256 * 1024)

typedef struct input {
  const uint8_t *data;
  size_t left;
} input;

static uint64_t take(input *in, size_t n) {
  uint64_t v = 0;
  for (; n > 0 && in->left > 0; n--, in->data++, in->left--) v = v << 8 | *in->data;
  return v;
}
static void must(int holds) {
  if (!holds) abort();
}

static void look(ttb_health *h, uint32_t slot, uint64_t now) {
  ttb_health_info i = TTB_CONFIG(ttb_health_info);
  ttb_health_stats s = TTB_CONFIG(ttb_health_stats);
  int32_t status = ttb_health_status(h, slot, now);
  must((status >= 0 && status <= TTB_STATUS_STALE) || status == TTB_ERR_RANGE);
  must(ttb_health_explain(h, slot, now, &i) == (status < 0 ? TTB_ERR_RANGE : TTB_OK));
  must(ttb_health_statistics(h, now, &s) == TTB_OK);
  must(s.ejected <= s.enabled);
  must(i.eject_left_ms >= 0 && (i.eject_left_ms == 0 || i.ejected == 1));
  must(ttb_health_ejected(h, slot) == (status < 0 ? TTB_ERR_RANGE : i.ejected));
  must(s.unknown + s.healthy + s.degraded + s.unhealthy + s.stale == s.enabled);
}

static void show(ttb_health *h, input *in, uint64_t now) {
  ttb_health_member rows[3];
  ttb_health_view v = TTB_CONFIG(ttb_health_view);
  char text[3][17], whole[4096];
  memset(text, 0, sizeof text);
  v.count = (uint32_t)take(in, 1) % 4;
  v.members = rows;
  v.at_least = (int32_t)take(in, 1) % 6 - 1;
  v.wall_ms = take(in, 5);
  for (uint32_t i = 0; i < v.count; i++) {
    size_t n = take(in, 1) % 16;
    n = n < in->left ? n : in->left;
    memcpy(text[i], in->data, n);
    in->data += n;
    in->left -= n;
    rows[i] = TTB_CONFIG(ttb_health_member);
    rows[i].slot = (uint32_t)take(in, 1);
    rows[i].criticality = (int32_t)take(in, 1) % 4;
    rows[i].name = i == 1 && take(in, 1) % 2 ? text[0] : text[i];
    rows[i].output = text[i];
  }
  uint64_t size = take(in, 2) % (sizeof whole - 1);
  memset(whole, 'Z', sizeof whole);
  int64_t n = ttb_health_json(h, &v, now, whole, size, NULL);
  int32_t status = ttb_health_overall(h, &v, now, NULL);
  must((n < 0) == (status < 0) && whole[size] == 'Z');
  if (n >= 0 && size > 0) must(memchr(whole, 0, size) != NULL);
  if (n >= 0 && (uint64_t)n < size) must((int64_t)strlen(whole) == n);
}

static void operate(ttb_health *h, input *in, uint32_t capacity) {
  uint64_t now = UINT64_C(3600000000000);
  uint32_t slots[4];
  while (in->left > 0) {
    uint32_t op = (uint32_t)take(in, 1), slot = (uint32_t)take(in, 1) % (capacity + 1);
    uint64_t arg = take(in, 2);
    now += op & 0x80 ? take(in, 8) : arg * 1000000;
    switch (op & 0x7f) {
    case 0: (void)ttb_health_report(h, slot, (int32_t)arg % 7 - 1, take(in, 4) << 12, now); break;
    case 1: (void)ttb_health_observe(h, slot, (int32_t)arg % 7 - 1, now); break;
    case 2: (void)ttb_health_set(h, slot, (int32_t)arg % 7 - 1, now); break;
    case 3: must(ttb_health_tick(h, now, slots, 4) <= 4); break;
    case 4: {
      int32_t n = ttb_health_due(h, now, slots, 4);
      must(n >= 0 && n <= 4);
      for (int32_t i = 0; i < n; i++) must(slots[i] < capacity);
      break;
    }
    case 5: (void)ttb_health_enable(h, slot, now); break;
    case 6: (void)ttb_health_disable(h, slot, now); break;
    case 7: must(ttb_health_next_due_ms(h, now) >= 0); break;
    case 8: show(h, in, now); break;
    case 9: /* traffic, also with a cause */
      for (uint32_t i = 0; i < arg % 32; i++)
        (void)ttb_health_observe(h, slot, arg & 64 ? (int32_t)(arg >> 8) % 4 + 15 : TTB_FAILURE, now);
      break;
    default: look(h, slot, now);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* As much memory as a struct_size may claim. */
  static union {
    ttb_health_config c;
    unsigned char bytes[65536];
  } claimed;
  input in = {data, size};
  ttb_health_config c;
  ttb_detail d = TTB_CONFIG(ttb_detail);
  ttb_health h;
  char words[128];
  uint64_t mode = take(&in, 1);
  memset(&c, 0, sizeof c);
  /* Without the part on ejection, which has bytes of its own only if asked for. */
  size_t first = mode & 16 ? sizeof c : offsetof(ttb_health_config, eject);
  size_t n = in.left < first ? in.left : first;
  memcpy(&c, in.data, n);
  in.data += n;
  in.left -= n;
  if (mode & 1) { /* mostly well-formed */
    c.struct_size = sizeof c;
    c.capacity = c.capacity % 8;
    c.rise %= 6;
    c.fall %= 6;
    c.degrade_after = c.start = c.fail_ms = c.max_pause_ms = c.jitter_ppm = c.passive_action = 0;
    c.degraded_ms = c.passive_errors = 0;
    c.recover_ms %= 1000;
    c.ttl_ms &= 0xffff;
    c.interval_ms %= 10000;
    c.fast_interval_ms %= 10000;
    c.down_interval_ms %= 10000;
    c.lease_ms %= 10000;
    c.half_life_ms = c.half_life_ms % 1000 + 2;
    c.flags &= 1;
    memset(&c.eject, 0, sizeof c - offsetof(ttb_health_config, eject));
    if (mode & 8) {
      c.flags |= (uint32_t)take(&in, 1) & 30;
      c.eject = 1 + (int32_t)take(&in, 1) % 3;
      c.eject_interval_ms = (uint32_t)take(&in, 1);
      c.eject_base_ms = (uint32_t)take(&in, 1);
      c.eject_jitter_ms = (int32_t)take(&in, 1);
      c.eject_max_ppm = 1 + (int32_t)take(&in, 2) * 10;
      c.eject_errors = (int32_t)take(&in, 1) % 6;
      c.eject_hosts = 2;
      c.eject_requests = c.eject_failure_requests = 1 + (uint32_t)take(&in, 1) % 4;
      c.eject_failure_hosts = 1;
      c.enforce_failure_ppm = 500000;
    }
  }
  claimed.c = c;
  int32_t code = ttb_health_check(&claimed.c, &d);
  must(ttb_detail_format(&d, words, sizeof words) >= 0);
  int64_t bytes = ttb_health_size(&claimed.c);
  must((code < 0) == (bytes < 0));
  if (bytes < 0 || bytes > MOST) return 0;
  must(bytes % 64 == 0);

  unsigned char *mem = aligned_alloc(64, (size_t)bytes);
  if (!mem) return 0;
  must(ttb_health_init(&h, mem, (uint64_t)bytes, &claimed.c) == TTB_OK);
  uint32_t capacity = c.capacity ? c.capacity : 1;
  if (mode & 2) { /* a neighbour scribbles: over all but the magic, or over the slots */
    size_t from = mode & 4 ? 8 : 64;
    for (size_t i = from; i < (size_t)bytes && in.left > 64; i += 1 + take(&in, 1) % 32)
      mem[i] ^= (unsigned char)take(&in, 1);
    ttb_health other;
    if (ttb_health_attach(&other, mem, (uint64_t)bytes) == TTB_OK) h = other;
  }
  operate(&h, &in, capacity);
  free(mem);
  return 0;
}
