/* SPDX-License-Identifier: MIT */
/* The balancer (lib/balancer): an endpoint's word, its bit, the version and who
 * plans by it; tags of who moves into a slot. */
#include "../../lib/balancer/balancer.h"

#include "explore.h"

#define BYTES 3072

static _Alignas(64) unsigned char memory[BYTES];
static ttb_balancer shared, handle[2]; /* joined: tokens 1, 2 */

static struct {
  uint64_t version; /* what the planner made its plan of */
  uint32_t load[2]; /* and what is in it */
} g;

static ttb__balancer *of(ttb_balancer *h) { return ttb__balancer_of(h); }

static void make(uint32_t flags, uint32_t capacity, uint32_t endpoints) {
  ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
  c.algorithm = TTB_BALANCER_ROUND_ROBIN;
  c.capacity = capacity;
  c.threads = 2;
  c.flags = flags;
  ex_shared(memory, sizeof memory);
  ex_ghost(&g, sizeof g);
  ex_private(&shared, sizeof shared);
  ex_private(handle, sizeof handle);
  int64_t size = ttb_balancer_size(&c);
  ex_check(size > 0 && size <= BYTES, "the region fits");
  ex_check(ttb_balancer_init(&shared, memory, (uint64_t)size, &c) == TTB_OK, "init");
  for (uint64_t i = 0; i < 2; i++)
    ex_check(ttb_balancer_join(&shared, i + 1, &handle[i]) == TTB_OK, "join");
  for (uint64_t id = 1; id <= endpoints; id++) {
    ttb_endpoint e = {.struct_size = sizeof e, .id = id, .priority = (uint32_t)id - 1};
    if (flags & TTB_BALANCER_TAGS) e.tags = 1;
    ex_check(ttb_balancer_add(&handle[0], &e) >= 0, "add");
  }
}

/* ---- words, bits, the version ---- */

static void setup_plan(void) {
  make(TTB_BALANCER_LEVELS, 2, 2);
  (void)ttb__balancer_plan(of(&handle[1]));
}

/* Endpoint 0 is alone in its level, so all depends on it. */
static void mark_probe(void) { (void)ttb_balancer_mark(&shared, 0, TTB_CAUSE_PROBE, 1); }
static void mark_and_clear(void) {
  (void)ttb_balancer_mark(&shared, 0, TTB_CAUSE_OUTLIER, 1);
  (void)ttb_balancer_mark(&shared, 0, TTB_CAUSE_OUTLIER, 0);
}

/* A planner, as each pick is one. */
static void planner(void) {
  const ttb__plan *p = ttb__balancer_plan(of(&handle[1]));
  g.load[0] = p->healthy[0];
  g.load[1] = p->healthy[1];
  g.version = of(&handle[1])->planned;
}

static bool eligible(uint32_t slot) {
  return ttb__word_eligible(ttb__load_rlx(&ttb__endpoint_at(of(&shared), slot)->word));
}
static bool bit(uint32_t slot) {
  return ttb__load_rlx(&ttb__balancer_bitmap(of(&shared))[0]) >> slot & 1;
}

static void check_plan(void) {
  const ttb__balancer *b = of(&handle[1]);
  bool whole = !ex_dead(0) && !ex_dead(1);
  ex_check(!whole || bit(0) == eligible(0), "the bit is not what the word says");
  /* Whoever thinks that its plan is of the newest version is right. */
  if (!whole || !ex_done(2) || g.version != ttb__load_rlx(&b->table->version)) return;
  ttb__census c;
  ttb__balancer_count(b, &c);
  ttb__balancer_share(b, &c);
  ex_check(g.load[0] == (uint32_t)c.level[0].healthy_load &&
               g.load[1] == (uint32_t)c.level[1].healthy_load,
           "an old plan passes for a new one");
}

const ex_harness ex_balancer_plan = {
    .name = "balancer-plan",
    .what = "two markers of an endpoint: its bit follows its word, a plan its version",
    .setup = setup_plan,
    .actor = {mark_probe, mark_and_clear, planner},
    .check = check_plan,
    .crashable = 1u << 1,
    .crashes = 1,
    .bound = 4,
    .deep_bound = 6,
};

/* ---- tags ---- */

static void setup_tags(void) { make(TTB_BALANCER_TAGS, 1, 1); }

/* Endpoint 1 with tag 1 leaves; endpoint 2 with tag 2 gets its slot, generation 2. */
static void replace(void) {
  ttb_endpoint e = {.struct_size = sizeof e, .weight = 1, .id = 2, .tags = 2};
  ttb__balancer_evict(of(&handle[0]), 0);
  ttb__balancer_place(of(&handle[0]), &e, 0);
}

static void look(uint64_t tags, uint32_t generation) {
  ttb__scope x = {.zones = UINT64_MAX, .tags = tags};
  uint64_t w = ttb__scoped_word(of(&handle[1]), 0, &x);
  ex_check(!w || ttb__word_generation(w) == generation, "who was picked lacks the tag");
}
static void pick_tagged(void) { look(1, 1); }
static void pick_other(void) { look(2, 2); }
static void check_nothing(void) {}

const ex_harness ex_balancer_tags = {
    .name = "balancer-tags",
    .what = "an endpoint's slot goes to one with other tags, beside a pick for the first's",
    .setup = setup_tags,
    .actor = {replace, pick_tagged},
    .check = check_nothing,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};

const ex_harness ex_balancer_tags_next = {
    .name = "balancer-tags-next",
    .what = "the same beside a pick for the second's",
    .setup = setup_tags,
    .actor = {replace, pick_other},
    .check = check_nothing,
    .bound = EX_COMPLETE,
    .deep_bound = EX_COMPLETE,
};
