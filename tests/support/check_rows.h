/* SPDX-License-Identifier: MIT */
/* Whether a table of rows tells the truth about its struct (I1 of
 * lib/base/config.h): the rows tile it in order without a gap, names are
 * unique, ranges make sense. For every module, by its public reflection:
 *
 *     check_rows(ttb_breaker_field);       how many structs it has, or -1 (said
 *                                          on stdout) if a row is wrong
 */
#ifndef TESTS_SUPPORT_CHECK_ROWS_H
#define TESTS_SUPPORT_CHECK_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <trimtab/base.h>

typedef int32_t (*check_rows_of)(uint32_t which, uint32_t index, ttb_field *ret_field);

static inline uint32_t check_rows_width(uint32_t type) {
  switch (type) {
  case TTB_TYPE_U32:
  case TTB_TYPE_I32: return 4;
  case TTB_TYPE_U64:
  case TTB_TYPE_I64:
  case TTB_TYPE_F64: return 8;
  case TTB_TYPE_PTR: return (uint32_t)sizeof(void *);
  default: return 0;
  }
}

static inline const char *check_rows_fault(const ttb_field *f, uint32_t at, bool first) {
  if (f->struct_size != sizeof *f) return "struct_size of the row";
  if (!f->name || !f->name[0] || !f->unit || !f->type_name) return "a text is missing";
  if (check_rows_width(f->type) == 0) return "unknown type";
  /* Small structs that are frozen have no size; their kinds. */
  static const char *const kinds[] = {"_event", "_ask", "_answer"};
  bool frozen = false;
  for (uint32_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    size_t n = strlen(f->type_name), k = strlen(kinds[i]);
    frozen |= n > k && strcmp(f->type_name + n - k, kinds[i]) == 0;
  }
  if (first && f->offset != 0) return "the first field is not at the beginning";
  if (first && !frozen && (f->type != TTB_TYPE_U32 || strcmp(f->name, "struct_size") != 0))
    return "the first field is not struct_size";
  /* A 32-bit pointer may leave a hole before what follows it. */
  if (f->offset != at && !(sizeof(void *) == 4 && f->offset == at + 4 && at % 8 == 4))
    return "a gap or an overlap";
  if (f->type != TTB_TYPE_PTR && f->offset % check_rows_width(f->type) != 0) return "misaligned";
  if (f->min > f->max) return "min is above max";
  if (f->since == 0) return "since is missing";
  /* The default is a legal value, or TTB_OFF, or there is no range at all. */
  bool ranged = f->min != 0 || f->max != 0;
  if (ranged && f->def != TTB_OFF && f->def != 0 && (f->def < f->min || f->def > f->max))
    return "the default is out of range";
  return NULL;
}

static inline int check_rows(check_rows_of field) {
  for (uint32_t which = 0;; which++) {
    const char *names[256];
    ttb_field f = {.struct_size = sizeof f}, last = f;
    uint32_t at = 0, i = 0;
    for (; i < 256; i++) {
      f = (ttb_field){.struct_size = sizeof f};
      int32_t code = field(which, i, &f);
      if (code == TTB_ERR_RANGE) break;
      const char *fault = code == TTB_OK ? check_rows_fault(&f, at, i == 0) : "no answer";
      for (uint32_t j = 0; j < i && !fault; j++)
        if (strcmp(names[j], f.name) == 0) fault = "the name is not unique";
      if (fault) {
        printf("%s.%s (struct %u, row %u): %s\n", f.type_name ? f.type_name : "?",
               f.name ? f.name : "?", which, i, fault);
        return -1;
      }
      names[i] = f.name;
      at = f.offset + check_rows_width(f.type);
      last = f;
    }
    if (i == 0) return (int)which;
    /* Only a 32-bit machine that aligns by 8 may pad the end. */
    if (last.type_size != at && !(sizeof(void *) == 4 && last.type_size == at + 4)) {
      printf("%s: its rows end at %u of %lld bytes\n", last.type_name, at,
             (long long)last.type_size);
      return -1;
    }
  }
}

#endif
