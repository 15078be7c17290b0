/* SPDX-License-Identifier: MIT */
/* What goes wrong in other breakers, done here: each experiment has to come out
 * the right way. (Ejection by standard deviation is health's.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trimtab/breaker.h>

#define MS UINT64_C(1000000)
#define NOW (UINT64_C(7200000) * MS)

static unsigned char *memory; /* shared */
static ttb_breaker b;

static ttb_breaker_config config(void) {
  ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);
  return c;
}
static void make(const ttb_breaker_config *c) {
  memset(memory, 0, 65536);
  assert_int_equal(ttb_breaker_init(&b, memory, 65536, c), TTB_OK);
}
static int32_t call(int32_t outcome, uint64_t now) {
  return ttb_breaker_report(&b, ttb_breaker_acquire(&b, 0, now), outcome, now);
}
static ttb_breaker_info look(uint64_t now) {
  ttb_breaker_info i = TTB_CONFIG(ttb_breaker_info);
  assert_int_equal(ttb_breaker_explain(&b, 0, now, &i), TTB_OK);
  return i;
}

/* resilience4j, TIME_BASED: after a step back of the clock each call throws a
 * bucket away, for good. Here nothing is lost, and the breaker lives on. */
static void test_resilience4j_clock_steps_back(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.consecutive = TTB_OFF, c.failure_rate_ppm = 900000, c.min_calls = 1000;
  make(&c);
  for (int i = 0; i < 800; i++) (void)call(TTB_FAILURE, NOW);
  for (uint32_t i = 1; i <= 8; i++) {
    (void)call(TTB_SUCCESS, NOW - 5000 * MS);
    assert_int_equal(look(NOW - 5000 * MS).calls, 800 + i);
  }
  /* 60 s later, at 30 in an instant: all 30 count. */
  c.min_calls = 30;
  make(&c);
  for (int i = 0; i < 800; i++) (void)call(TTB_SUCCESS, NOW);
  (void)call(TTB_SUCCESS, NOW - 5000 * MS);
  for (int i = 0; i < 29; i++) assert_int_equal(call(TTB_FAILURE, NOW + 60000 * MS), TTB_OK);
  assert_int_equal(call(TTB_FAILURE, NOW + 60000 * MS), TTB_BREAKER_OPENED);
}

/* resilience4j (also opossum, Failsafe, cockatiel): results of calls from before
 * decide the half-open state, or give its permits back. */
static void test_stale_results_decide_nothing(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.consecutive = 1, c.half_open_probes = 4, c.half_open_calls = 4;
  make(&c);
  int64_t old[8], probes[5];
  for (int i = 0; i < 8; i++) old[i] = ttb_breaker_acquire(&b, 0, NOW);
  assert_int_equal(call(TTB_FAILURE, NOW), TTB_BREAKER_OPENED);
  uint64_t later = NOW + 5000 * MS;
  probes[0] = ttb_breaker_acquire(&b, 0, later);
  for (int i = 0; i < 8; i++) {
    static const int32_t outcomes[] = {TTB_SUCCESS, TTB_IGNORED, TTB_CANCELLED, TTB_FAILURE};
    assert_int_equal(ttb_breaker_report(&b, old[i], outcomes[i % 4], later), TTB_STALE);
  }
  assert_int_equal(look(later).state, TTB_BREAKER_HALF_OPEN);
  for (int i = 1; i < 5; i++) probes[i] = ttb_breaker_acquire(&b, 0, later);
  assert_true(probes[1] >= 0 && probes[2] >= 0 && probes[3] >= 0);
  assert_int_equal(probes[4], TTB_HALF_OPEN_FULL);
}

/* resilience4j, LOCK_FREE: the window runs on the system's clock whatever clock
 * was configured. Here there is no clock but the caller's. */
static void test_the_callers_clock_is_the_clock(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  make(&c);
  (void)call(TTB_FAILURE, NOW);
  assert_int_equal(look(NOW).calls, 1);
  assert_int_equal(look(NOW + UINT64_C(3600000) * MS).calls, 0);
}

