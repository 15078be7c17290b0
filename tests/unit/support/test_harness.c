/* SPDX-License-Identifier: MIT */
/* The harnesses themselves: that they notice what they are there to notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "alloc.h"
#include "check.h"
#include "dec_hash.h"
#include "singlestep.h"
#include "torture.h"
#include "vclock.h"

/* ---- alloc.h */

typedef struct two_blocks {
  const ttb_allocator *allocator;
  void *first, *second;
  int leak, ignore;
} two_blocks;

static int32_t make_two(void *ctx, const ttb_allocator *allocator) {
  two_blocks *two = ctx;
  two->first = allocator->alloc(allocator->ctx, 100, 64);
  if (!two->first) return TTB_ERR_NOMEM;
  two->second = allocator->alloc(allocator->ctx, 50, 128);
  if (!two->second) {
    if (two->ignore) return TTB_OK;
    if (!two->leak) allocator->free(allocator->ctx, two->first, 100, 64);
    return TTB_ERR_NOMEM;
  }
  allocator->free(allocator->ctx, two->second, 50, 128);
  allocator->free(allocator->ctx, two->first, 100, 64);
  return TTB_OK;
}
static void end_two(void *ctx) { (void)ctx; }

static void alloc_torture_counts_and_finds_leaks(void **state) {
  (void)state;
  two_blocks good = {0}, leaky = {.leak = 1}, careless = {.ignore = 1};
  assert_int_equal(alloc_torture(make_two, end_two, &good), 2);
  assert_int_equal(alloc_torture(make_two, end_two, &leaky), -1);
  assert_int_equal(alloc_torture(make_two, end_two, &careless), -1);
  /* What they leaked on purpose, for LeakSanitizer's sake. */
  test_alloc rest = {.live = 2};
  test_alloc_put(&rest, leaky.first, 100, 64);
  test_alloc_put(&rest, careless.first, 100, 64);
  assert_int_equal(rest.live + rest.wrong, 0);
}

static void allocator_notices_a_wrong_free(void **state) {
  (void)state;
  test_alloc a = {0};
  ttb_allocator allocator = test_allocator(&a);
  void *p = allocator.alloc(allocator.ctx, 10, 64);
  assert_int_equal((uintptr_t)p % 64, 0);
  allocator.free(allocator.ctx, p, 11, 64);
  assert_int_equal(a.wrong, 1);
  assert_int_equal(a.live, 0);
}

/* ---- check.h */

static void check_stops_at_the_first_failure(void **state) {
  (void)state;
  char *arguments[] = {(char *)"self", (char *)"10", (char *)"7", NULL};
  check c = check_start(3, arguments);
  int steps = 0;
  check_property(&c, "a property that fails on purpose at step 4");
  while (check_step(&c)) CHECK(&c, ++steps < 4, "step %d", steps);
  check_property(&c, "a property that holds");
  while (check_step(&c)) steps++;
  assert_int_equal(check_end(&c), 1);
  assert_int_equal(steps, 4 + 10);
  assert_int_equal(c.passed, 1);
  assert_int_equal(c.failed, 1);
}

static void check_draws_the_same_again(void **state) {
  (void)state;
  check a = {.seed = 3, .steps = 1}, b = {.seed = 3, .steps = 1};
  check_property(&a, "one");
  check_property(&b, "another");
  check_property(&b, "one");
  assert_int_equal(check_rand(&a), check_rand(&b));
  int64_t x = check_between(&a, -5, 5);
  assert_true(x >= -5 && x <= 5);
}

/* ---- dec_hash.h, vclock.h */

static void dec_hash_sees_order(void **state) {
  (void)state;
  dec_hash a = dec_hash_start(), b = dec_hash_start();
  dec_hash_add(&a, 1);
  dec_hash_add(&a, 2);
  dec_hash_add(&b, 2);
  dec_hash_add(&b, 1);
  assert_int_not_equal(a.value, b.value);
}

static void clock_moves_both_ways(void **state) {
  (void)state;
  vclock clock = vclock_start();
  uint64_t begun = clock.now_ns;
  vclock_ms(&clock, 5);
  assert_int_equal(vclock_jump_ms(&clock, -5), begun);
  assert_int_equal(vclock_jump_ms(&clock, INT64_C(-100000000)), 0);
}

/* ---- torture.h: two words that must stay equal */

static volatile uint64_t *pair(torture *t) { return t->mem; }

