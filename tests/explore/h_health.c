/* SPDX-License-Identifier: MIT */
/* Outlier ejection (lib/health): several eject at once where one may be. */
#include "../../lib/health/health.h"

#include "explore.h"

#define MS UINT64_C(1000000)
#define NOW (3600000 * MS)
#define BYTES 1344
#define TARGETS 3u

static _Alignas(64) unsigned char memory[BYTES];
static ttb_health handle;

static struct {
  uint32_t told; /* callers that were told that they ejected one */
} g;

/* One failure ejects; one of three may be. */
static void setup(void) {
  ttb_health_config c = TTB_CONFIG(ttb_health_config);
  c.capacity = TARGETS;
  c.passive_errors = c.ttl_ms = c.max_pause_ms = TTB_OFF;
  c.eject = TTB_HEALTH_EJECT_ENVOY;
  c.eject_errors = 1;
  c.eject_max_ppm = 340000;
  c.eject_stdev_ppm = c.eject_failure_ppm = TTB_OFF;
  ex_shared(memory, sizeof memory);
  ex_ghost(&g, sizeof g);
  int64_t size = ttb_health_size(&c);
  ex_check(size > 0 && size <= BYTES, "the region fits");
  ex_check(ttb_health_init(&handle, memory, (uint64_t)size, &c) == TTB_OK, "init");
  (void)ttb_health_tick(&handle, NOW, NULL, 0); /* starts the clock */
}

static void fail(uint32_t slot) {
  if (ttb_health_observe(&handle, slot, TTB_FAILURE, NOW) == TTB_HEALTH_EJECTED) g.told++;
}
static void fail_0(void) { fail(0); }
static void fail_1(void) { fail(1); }
static void again_0(void) { fail(0); } /* another caller, the same target */

static uint32_t ejected(void) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < TARGETS; i++) n += ttb_health_ejected(&handle, i) == 1;
  return n;
}

static ttb__outlier_tally room(void) {
  return ttb__room_numbers(ttb__load_rlx(&ttb__health_of(&handle)->ejections->room));
}

/* The word of outlier_room.c errs on the safe side. */
static void check_safe(void) {
  ttb__outlier_tally n = ttb__outlier_count(ttb__health_of(&handle)), said = room();
  ex_check(n.ejected <= 1, "more ejected than may be");
  ex_check(said.ejected >= n.ejected, "fewer places taken than there are marks");
  ex_check(said.enabled <= n.enabled, "more counted than are in use");
}

/* And a sweep puts it right. */
static void check_swept(void) {
  (void)ttb_health_tick(&handle, NOW + 10000 * MS, NULL, 0);
  ttb__outlier_tally n = ttb__outlier_count(ttb__health_of(&handle)), said = room();
  ex_check(n.ejected <= 1, "more ejected than may be, after a sweep");
  ex_check(said.ejected == n.ejected && said.enabled == n.enabled, "wrong after a sweep");
}

static void check_room(void) {
  check_safe();
  check_swept();
}

/* Killed while it ejected in the moment of a count, it leaves a mark without a
 * place. */
static void check_killed(void) {
  if (!ex_dead(0)) check_safe();
  check_swept();
}

/* Never two, killed or not; each that is, told to one. */
static void check(void) {
  if (!ex_dead(0)) ex_check(g.told == ejected(), "an ejection nobody or two were told of");
  check_room();
}

const ex_harness ex_health_eject = {
    .name = "health-eject",
    .what = "two targets ejected at once where one may be, a caller killed in between",
    .setup = setup,
    .actor = {fail_0, fail_1},
    .check = check,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

const ex_harness ex_health_eject_same = {
    .name = "health-eject-same",
    .what = "one target ejected by two callers beside another target",
    .setup = setup,
    .actor = {fail_0, fail_1, again_0},
    .check = check,
    .bound = 3,
    .deep_bound = 5,
};

/* ---- the numbers ---- */

static void counts(void) { ttb__room_count(ttb__health_of(&handle)); }
static void returns_2(void) { (void)ttb__outlier_return(ttb__health_of(&handle), 2, NOW / MS); }
static void leaves_2_or_comes_1(void) {
  if (ex_choose(2)) (void)ttb_health_disable(&handle, 2, NOW);
  else (void)ttb_health_enable(&handle, 1, NOW);
}

const ex_harness ex_health_room = {
    .name = "health-room",
    .what = "two targets ejected beside a count, one of the callers killed",
    .setup = setup,
    .actor = {fail_0, fail_1, counts},
    .check = check_killed,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
};

/* One is ejected already: its place comes free. */
static void setup_ejected(void) {
  setup();
  (void)ttb_health_observe(&handle, 2, TTB_FAILURE, NOW);
}

const ex_harness ex_health_room_return = {
    .name = "health-room-return",
    .what = "one comes back beside a count and another ejection, killed in between",
    .setup = setup_ejected,
    .actor = {returns_2, counts, fail_0},
    .check = check_room,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
};

static void setup_disabled(void) {
  setup_ejected();
  (void)ttb_health_disable(&handle, 1, NOW);
}

const ex_harness ex_health_room_leave = {
    .name = "health-room-leave",
    .what = "an ejected target leaves or another comes, beside a count and an ejection",
    .setup = setup_disabled,
    .actor = {leaves_2_or_comes_1, counts, fail_0},
    .check = check_room,
    .bound = 3,
    .deep_bound = 5,
};

/* ---- the sweep ---- */

static void setup_sweep(void) {
  setup();
  (void)ttb_health_observe(&handle, 2, TTB_FAILURE, NOW);
  for (int i = 0; i < 3; i++) (void)ttb_health_observe(&handle, 0, TTB_SUCCESS, NOW);
}
static void sweeps(void) { (void)ttb_health_tick(&handle, NOW + 30000 * MS, NULL, 0); }
static void observes(void) { (void)ttb_health_observe(&handle, 0, TTB_SUCCESS, NOW); }

static uint32_t calls_of(uint64_t w) { return ttb__outlier_calls(w); }

/* One of two sweeps, each call counts in one interval. */
static void check_sweep(void) {
  ttb_health_stats s = {.struct_size = sizeof s};
  const ttb__health *t = ttb__health_of(&handle);
  (void)ttb_health_statistics(&handle, NOW, &s);
  if (ex_dead(0)) {
    (void)ttb_health_tick(&handle, NOW + 60000 * MS, NULL, 0);
    ex_check(ejected() == 0, "a sweep that was killed holds up the next");
    return;
  }
  ex_check(s.sweeps == 2, "not one sweep for an interval");
  ex_check(ejected() == 0, "its time was over");
  uint32_t n = calls_of(ttb__load_rlx(&t->outliers[0].counts)) +
               calls_of(ttb__load_rlx(&t->outliers[0].last));
  ex_check(n == 4, "a call was lost, or counts twice");
}

const ex_harness ex_health_sweep = {
    .name = "health-sweep",
    .what = "two ticks at the time of a sweep, one of them killed, beside an observed call",
    .setup = setup_sweep,
    .actor = {sweeps, sweeps, observes},
    .check = check_sweep,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = 2,
    .deep_bound = 3,
};