/* gobreaker, distributed: eight instances of five failing calls record 5 of 40,
 * and wait for each other. Here all 40 count, and nothing is held meanwhile. */
static void test_processes_lose_no_update(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.consecutive = TTB_OFF, c.min_calls = 1000;
  make(&c);
  for (int p = 0; p < 8; p++) {
    if (fork() != 0) continue;
    ttb_breaker mine;
    int64_t tickets[5];
    if (ttb_breaker_attach(&mine, memory, 65536) < 0) _exit(1);
    for (int i = 0; i < 5; i++) tickets[i] = ttb_breaker_acquire(&mine, 0, NOW);
    for (int i = 0; i < 5; i++) (void)ttb_breaker_report(&mine, tickets[i], TTB_FAILURE, NOW);
    _exit(0);
  }
  for (int p = 0; p < 8; p++) {
    int status;
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
  }
  assert_int_equal(look(NOW).failures, 40);
}

/* brpc: failures weigh by their latency, so a callee that fails at once trips
 * after 51,001 calls where a slow one does after 52. */
static void test_fast_failures_weigh_as_much(void **state) {
  (void)state;
  int after[2];
  for (int fast = 0; fast < 2; fast++) {
    ttb_breaker_config c = config();
    c.consecutive = TTB_OFF, c.failure_rate_ppm = TTB_OFF;
    c.cusum_bad_ppm = 300000, c.slow_ms = 1000;
    make(&c);
    for (int i = 0; i < 1000; i++) (void)call(TTB_SUCCESS, NOW);
    for (after[fast] = 1;; after[fast]++) {
      int64_t t = ttb_breaker_acquire(&b, 0, NOW);
      uint64_t ns = fast ? 1000 : 1000 * MS;
      if (ttb_breaker_report_timed(&b, t, TTB_FAILURE, ns, NOW) == TTB_BREAKER_OPENED) break;
      assert_true(after[fast] < 52);
    }
  }
  assert_int_equal(after[0], after[1]);
}

/* cockatiel, SamplingBreaker: the window turns a bucket a call, so an hour's idle
 * time does not empty it, and three calls open it. */
static void test_an_idle_hour_empties_the_window(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.consecutive = TTB_OFF, c.min_calls = 10;
  make(&c);
  for (int i = 0; i < 8; i++) (void)call(i % 2 ? TTB_FAILURE : TTB_SUCCESS, NOW);
  uint64_t later = NOW + UINT64_C(3600000) * MS;
  assert_int_equal(call(TTB_SUCCESS, later), TTB_OK);
  assert_int_equal(call(TTB_FAILURE, later), TTB_OK);
  assert_int_equal(call(TTB_FAILURE, later), TTB_OK);
  assert_int_equal(look(later).calls, 3);
  assert_int_equal(look(later).state, TTB_BREAKER_CLOSED);
}

/* cockatiel, opossum, Failsafe, Polly, gobreaker: a probe that hangs keeps
 * everybody waiting, or out, for ever. */
static void test_a_hung_probe_costs_a_lease(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.consecutive = 1, c.lease_ms = 10000;
  make(&c);
  (void)call(TTB_FAILURE, NOW);
  uint64_t later = NOW + 5000 * MS;
  int64_t hung = ttb_breaker_acquire(&b, 0, later);
  assert_int_equal(ttb_breaker_is_probe(hung), 1);
  assert_int_equal(ttb_breaker_acquire(&b, 0, later), TTB_HALF_OPEN_FULL); /* at once */
  assert_int_equal(look(later).retry_after_ms, 10000);
  assert_int_equal(ttb_breaker_acquire(&b, 0, later + 9999 * MS), TTB_HALF_OPEN_FULL);
  later += 10000 * MS;
  assert_int_equal(call(TTB_SUCCESS, later), TTB_BREAKER_RECLOSED);
  assert_int_equal(ttb_breaker_report(&b, hung, TTB_FAILURE, later), TTB_STALE);
}