static void add_both(torture *t, uint32_t worker, uint64_t token) {
  (void)token;
  for (;;) {
    if (t->ctx && t->progress[8 * worker] > 3) for (;;) pause(); /* wedged */
    __atomic_fetch_add(&pair(t)[8 * worker], 1, __ATOMIC_RELAXED);
    for (volatile int i = 0; i < 50; i++) {
    }
    __atomic_fetch_add(&pair(t)[8 * worker + 1], 1, __ATOMIC_RELAXED);
    torture_progress(t, worker);
  }
}
static int mend(torture *t, uint32_t worker, uint64_t token) {
  (void)token;
  pair(t)[8 * worker + 1] = pair(t)[8 * worker];
  return 0;
}
static int mend_nothing(torture *t, uint32_t worker, uint64_t token) {
  (void)t, (void)worker, (void)token;
  return 0;
}
static int equal(torture *t) {
  for (uint32_t i = 0; i < t->workers; i++)
    if (pair(t)[8 * i] != pair(t)[8 * i + 1]) return 1;
  return 0;
}
static void end_at_once(torture *t, uint32_t worker, uint64_t token) {
  torture_progress(t, worker);
  (void)token;
}
static void never_starts(torture *t, uint32_t worker, uint64_t token) {
  (void)t, (void)worker, (void)token;
  for (;;) pause();
}
static void crash(torture *t, uint32_t worker, uint64_t token) {
  (void)token;
  torture_progress(t, worker);
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
}

static int torture_of(void (*work)(torture *, uint32_t, uint64_t),
                      int (*recover)(torture *, uint32_t, uint64_t)) {
  torture t = {.workers = 3, .kills = 30, .size = 4096, .life_us = 500, .at_once = 2, .quiet_every = 5,
               .stuck_ms = 300, .work = work, .recover = recover, .check_quiet = equal};
  assert_int_equal(torture_map(&t), 0);
  return torture_run(&t);
}
static void torture_passes_what_is_mended(void **state) {
  (void)state;
  assert_int_equal(torture_of(add_both, mend), 0);
}
static void torture_finds_what_is_not_mended(void **state) {
  (void)state;
  assert_int_equal(torture_of(add_both, mend_nothing), 1);
}
static void torture_finds_workers_that_end_crash_or_hang(void **state) {
  (void)state;
  assert_int_equal(torture_of(end_at_once, mend), 1);
  assert_int_equal(torture_of(crash, mend), 1);
  assert_int_equal(torture_of(never_starts, mend), 1);
}

/* ---- singlestep.h */

static int zero(singlestep *s) {
  volatile uint64_t *word = s->mem;
  word[0] = word[1] = 0;
  return 0;
}
static void write_both(singlestep *s) {
  volatile uint64_t *word = s->mem;
  word[0] = 1;
  word[1] = 1;
}
static int copy_over(singlestep *s) {
  volatile uint64_t *word = s->mem;
  word[1] = word[0];
  return 0;
}
static int both_equal(singlestep *s, int ended) {
  volatile uint64_t *word = s->mem;
  return word[0] != word[1] || (ended && word[0] != 1);
}

static void singlestep_visits_every_instruction(void **state) {
  (void)state;
  singlestep s = {.size = 4096, .prepare = zero, .call = write_both, .recover = copy_over,
                  .check = both_equal};
  int status = singlestep_run(&s);
  if (status == SINGLESTEP_UNSUPPORTED) return;
  assert_int_equal(status, 0);
  assert_true(s.points >= 3);

  /* Without recovery, exactly the points between the two stores are wrong. */
  singlestep bad = {.size = 4096, .prepare = zero, .call = write_both, .check = both_equal};
  assert_int_equal(singlestep_run(&bad), 1);
  assert_true(bad.failed >= 1 && bad.failed < bad.points);
}

static void crash_inside(singlestep *s) {
  (void)s;
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
}
static void singlestep_finds_a_crash(void **state) {
  (void)state;
  singlestep s = {.size = 4096, .prepare = zero, .call = crash_inside, .check = both_equal};
  int status = singlestep_run(&s);
  if (status == SINGLESTEP_UNSUPPORTED) return;
  assert_int_equal(status, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(alloc_torture_counts_and_finds_leaks),
      cmocka_unit_test(allocator_notices_a_wrong_free),
      cmocka_unit_test(check_stops_at_the_first_failure),
      cmocka_unit_test(check_draws_the_same_again),
      cmocka_unit_test(dec_hash_sees_order),
      cmocka_unit_test(clock_moves_both_ways),
      cmocka_unit_test(torture_passes_what_is_mended),
      cmocka_unit_test(torture_finds_what_is_not_mended),
      cmocka_unit_test(torture_finds_workers_that_end_crash_or_hang),
      cmocka_unit_test(singlestep_visits_every_instruction),
      cmocka_unit_test(singlestep_finds_a_crash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
