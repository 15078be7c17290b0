/* SPDX-License-Identifier: MIT */
/* lib/autoscaler/pods.c: groups, one pass, containers, numbers of any size. */
#include "../../../lib/autoscaler/pods.h"

#include "fixture.h"

#define RUNS (TTB_POD_READY | TTB_POD_STARTED | TTB_POD_SAMPLED | TTB_POD_REQUESTED)

static ttb_pods begin(uint32_t kind, int64_t target, uint32_t flags) {
  ttb_pods p;
  ttb_pods_config c = TTB_CONFIG(ttb_pods_config);
  c.kind = kind;
  c.target_milli = target;
  c.flags = flags;
  assert_int_equal(ttb_pods_start(&p, &c, 1000000), TTB_OK);
  return p;
}

static ttb_pod pod(uint32_t flags, int64_t use, int64_t request) {
  ttb_pod p = TTB_CONFIG(ttb_pod);
  p.flags = flags;
  p.value_milli = use;
  p.request_milli = request;
  return p;
}

static const ttb__pods *inside(const ttb_pods *p) { return (const ttb__pods *)(const void *)p; }

static void test_groups(void **unused) {
  (void)unused;
  ttb_pods cpu = begin(TTB_PODS_AVERAGE, 1, TTB_PODS_CPU), memory = begin(TTB_PODS_AVERAGE, 1, 0);
  ttb_pod p = pod(RUNS, 1, 1);
#define GROUP(c, m)                                          \
  assert_int_equal(ttb_pods_group(&cpu, &p), TTB_PODS_##c);  \
  assert_int_equal(ttb_pods_group(&memory, &p), TTB_PODS_##m)
  GROUP(READY, READY);
  p.flags = RUNS | TTB_POD_DELETED;
  GROUP(IGNORED, IGNORED);
  p.flags = RUNS | TTB_POD_ENDED | TTB_POD_PENDING;
  GROUP(IGNORED, IGNORED);
  p.flags = RUNS | TTB_POD_PENDING;
  GROUP(UNREADY, UNREADY);
  p.flags = RUNS & ~TTB_POD_SAMPLED;
  GROUP(MISSING, MISSING);
  p.flags = RUNS & ~TTB_POD_STARTED;
  GROUP(UNREADY, READY);
  p.flags = RUNS & ~TTB_POD_READY; /* no condition at all */
  GROUP(UNREADY, READY);
  p.flags = (RUNS & ~TTB_POD_READY) | TTB_POD_READY_UNKNOWN; /* not False */
  GROUP(READY, READY);
  /* In the first five minutes: not ready, or the sample reaches back before that. */
  p.flags = RUNS;
  p.start_ms = 1000000 - 300000 + 1;
  p.ready_changed_ms = 900000;
  p.window_ms = 30000;
  p.sample_ms = 930000;
  GROUP(READY, READY);
  p.sample_ms = 929999;
  GROUP(UNREADY, READY);
  p.start_ms -= 1; /* over */
  GROUP(READY, READY);
  /* Later: not ready, and never was. */
  p.flags = (RUNS & ~TTB_POD_READY) | TTB_POD_NOT_READY;
  p.ready_changed_ms = p.start_ms + 29999;
  GROUP(UNREADY, READY);
  p.ready_changed_ms = p.start_ms + 30000;
  GROUP(READY, READY);
}

/* The fast loop, the slow one and ttb_pods_group agree on every flag. */
static void test_loops_agree(void **unused) {
  (void)unused;
  for (uint32_t kind = TTB_PODS_UTILISATION; kind <= TTB_PODS_AVERAGE; kind++)
    for (uint32_t flags = 0; flags < 1024; flags++)
      for (int64_t start = 600000; start <= 800000; start += 100000) {
        ttb_pods one = begin(kind, 150000, flags & 1), many = begin(kind, 150000, flags & 1);
        ttb_pod list[3] = {pod(flags, 700, 1000), pod(flags, 70, 100), pod(flags, 7, 10)};
        struct {
          ttb_pod p;
          uint64_t more;
        } longer;
        for (int i = 0; i < 3; i++) {
          list[i].start_ms = start;
          longer.p = list[i];
          longer.p.struct_size = sizeof longer; /* goes one by one */
          longer.more = 0;
          assert_int_equal(ttb_pods_add(&one, &longer.p, 1), TTB_OK);
        }
        assert_int_equal(ttb_pods_add(&many, list, 3), TTB_OK);
        assert_memory_equal(inside(&one)->value, inside(&many)->value, sizeof inside(&one)->value);
        assert_memory_equal(inside(&one)->group, inside(&many)->group, sizeof inside(&one)->group);
        assert_int_equal(inside(&one)->serving, inside(&many)->serving);
        assert_int_equal(inside(&one)->samples, inside(&many)->samples);
        assert_int_equal(inside(&one)->listed, inside(&many)->listed);
        assert_int_equal(inside(&one)->requestless, inside(&many)->requestless);
        if (kind == TTB_PODS_UTILISATION)
          assert_memory_equal(inside(&one)->request, inside(&many)->request,
                              sizeof inside(&one)->request);
        if (!(flags & TTB_POD_UNLISTED))
          assert_int_equal(inside(&many)->group[ttb_pods_group(&many, list)], 3);
      }
}

static void test_sums_do_not_wrap(void **unused) {
  (void)unused;
  static ttb_pod list[100];
  ttb_pods p = begin(TTB_PODS_UTILISATION, 70000, 0);
  for (int i = 0; i < 100; i++) list[i] = pod(RUNS, INT64_MAX, INT64_MAX);
  assert_int_equal(ttb_pods_add(&p, list, 100), TTB_OK);
  assert_true(ttb__sum_divide(inside(&p)->value[0], 1) == INT64_MAX);
  for (int i = 0; i < 100; i++) list[i].value_milli = INT64_MIN, list[i].request_milli = -1;
  assert_int_equal(ttb_pods_add(&p, list, 100), TTB_OK);
  assert_true(ttb__sum_divide(inside(&p)->value[0], 1) == -100); /* exact in between */
  assert_int_equal(ttb_pods_add(&p, list, 100), TTB_OK);
  assert_true(ttb__sum_divide(inside(&p)->value[0], 1) == INT64_MIN);
  assert_true(ttb__sum_divide(inside(&p)->request[0], 1) == INT64_MAX);
}

static void test_many(void **unused) {
  (void)unused;
  enum { N = 70000 }; /* more than one chunk */
  ttb_pod *list = test_malloc(N * sizeof *list);
  ttb_pods p = begin(TTB_PODS_UTILISATION, 70000, 0);
  ttb_pods_info info = TTB_CONFIG(ttb_pods_info);
  for (int i = 0; i < N; i++)
    list[i] = pod(i % 7 ? RUNS : RUNS & ~TTB_POD_SAMPLED, (INT64_C(1) << 46) - 1, 3);
  assert_int_equal(ttb_pods_add(&p, list, N), TTB_OK);
  assert_int_equal(ttb_pods_count(&p, &info), TTB_OK);
  assert_int_equal(info.ready, 60000);
  assert_int_equal(info.missing, 10000);
  assert_int_equal(info.serving, N);
  assert_true(ttb__sum_divide(inside(&p)->value[0], 1) == 60000 * ((INT64_C(1) << 46) - 1));
  assert_true(ttb__sum_divide(inside(&p)->request[1], 1) == 30000);
  list[69000].struct_size = 8;
  assert_int_equal(ttb_pods_add(&p, list, N), TTB_ERR_RANGE);
  assert_int_equal(ttb_pods_count(&p, &info), TTB_OK);
  assert_int_equal(info.ready + info.missing, N + 69000); /* those before it are counted */
  test_free(list);
}

static void test_fold(void **unused) {
  (void)unused;
  const uint32_t both = TTB_POD_SAMPLED | TTB_POD_REQUESTED;
  ttb_container c[3] = {{sizeof *c, both, 100, 200}, {sizeof *c, both, 10, 20}, {sizeof *c, both, 1, 2}};
  ttb_pod p = pod(TTB_POD_READY, 0, 0);
  assert_int_equal(ttb_pod_fold(&p, c, 3, TTB_POD_ALL_CONTAINERS), TTB_OK);
  assert_int_equal(p.flags, TTB_POD_READY | both);
  assert_true(p.value_milli == 111 && p.request_milli == 222);
  assert_int_equal(ttb_pod_fold(&p, c, 3, 0), TTB_OK); /* the first is one too */
  assert_true(p.value_milli == 100 && p.request_milli == 200);
  assert_int_equal(ttb_pod_fold(&p, c, 3, 3), TTB_OK); /* it has no such container */
  assert_int_equal(p.flags, TTB_POD_READY | TTB_POD_REQUESTED);
  assert_true(p.request_milli == 0);
  c[1].flags = TTB_POD_REQUESTED;
  assert_int_equal(ttb_pod_fold(&p, c, 3, TTB_POD_ALL_CONTAINERS), TTB_OK);
  assert_int_equal(p.flags, TTB_POD_READY | TTB_POD_REQUESTED);
  c[1].flags = TTB_POD_SAMPLED;
  assert_int_equal(ttb_pod_fold(&p, c, 3, TTB_POD_ALL_CONTAINERS), TTB_OK);
  assert_int_equal(p.flags, TTB_POD_READY | TTB_POD_SAMPLED);
  c[0].value_milli = c[1].value_milli = INT64_MAX;
  assert_int_equal(ttb_pod_fold(&p, c, 3, TTB_POD_ALL_CONTAINERS), TTB_OK);
  assert_true(p.value_milli == INT64_MAX);
  assert_int_equal(ttb_pod_fold(&p, NULL, 0, TTB_POD_ALL_CONTAINERS), TTB_OK);
  assert_int_equal(p.flags & TTB_POD_SAMPLED, 0);
  assert_int_equal(ttb_pod_fold(NULL, c, 1, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pod_fold(&p, NULL, 1, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pod_fold(&p, c, 1, -2), TTB_ERR_RANGE);
  c[2].struct_size = 8;
  assert_int_equal(ttb_pod_fold(&p, c, 3, 0), TTB_ERR_RANGE);
}

static void test_misuse(void **unused) {
  (void)unused;
  ttb_pods p = {{0}};
  ttb_pods_config c = TTB_CONFIG(ttb_pods_config);
  ttb_pod one = pod(RUNS, 1, 1);
  ttb_pods_info info = TTB_CONFIG(ttb_pods_info);
  assert_int_equal(ttb_pods_add(&p, &one, 1), TTB_ERR_MISUSE); /* not started */
  assert_int_equal(ttb_pods_start(NULL, &c, 0), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pods_start(&p, NULL, 0), TTB_ERR_MISUSE);
  c.kind = TTB_PODS_AVERAGE;
  assert_int_equal(ttb_pods_start(&p, &c, 0), TTB_ERR_RANGE); /* no target */
  c.kind = 0;
  c.cpu_init_ms = 86400001;
  assert_int_equal(ttb_pods_start(&p, &c, 0), TTB_ERR_RANGE);
  c.cpu_init_ms = 0;
  c.flags = TTB_PODS_CPU;
  assert_int_equal(ttb_pods_start(&p, &c, INT64_MIN), TTB_OK);
  assert_int_equal(ttb_pods_add(&p, &one, 1), TTB_OK); /* times saturate */
  assert_int_equal(ttb_pods_add(&p, NULL, 1), TTB_ERR_MISUSE);
  assert_int_equal(ttb_pods_add(&p, NULL, 0), TTB_OK);
  assert_int_equal(ttb_pods_add(&p, &one, UINT32_MAX), TTB_ERR_RANGE);
  assert_int_equal(ttb_pods_group(&p, NULL), TTB_ERR_MISUSE);
  one.struct_size = 4;
  assert_int_equal(ttb_pods_group(&p, &one), TTB_ERR_RANGE);
  assert_int_equal(ttb_pods_add(&p, &one, 1), TTB_ERR_RANGE);
  assert_int_equal(ttb_pods_count(&p, NULL), TTB_ERR_MISUSE);
  info.struct_size = 3;
  assert_int_equal(ttb_pods_count(&p, &info), TTB_ERR_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_groups), cmocka_unit_test(test_loops_agree),
      cmocka_unit_test(test_sums_do_not_wrap), cmocka_unit_test(test_many),
      cmocka_unit_test(test_fold), cmocka_unit_test(test_misuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
