/* SPDX-License-Identifier: MIT */
/* A decision as JSON, and a sample from a double: what goes out to people and
 * comes in from them.
 *
 * I1  Fields are written by their rows (autoscaler_config.c), so a new one needs
 *     nothing here; all are integers: the same bytes on every platform.
 * I2  Nothing is written at or past buf + size; the text ends with a NUL if there
 *     is room for one byte.
 * I3  The double is taken apart by its bits: no arithmetic rounds it. */
#include "autoscaler.h"

#include <string.h>

typedef struct out {
  char *buf;
  uint64_t size, len;
} out;

static void put(out *o, const char *text) {
  for (; *text; text++, o->len++)
    if (o->len + 1 < o->size) o->buf[o->len] = *text;
}

static void put_number(out *o, int64_t n) {
  char digits[24];
  uint32_t at = sizeof digits - 1;
  uint64_t rest = n < 0 ? UINT64_C(0) - (uint64_t)n : (uint64_t)n;
  digits[at] = 0;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (n < 0) digits[--at] = '-';
  put(o, digits + at);
}

/* All fields but struct_size (the first) and pointers; the one at `reason` also in words. */
static void put_fields(out *o, const ttb__struct *s, const void *base, size_t reason) {
  for (uint32_t i = 1; i < s->count; i++) {
    const ttb__field *f = &s->rows[i];
    const char *at = (const char *)base + f->offset;
    int64_t n = 0;
    int32_t n32;
    if (f->type == TTB_TYPE_PTR) continue;
    if (f->type == TTB_TYPE_I64) {
      memcpy(&n, at, sizeof n);
    } else {
      memcpy(&n32, at, sizeof n32);
      n = f->type == TTB_TYPE_U32 ? (int64_t)(uint32_t)n32 : n32;
    }
    put(o, i == 1 ? "\"" : ",\"");
    put(o, f->name);
    put(o, "\":");
    put_number(o, n);
    if (f->offset == reason) {
      put(o, ",\"why\":\"");
      put(o, ttb_autoscaler_reason((int32_t)n));
      put(o, "\"");
    }
  }
}

int64_t ttb_autoscaler_json(const ttb_autoscaler_decision *d, char *buf, uint64_t size) {
  if (!d || (!buf && size > 0)) return TTB_ERR_MISUSE;
  if (d->struct_size < sizeof *d) return TTB_ERR_RANGE;
  uint32_t rows = d->rows ? d->rows_n : 0;
  if (rows > TTB_AUTOSCALER_MAX_METRICS) return TTB_ERR_RANGE;
  if (rows > 0 && d->rows->struct_size < sizeof *d->rows) return TTB_ERR_RANGE;
  out o = {buf, size, 0};
  put(&o, "{");
  put_fields(&o, &ttb__autoscaler_decision_fields, d, offsetof(ttb_autoscaler_decision, reason));
  put(&o, ",\"rows\":[");
  for (uint32_t i = 0; i < rows; i++) {
    put(&o, i == 0 ? "{" : ",{");
    put_fields(&o, &ttb__autoscaler_row_fields,
               (const char *)d->rows + (uint64_t)i * d->rows->struct_size,
               offsetof(ttb_autoscaler_row, reason));
    put(&o, "}");
  }
  put(&o, "]}");
  if (size > 0) buf[o.len < size ? o.len : size - 1] = 0;
  return (int64_t)o.len;
}

/* mantissa * 2^exponent * 1000, to the nearest, halves up, saturating. */
static int64_t milli_of(uint64_t mantissa, int32_t exponent) {
  uint64_t n = mantissa * 1000; /* below 2^63 */
  if (exponent >= 0) return exponent > 62 || n > (uint64_t)INT64_MAX >> exponent
                                ? INT64_MAX
                                : (int64_t)(n << exponent);
  uint32_t shift = (uint32_t)-exponent;
  if (shift > 63) return 0;
  return (int64_t)((n >> shift) + (n >> (shift - 1) & 1));
}

int32_t ttb_autoscaler_sample_of(double value, ttb_autoscaler_sample *ret) {
  uint64_t bits;
  if (!ret) return TTB_ERR_MISUSE;
  if (ret->struct_size < sizeof *ret) return TTB_ERR_RANGE;
  memcpy(&bits, &value, sizeof bits);
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  int32_t exponent = (int32_t)(bits >> 52 & 0x7ff);
  if (exponent == 0x7ff && mantissa) {
    ret->missing = TTB_AUTOSCALER_NO_VALUE;
    ret->value_milli = 0;
    return TTB_OK;
  }
  if (exponent > 0) mantissa |= UINT64_C(1) << 52;
  else exponent = 1; /* subnormal */
  int64_t size = milli_of(mantissa, exponent - 1075);
  ret->missing = 0;
  ret->value_milli = bits >> 63 ? -size : size;
  return TTB_OK;
}
