/* SPDX-License-Identifier: MIT */
/* The limiter (lib/limiter): permits and budgets whose holder is killed and
 * recovered, bits that say which permits are out, a window that two reports end,
 * keys that several claim at once. */
#include "../../lib/limiter/limiter.h"

#include "explore.h"

#define MS UINT64_C(1000000)
#define NOW (3600000 * MS)
#define BYTES 1024

static _Alignas(64) unsigned char memory[BYTES];
static ttb_limiter shared;
static ttb_limiter handle[EX_ACTORS]; /* joined, tokens 1.. */
static int64_t ticket[EX_ACTORS];     /* from the set-up */

static struct {
  uint32_t held[EX_ACTORS]; /* in an actor's hands */
  uint32_t granted;
  int32_t slot[EX_ACTORS]; /* claimed, + 1 */
} g;

static void make(ttb_limiter_config c) {
  c.threads = EX_ACTORS;
  ex_shared(memory, sizeof memory);
  ex_ghost(&g, sizeof g);
  ex_private(handle, sizeof handle);
  int64_t size = ttb_limiter_size(&c);
  ex_check(size > 0 && size <= BYTES, "the region fits");
  ex_check(ttb_limiter_init(&shared, memory, (uint64_t)size, &c) == TTB_OK, "init");
  for (uint64_t i = 0; i < EX_ACTORS; i++)
    ex_check(ttb_limiter_join(&shared, i + 1, &handle[i]) == TTB_OK, "join");
}

static ttb_limiter_info info(uint32_t ask) {
  ttb_limiter_info i = {.struct_size = sizeof i};
  (void)ttb_limiter_explain(&handle[0], 0, ask, NOW, &i);
  return i;
}

/* ---- permits of an adaptive limit of one ---- */

static ttb_limiter_config adaptive(uint32_t min, uint32_t max) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_ADAPTIVE;
  c.algorithm = TTB_LIMIT_AIMD;
  c.limit_window_ms = TTB_OFF;
  c.min_limit = c.initial_limit = min;
  c.max_limit = max;
  return c;
}

static void setup_permits(void) {
  make(adaptive(1, 1));
  int64_t t = ttb_limiter_acquire(&handle[0], 0, 0, NOW); /* starts the clock */
  (void)ttb_limiter_report(&handle[0], t, TTB_IGNORED, NOW);
}

static void take_and_give(uint32_t actor) {
  int64_t t = ttb_limiter_acquire(&handle[actor], 0, 0, NOW);
  if (t < 0) return;
  g.held[actor] = 1;
  ex_check(g.held[0] + g.held[1] + g.held[2] <= 1, "more permits out than the limit");
  g.held[actor] = 0; /* before the permit is another's */
  ex_check(ttb_limiter_report(&handle[actor], t, TTB_IGNORED, NOW) == TTB_OK, "report");
}
static void permits_a(void) { take_and_give(0); }
static void permits_b(void) { take_and_give(1); }
static void recover_b(void) {
  ex_wait_dead(1);
  g.held[1] = 0;
  if (ex_logic("recovers-nothing")) return;
  (void)ttb_limiter_recover(&handle[2], 2);
}
static void check_permits(void) {
  if (ex_dead(1) && !ex_done(2)) return;
  ttb_limiter_info i = info(0);
  ex_check(i.in_use == 0 && i.available == 1, "a permit of the dead is out");
}

const ex_harness ex_limiter_permits = {
    .name = "limiter-permits",
    .what = "an adaptive limit of one, its holder killed and recovered beside another taker",
    .setup = setup_permits,
    .actor = {permits_a, permits_b, recover_b},
    .check = check_permits,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"recovers-nothing"},
};

/* ---- a permit that is given while others find it out ---- */

/* Two permits, so that only the bit leads to the second; the first is out for
 * good. All permits have just been looked at: nothing but the bits tells. */
static void setup_bits(void) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.permits = 2;
  make(c);
  (void)ttb_limiter_acquire(&handle[3], 0, 0, NOW);
  int64_t t = ttb_limiter_acquire(&handle[0], 0, 0, NOW);
  ex_check(ttb_limiter_acquire(&handle[3], 0, 0, NOW) == TTB_LIMIT, "not all out");
  (void)ttb_limiter_report(&shared, t, TTB_SUCCESS, NOW);
  ticket[0] = ttb_limiter_acquire(&handle[0], 0, 0, NOW); /* its bit is clear */
}
static void bits_give(void) {
  if (!ex_logic("gives-nothing")) (void)ttb_limiter_report(&handle[0], ticket[0], TTB_SUCCESS, NOW);
}
static void find(uint32_t actor) {
  int64_t t = ttb_limiter_acquire(&handle[actor], 0, 0, NOW);
  ex_check(t >= 0 || t == TTB_LIMIT, "acquire");
  if (t < 0) return;
  g.held[actor] = 1;
  ex_check(g.held[1] + g.held[2] <= 1, "one permit, two holders");
}
static void bits_b(void) { find(1); }
static void bits_c(void) { find(2); }
static void check_found(void) {
  int64_t t = ttb_limiter_acquire(&shared, 0, 0, NOW);
  ex_check((t >= 0) != (g.held[1] + g.held[2] > 0), "a free permit is hidden, or granted twice");
}

const ex_harness ex_limiter_bits = {
    .name = "limiter-bits",
    .what = "a permit is given back while two others find it out, or free",
    .setup = setup_bits,
    .actor = {bits_give, bits_b, bits_c},
    .check = check_found,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"gives-nothing"},
};

