/* SPDX-License-Identifier: MIT */
/* What somebody writes who uses trimtab: calls fail until the breaker opens, the
 * open time passes, a probe closes it. Built in each way a program may take the
 * library in, also as C++. */
#include <stdio.h>

#include <trimtab/breaker.h>

int main(void) {
  ttb_breaker b;
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  uint64_t now = 1000000000u;
  int calls = 0;
  int64_t ticket;
  c.consecutive = 3;
  c.open_ms = 100;
  if (ttb_breaker_new(&b, &c, NULL) < 0) return 1;
  while ((ticket = ttb_breaker_acquire(&b, 0, now)) >= 0 && calls < 1000) {
    calls++;
    ttb_breaker_report(&b, ticket, TTB_FAILURE, now);
  }
  printf("%d failures, then %s\n", calls, ttb_errname((int32_t)ticket));
  now += 100000000u;
  ticket = ttb_breaker_acquire(&b, 0, now);
  printf("later %s, %s\n", ticket >= 0 ? "a probe" : ttb_errname((int32_t)ticket),
         ttb_breaker_report(&b, ticket, TTB_SUCCESS, now) == TTB_BREAKER_RECLOSED ? "closed again"
                                                                                  : "not closed");
  ttb_breaker_free(&b);
  return 0;
}