/* Python's circuitbreaker: 50 threads at the end of the open time, 50 admitted. */
static void *ask(void *granted) {
  *(int64_t *)granted = ttb_breaker_acquire(&b, 0, NOW + 5000 * MS);
  return NULL;
}
static void test_fifty_threads_one_probe(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  pthread_t thread[50];
  int64_t got[50];
  int granted = 0;
  c.consecutive = 1;
  make(&c);
  (void)call(TTB_FAILURE, NOW);
  for (int i = 0; i < 50; i++) assert_int_equal(pthread_create(&thread[i], NULL, ask, &got[i]), 0);
  for (int i = 0; i < 50; i++) {
    pthread_join(thread[i], NULL);
    granted += got[i] >= 0;
  }
  assert_int_equal(granted, 1);
}

/* pybreaker: a lock is held around the guarded call, so calls run one by one.
 * Here eight are under way before the first has ended. */
static void test_calls_run_side_by_side(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  int64_t tickets[8];
  make(&c);
  for (int i = 0; i < 8; i++) {
    tickets[i] = ttb_breaker_acquire(&b, 0, NOW);
    assert_true(tickets[i] >= 0);
  }
  for (int i = 8; i-- > 0;)
    assert_int_equal(ttb_breaker_report(&b, tickets[i], TTB_SUCCESS, NOW), TTB_OK);
  assert_int_equal(look(NOW).calls, 8);
}

/* A double report counts once, where that is asked for. */
static void test_a_double_report_counts_once(void **state) {
  (void)state;
  ttb_breaker_config c = config();
  c.flags = TTB_BREAKER_CHECK_TICKETS, c.tickets = 16, c.threads = 2;
  make(&c);
  ttb_breaker joined;
  assert_int_equal(ttb_breaker_join(&b, 7, &joined), TTB_OK);
  ttb_breaker *handles[] = {&b, &joined};
  for (uint32_t h = 0; h < 2; h++) {
    int64_t t = ttb_breaker_acquire(handles[h], 0, NOW);
    assert_int_equal(ttb_breaker_is_probe(t), 0);
    assert_int_equal(ttb_breaker_report(&b, t, TTB_FAILURE, NOW), TTB_OK);
    assert_int_equal(ttb_breaker_report(&b, t, TTB_FAILURE, NOW), TTB_STALE);
    assert_int_equal(look(NOW).failures, h + 1);
  }
  /* Sixteen may be out; the seventeenth takes the oldest one's place. */
  int64_t out[17];
  for (int i = 0; i < 17; i++) out[i] = ttb_breaker_acquire(&joined, 0, NOW);
  assert_int_equal(ttb_breaker_report(&b, out[0], TTB_SUCCESS, NOW), TTB_STALE);
  for (int i = 1; i < 17; i++)
    assert_int_equal(ttb_breaker_report(&b, out[i], TTB_SUCCESS, NOW), TTB_OK);
  /* Made up, and a plain one: stale. */
  assert_int_equal(ttb_breaker_report(&b, 0, TTB_SUCCESS, NOW), TTB_STALE);
  ttb_breaker_free(&joined);
}

int main(void) {
  memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_resilience4j_clock_steps_back),
      cmocka_unit_test(test_stale_results_decide_nothing),
      cmocka_unit_test(test_the_callers_clock_is_the_clock),
      cmocka_unit_test(test_processes_lose_no_update),
      cmocka_unit_test(test_fast_failures_weigh_as_much),
      cmocka_unit_test(test_an_idle_hour_empties_the_window),
      cmocka_unit_test(test_a_hung_probe_costs_a_lease),
      cmocka_unit_test(test_fifty_threads_one_probe),
      cmocka_unit_test(test_calls_run_side_by_side),
      cmocka_unit_test(test_a_double_report_counts_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