/* ---- the same, and one of them is killed and recovered ---- */

static void bits_recover(void) {
  uint32_t who = ex_choose(2);
  ex_wait_dead(who);
  g.held[who] = 0;
  if (ex_logic("recovers-nothing")) return;
  (void)ttb_limiter_recover(&handle[2], who + 1);
}
static void check_recovered(void) {
  if ((ex_dead(0) || ex_dead(1)) && !ex_done(2)) return;
  check_found();
}

const ex_harness ex_limiter_bits_kill = {
    .name = "limiter-bits-kill",
    .what = "a giver or a finder is killed and recovered beside the other",
    .setup = setup_bits,
    .actor = {bits_give, bits_b, bits_recover},
    .check = check_recovered,
    .crashable = 3,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"recovers-nothing"},
};

/* ---- one window, two reports ---- */

static void setup_window(void) {
  make(adaptive(2, 9));
  for (int i = 0; i < 2; i++) ticket[i] = ttb_limiter_acquire(&handle[i], 0, 0, NOW);
}
static void report_of(uint32_t actor) {
  int32_t code = ttb_limiter_report(&handle[actor], ticket[actor], TTB_SUCCESS, NOW);
  ex_check(code == TTB_OK, "report");
}
static void window_a(void) { report_of(0); }
static void window_b(void) { report_of(1); }
/* Two had been out: the window they share, or the first of their two, raises the
 * limit. So does the second if it does not see yet that the other has ended. */
static void check_window(void) {
  uint32_t limit = info(0).limit;
  if (!ex_dead(0)) ex_check(limit >= 3, "a window was lost");
  ex_check(limit >= 2 && limit <= 4, "a limit from nowhere");
  ex_check(info(0).in_use <= (ex_dead(0) ? 1 : 0), "a permit is out");
  int64_t t[2] = {ttb_limiter_acquire(&handle[1], 0, 0, NOW), 0};
  t[1] = ttb_limiter_acquire(&handle[1], 0, 0, NOW);
  if (ex_dead(0)) return; /* its permit may be out */
  for (int i = 0; i < 2; i++)
    ex_check(ttb_limiter_report(&handle[1], t[i], TTB_FAILURE, NOW) == TTB_OK, "report");
  ex_check(info(0).limit < limit, "no window ends any more");
}

const ex_harness ex_limiter_window = {
    .name = "limiter-window",
    .what = "two reports end windows of an adaptive limit, one is killed",
    .setup = setup_window,
    .actor = {window_a, window_b},
    .check = check_window,
    .crashable = 1u << 0,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

/* ---- a budget of retries in flight ---- */

static void setup_budget(void) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RETRY_CONCURRENT;
  make(c);
}
static void budget_a(void) {
  int64_t t = ttb_limiter_acquire(&handle[0], 0, 0, NOW);
  ex_check(t >= 0, "a first attempt was refused");
  ex_check(ttb_limiter_report(&handle[0], t, TTB_SUCCESS, NOW) == TTB_OK, "report");
}
static void budget_b(void) {
  int64_t t = ttb_limiter_acquire(&handle[1], 0, 1, NOW);
  if (t >= 0) (void)ttb_limiter_report(&handle[1], t, TTB_SUCCESS, NOW);
}
/* Recovers B, takes its row, counts from nothing. */
static void budget_c(void) {
  ttb_limiter next;
  ex_wait_dead(1);
  if (ex_logic("recovers-nothing")) return;
  (void)ttb_limiter_recover(&handle[2], 2);
  if (ttb_limiter_join(&handle[2], 9, &next) < 0) return;
  int64_t t = ttb_limiter_acquire(&next, 0, 0, NOW);
  g.granted = t >= 0;
}
static void check_budget(void) {
  if (ex_dead(1) && !ex_done(2)) return;
  ex_check(info(1).requests == g.granted && info(1).accepts == 0, "what is in flight is not the sum");
}

const ex_harness ex_limiter_budget = {
    .name = "limiter-budget",
    .what = "retries in flight, a row whose owner is killed and that has another one then",
    .setup = setup_budget,
    .actor = {budget_a, budget_b, budget_c},
    .check = check_budget,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
    .logic = {"recovers-nothing"},
};

/* ---- keys ---- */

static void setup_keys(void) {
  ttb_limiter_config c = TTB_CONFIG(ttb_limiter_config);
  c.kind = TTB_LIMITER_RATE;
  c.flags = TTB_LIMITER_KEYED;
  c.capacity = 3;
  c.burst = 1;
  make(c);
  (void)ttb_limiter_acquire_key(&handle[0], 99, 0, NOW); /* one busy neighbour */
}
static void claim(uint32_t actor, uint64_t key) {
  int64_t t = ttb_limiter_acquire_key(&handle[actor], key, 0, NOW);
  ex_check(t >= 0 || t == TTB_LIMIT, "no place for a key");
  if (t >= 0) g.slot[actor] = ttb_ticket_slot(t) + 1;
}
static void keys_a(void) { claim(0, 1); }
static void keys_b(void) { claim(1, 1); }
static void keys_c(void) { claim(2, 1); }
static void check_keys(void) {
  uint32_t granted = 0;
  for (int i = 0; i < 3; i++) granted += g.slot[i] != 0;
  ex_check(granted == 1, "not one event of a key that may have one");
}

const ex_harness ex_limiter_keys = {
    .name = "limiter-keys",
    .what = "three callers of one key claim and acquire at once",
    .setup = setup_keys,
    .actor = {keys_a, keys_b, keys_c},
    .check = check_keys,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
