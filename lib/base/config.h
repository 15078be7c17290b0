/* SPDX-License-Identifier: MIT */
/* Configuration as rows: one table a struct is the only place that knows its
 * fields. Range checks, error details, the layout check of bindings and the
 * option tables of the docs all read it.
 *
 * I1  The rows tile the struct: each field has one, in order, without a gap
 *     (asserted by tests/unit/base/test_config.c for every table).
 * I2  0 in a config means the default; a TTB__MAY_BE_OFF field takes TTB_OFF.
 * I3  Nothing is clamped: a value out of range is TTB_ERR_RANGE, and one in a
 *     reserved field (range 0..0) TTB_ERR_UNSUPPORTED. */
#ifndef TTB_LIB_BASE_CONFIG_H
#define TTB_LIB_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <trimtab/base.h>

#define TTB__MAY_BE_OFF 1u /* TTB_OFF (-1) is allowed beside min..max */
#define TTB__ANY 2u        /* no range: outputs, ids, seeds */

typedef struct ttb__field {
  const char *name, *unit;
  uint32_t offset, type;
  int64_t min, max, def;
  uint32_t since, flags;
} ttb__field;

typedef struct ttb__struct {
  const char *name;
  const ttb__field *rows;
  uint32_t count, size;
  uint32_t first_size; /* size of the struct in the first release that had it */
} ttb__struct;

/* The rows of ttb_endpoint, which several modules read (endpoint.c). */
extern const ttb__struct ttb__endpoint_fields;

/* No config is larger, so that copies can lie on the stack. */
#define TTB__MAX_CONFIG 4096

#define TTB__SINCE_0_1 0x000100u

/* A row of struct T: TTB__FIELD(ttb_x_config, u32, field, "ms", min, max, def, flags). */
#define TTB__FIELD(T, type_, field, unit_, min_, max_, def_, flags_)                       \
  {#field, unit_, (uint32_t)offsetof(T, field), TTB_TYPE_##type_, min_, max_, def_,       \
   TTB__SINCE_0_1, flags_}
#define TTB__OUT(T, type_, field, unit_) TTB__FIELD(T, type_, field, unit_, 0, 0, 0, TTB__ANY)
#define TTB__STRUCT(T, rows_) \
  {#T, rows_, (uint32_t)(sizeof(rows_) / sizeof((rows_)[0])), (uint32_t)sizeof(T), (uint32_t)sizeof(T)}

/* Reads a caller's struct: checks its size and unknown tail, copies it to dst
 * (the library's full struct), puts defaults for zeros, checks every range.
 * index goes to the detail (an array's element, else -1). dst is untouched on
 * failure. detail may be NULL. */
int32_t ttb__config_read(const ttb__struct *s, const void *src, void *dst, int32_t index,
                         ttb_detail *detail);

/* Writes a full output struct over a caller's shorter (or longer) one. */
int32_t ttb__struct_write(const ttb__struct *s, const void *full, void *dst);

/* Fills a caller's detail, of whatever size it has, if there is one. Returns code. */
int32_t ttb__fail(ttb_detail *detail, int32_t code, const char *field, int32_t index,
                  int64_t got, int64_t min, int64_t max);

/* The public reflection call of a module over its structs. */
int32_t ttb__field_get(const ttb__struct *const *all, uint32_t n, uint32_t which, uint32_t index,
                       ttb_field *ret_field);

#endif
