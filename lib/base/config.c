/* SPDX-License-Identifier: MIT */
/* Rows at work: see config.h. The size rule is that of Linux'
 * copy_struct_from_user: a shorter struct is filled with zeros (= defaults), a
 * longer one is taken if what we do not know is zero. */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#define MAX_STRUCT 65536u

static uint32_t given_size(const void *s) {
  uint32_t n;
  memcpy(&n, s, sizeof n);
  return n;
}

static bool tail_is_zero(const void *src, uint32_t from, uint32_t to) {
  const unsigned char *p = src;
  for (uint32_t i = from; i < to; i++)
    if (p[i]) return false;
  return true;
}

static double f64_of(const ttb__field *r, const void *base) {
  double f;
  memcpy(&f, (const char *)base + r->offset, 8);
  return f;
}

/* A field's value as details show it: a double loses its fraction. */
static int64_t row_value(const ttb__field *r, const void *base) {
  const char *p = (const char *)base + r->offset;
  int64_t v64 = 0;
  int32_t v32 = 0;
  double f;
  switch (r->type) {
  case TTB_TYPE_U32: memcpy(&v32, p, 4); return (int64_t)(uint32_t)v32;
  case TTB_TYPE_I32: memcpy(&v32, p, 4); return v32;
  case TTB_TYPE_F64:
    f = f64_of(r, base);
    if (!(f > -9e18)) return INT64_MIN; /* NaN too */
    return f < 9e18 ? (int64_t)f : INT64_MAX;
  case TTB_TYPE_PTR: return 1;
  default: memcpy(&v64, p, 8); return v64;
  }
}

static bool is_zero(const ttb__field *r, const void *base) {
  return r->type == TTB_TYPE_F64 ? f64_of(r, base) == 0 : row_value(r, base) == 0;
}

static void row_set(const ttb__field *r, void *base, int64_t v) {
  char *p = (char *)base + r->offset;
  int32_t v32 = (int32_t)v;
  double f = (double)v;
  switch (r->type) {
  case TTB_TYPE_U32:
  case TTB_TYPE_I32: memcpy(p, &v32, 4); return;
  case TTB_TYPE_F64: memcpy(p, &f, 8); return;
  case TTB_TYPE_PTR: return;
  default: memcpy(p, &v, 8); return;
  }
}

static bool in_range(const ttb__field *r, const void *base) {
  if (r->flags & TTB__ANY || r->type == TTB_TYPE_PTR) return true;
  int64_t v = row_value(r, base);
  if (r->type == TTB_TYPE_F64) {
    double f = f64_of(r, base);
    if (r->flags & TTB__MAY_BE_OFF && f == TTB_OFF) return true;
    return f >= (double)r->min && f <= (double)r->max; /* never for NaN */
  }
  if (r->flags & TTB__MAY_BE_OFF && v == TTB_OFF) return true;
  if (r->type == TTB_TYPE_U64 && v < 0) return false; /* above INT64_MAX */
  return v >= r->min && v <= r->max;
}

/* A reserved field is one that a newer library may know. */
static bool is_reserved(const ttb__field *r) {
  return r->min == 0 && r->max == 0 && !(r->flags & TTB__ANY);
}

int32_t ttb__fail(ttb_detail *d, int32_t code, const char *field, int32_t index, int64_t got,
                  int64_t min, int64_t max) {
  if (!d || d->struct_size <= sizeof d->struct_size) return code;
  ttb_detail full = {.struct_size = d->struct_size,
                     .code = code,
                     .index = index,
                     .got = got,
                     .min = min,
                     .max = max,
                     .field = field};
  memcpy(d, &full, d->struct_size < sizeof full ? d->struct_size : sizeof full);
  return code;
}

int32_t ttb__config_read(const ttb__struct *s, const void *src, void *dst, int32_t index,
                         ttb_detail *d) {
  if (!src || !dst) return ttb__fail(d, TTB_ERR_MISUSE, s->name, index, 0, 0, 0);
  uint32_t n = given_size(src);
  if (n < s->first_size || n > MAX_STRUCT)
    return ttb__fail(d, TTB_ERR_RANGE, "struct_size", index, n, s->first_size, MAX_STRUCT);
  if (n > s->size && !tail_is_zero(src, s->size, n))
    return ttb__fail(d, TTB_ERR_UNSUPPORTED, s->name, index, n, s->size, s->size);

  /* dst stays untouched until all is known to be good. */
  _Alignas(8) unsigned char copy[TTB__MAX_CONFIG];
  if (s->size > sizeof copy) return ttb__fail(d, TTB_ERR_NOSPACE, s->name, index, 0, 0, 0);
  memset(copy, 0, s->size);
  memcpy(copy, src, n < s->size ? n : s->size);
  memcpy(copy, &s->size, sizeof s->size);

  for (uint32_t i = 0; i < s->count; i++) {
    const ttb__field *r = &s->rows[i];
    if (r->offset == 0) continue; /* struct_size */
    if (is_zero(r, copy) && !(r->flags & TTB__ANY)) {
      row_set(r, copy, r->def);
    } else if (!in_range(r, copy)) {
      int32_t code = is_reserved(r) ? TTB_ERR_UNSUPPORTED : TTB_ERR_RANGE;
      return ttb__fail(d, code, r->name, index, row_value(r, copy), r->min, r->max);
    }
  }
  memcpy(dst, copy, s->size);
  return ttb__fail(d, TTB_OK, NULL, -1, 0, 0, 0);
}

int32_t ttb__struct_write(const ttb__struct *s, const void *full, void *dst) {
  if (!dst) return TTB_ERR_MISUSE;
  uint32_t n = given_size(dst);
  if (n < s->first_size || n > MAX_STRUCT) return TTB_ERR_RANGE;
  uint32_t shared = n < s->size ? n : s->size;
  memcpy((char *)dst + 4, (const char *)full + 4, shared - 4);
  if (n > shared) memset((char *)dst + shared, 0, n - shared);
  return TTB_OK;
}

int32_t ttb__field_get(const ttb__struct *const *all, uint32_t n, uint32_t which, uint32_t index,
                       ttb_field *ret) {
  if (!ret || ret->struct_size != sizeof(ttb_field)) return TTB_ERR_MISUSE;
  if (which >= n || index >= all[which]->count) return TTB_ERR_RANGE;
  const ttb__struct *s = all[which];
  const ttb__field *r = &s->rows[index];
  *ret = (ttb_field){.struct_size = sizeof(ttb_field),
                     .type = r->type,
                     .offset = r->offset,
                     .since = r->since,
                     .min = r->min,
                     .max = r->max,
                     .def = r->def,
                     .name = r->name,
                     .unit = r->unit,
                     .type_name = s->name,
                     .type_size = s->size};
  return TTB_OK;
}
