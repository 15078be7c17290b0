/* SPDX-License-Identifier: MIT */
/* Looking at a violation budget without touching it, and words for it.
 *
 * I1  Nothing here writes. Beside a writer each number is one that stood there;
 *     together they may be of two ticks. */
#include "budget.h"

#include <string.h>

static int32_t milli(int32_t q12) { return (int32_t)((int64_t)q12 * 1000 / TTB__BUDGET_ONE); }

static int32_t ppm24(uint64_t q24) { return (int32_t)((q24 & 0x1ffffff) * 1000000 >> 24); }

static void row_of(const ttb__budget *b, ttb__budget_slot *s, uint32_t i, uint64_t ticks,
                   uint32_t speaking, ttb_budget_row *r) {
  ttb__basis x = ttb__arms_basis(b, s, i, ticks > 0 ? ticks - 1 : 0);
  uint64_t g = ttb__load_rlx(&s->headroom[i]) & 0xffff, all = ttb__load_rlx(&s->total);
  uint64_t above = ttb__arms_above(s, i, (uint32_t)g);
  *r = TTB_CONFIG(ttb_budget_row);
  r->arm = (int32_t)i;
  r->chosen = i == speaking;
  r->headroom_ppm = (int32_t)(g * 1000000 >> 8);
  r->violation_ppm = all > 0 && above < all ? (int32_t)(above * 1000000 / all) : 0;
  r->base_milli = milli(x.base);
  r->scale_milli = milli(x.scale);
  r->ask_milli = milli(ttb__arms_ask(b, s, i, ticks > 0 ? ticks - 1 : 0));
  r->cost_milli = (int64_t)(ttb__arms_cost(s, i) * 1000 / TTB__BUDGET_ONE);
}

int32_t ttb_budget_explain(const ttb_budget *h, uint32_t slot, uint64_t now_ns,
                           ttb_budget_info *ret) {
  const ttb__budget *b = ttb__budget_of(h);
  if (!b || !ret) return TTB_ERR_MISUSE;
  if (slot >= b->capacity) return TTB_ERR_RANGE;
  ttb_budget_info in, i = TTB_CONFIG(ttb_budget_info);
  int32_t code = ttb__config_read(&ttb__budget_info_fields, ret, &in, -1, NULL);
  if (code < 0) return code;
  ttb__budget_slot *s = ttb__budget_slot_at(b, slot);
  uint64_t now = ttb__clock_peek(&b->region->clock, now_ns), known = ttb__load_rlx(&s->known);
  uint64_t ticks = ttb__load_rlx(&s->ticks);
  ttb__budget_choice c = ttb__budget_choice_of(ttb__load_rlx(&s->result));
  i.desired = known ? c.desired : -1;
  i.reason = (int32_t)c.reason;
  i.arm = (int32_t)c.arm;
  i.hold = (int32_t)c.hold;
  i.spent_ppm = ppm24(ttb__budget_spent(s));
  i.aim_ppm = ppm24(ttb__arms_aim(b, s));
  i.forecast_error_ppm = ttb__forecast_error(s);
  i.actions_left = b->token_q16 > 0 ? (int32_t)(ttb__load_rlx(&s->tokens) >> 16) : -1;
  i.level_milli = milli(ttb__budget_cut((int64_t)(ttb__load_rlx(&s->level) >> 14 & 0x7fffffff)));
  i.ticks = ticks;
  i.violations = ttb__load_rlx(&s->violations);
  i.actions = ttb__load_rlx(&s->actions);
  i.age_ms = known == 0 ? -1 : now > known ? (int64_t)(now - known) : 0;
  i.rows = in.rows;
  if (in.rows && in.rows_n > 0 && known) {
    uint32_t stride;
    memcpy(&stride, in.rows, sizeof stride);
    uint32_t n = in.rows_n < TTB__ARMS ? in.rows_n : TTB__ARMS;
    for (uint32_t k = 0; k < n; k++) {
      ttb_budget_row r;
      row_of(b, s, k, ticks, c.arm, &r);
      void *to = (char *)in.rows + (uint64_t)k * stride;
      if ((code = ttb__struct_write(&ttb__budget_row_fields, &r, to)) < 0) return code;
    }
    i.rows_n = n;
  }
  return ttb__struct_write(&ttb__budget_info_fields, &i, ret);
}

const char *ttb_budget_arm(int32_t arm) {
  static const char *const words[TTB__ARMS] = {
      "highest of 8 ticks, itself",
      "highest of 40 ticks, itself",
      "highest of 8 ticks or trend, itself",
      "highest of 40 ticks or trend, itself",
      "load, change of minutes",
      "load, change of an hour",
      "load and trend, change of minutes",
      "load and trend, change of an hour",
      "load and longer trend, change of minutes",
      "load and longer trend, change of an hour",
      "load, level of days",
      "highest of 8 ticks, level of days",
      "highest of 40 ticks, change of an hour",
      "load and forecast, change of minutes",
      "load and forecast, change of an hour",
      "load and forecast, itself",
  };
  return arm >= 0 && arm < (int32_t)TTB__ARMS ? words[arm] : "no such arm";
}

const char *ttb_budget_reason(int32_t reason) {
  static const char *const words[] = {
      "what is needed is what there is",
      "more are needed",
      "fewer have been needed for long enough",
      "fewer are needed, but not by enough or not for long enough",
      "fewer would do, but the actions of this time are used up",
      "more are needed than the maximum",
      "fewer are needed than the minimum",
      "there is no load: hold",
      "the tick is not over: as before",
  };
  const int32_t n = (int32_t)(sizeof words / sizeof *words);
  return reason >= 0 && reason < n ? words[reason] : "no such reason";
}
