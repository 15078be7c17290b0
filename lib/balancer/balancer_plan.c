/* SPDX-License-Identifier: MIT */
/* The plan of a thread: which level, tier and zone its picks go to, worked out of
 * the endpoints' words whenever a shared version says that one has changed.
 *
 * I1  A plan is a function of the words and of the configuration. Each thread has
 *     its own, in its row's part of the region, and is its only reader and writer:
 *     nothing shared can be half made by a kill, and what another process
 *     scribbles there makes choices bad, never memory unsafe.
 * I2  The version is raised (release) after each change of a word and is read
 *     (acquire) before the words. So a plan made for a version knows every change
 *     that was counted in it, and one that has missed a change has an older
 *     version. Who is killed between a change and the raise leaves plans that are
 *     old in that one endpoint, until the next change or recover; what is picked
 *     is decided by the word as ever.
 * I3  Members of a level are those in allowed zones whom nobody has taken out on
 *     purpose (admin, drain, weight 0). So a planned leave is no failure: it
 *     spills nothing over and causes no panic. */
#include "balancer.h"

#include <string.h>

#define ON_PURPOSE ((uint64_t)(TTB_CAUSE_ADMIN | TTB_CAUSE_DRAIN | TTB_CAUSE_WEIGHT) << 8)
#define FAILING ((uint64_t)(TTB_CAUSE_PROBE | TTB_CAUSE_OUTLIER) << 8)
#define ZONES (TTB_MAX_ZONE + 1)

uint32_t ttb__word_level_of(const ttb__balancer *b, uint64_t w) {
  if (!(b->flags & TTB_BALANCER_LEVELS)) return 0;
  return w & TTB__WORD_BACKUP ? TTB__BACKUP_LEVEL : ttb__word_priority(w);
}

static bool is_degraded(const ttb__balancer *b, uint64_t w) {
  return b->flags & TTB_BALANCER_LEVELS && ttb__word_status(w) == TTB_STATUS_DEGRADED;
}

/* ---- counting ---- */

/* When slot began, for the plan: now, if nobody has said so yet or if the clock has
 * gone back since. Who does not know the time (only looks) writes nothing. */
static uint64_t began(const ttb__balancer *b, uint32_t slot) {
  ttb__a64 *at = &ttb__balancer_began(b)[slot];
  uint64_t since = ttb__load_rlx(at), now = b->now;
  if (now == 0) return since ? since : UINT64_MAX;
  if (since != 0 && (since <= now || since - now <= TTB__JITTER_MS * 1000000)) return since;
  if (ttb__cas_rlx(at, &since, now)) return now;
  return since ? since : now;
}

void ttb__balancer_count(const ttb__balancer *b, ttb__census *c) {
  uint32_t high = ttb__load_rlx(&b->table->high);
  if (high > b->capacity) high = b->capacity;
  memset(c, 0, b->zone ? sizeof *c : offsetof(ttb__census, healthy));
  c->oldest = UINT64_MAX;
  for (uint32_t i = 0; i < TTB__LEVELS; i++) c->level[i].struct_size = sizeof c->level[i];
  for (uint32_t slot = 0; slot < high; slot++) {
    uint64_t w = ttb__load_rlx(&ttb__endpoint_at(b, slot)->word);
    uint32_t zone = ttb__word_zone(w);
    if (!ttb__word_used(w) || w & ON_PURPOSE || !(b->residency >> zone & 1)) continue;
    uint32_t level = ttb__word_level_of(b, w);
    ttb_level *l = &c->level[level];
    l->endpoints++;
    c->members[zone]++;
    if (!ttb__word_eligible(w)) continue;
    bool degraded = is_degraded(b, w);
    l->degraded += degraded;
    l->healthy += !degraded;
    if (!degraded) c->weight[level] += ttb__word_weight(w);
    if (b->zone) c->healthy[level][zone] += !degraded;
    if (b->slow_start_ms) {
      uint64_t since = began(b, slot);
      if (since < c->oldest) c->oldest = since;
    }
  }
}

/* Everybody's share, by the rules of levels.c; backups only if nobody else is left. */
void ttb__balancer_share(const ttb__balancer *b, ttb__census *c) {
  ttb_level *backup = &c->level[TTB__BACKUP_LEVEL];
  uint32_t available = 0;
  for (uint32_t i = 0; i < TTB__BACKUP_LEVEL; i++)
    available += c->level[i].healthy + c->level[i].degraded;
  if (!(b->flags & TTB_BALANCER_LEVELS)) {
    c->level[0].healthy_load = available > 0 ? 100 : 0;
  } else if (available == 0 && backup->healthy + backup->degraded > 0) {
    backup->healthy_load = backup->healthy > 0 ? 100 : 0;
    backup->degraded_load = backup->healthy > 0 ? 0 : 100;
  } else {
    ttb__levels(c->level, TTB__BACKUP_LEVEL, b->overprovisioning_ppm, b->panic_ppm);
  }
}

/* ---- zones ---- */

/* Where the clients are: as told; else where the endpoints of all levels are, also
 * those that fail now. */
static void clients_by_zone(const ttb__balancer *b, const ttb__census *c, uint32_t *ret) {
  uint64_t told = 0;
  for (uint32_t z = 0; z < ZONES; z++) told += ret[z] = ttb__load_rlx(&b->table->clients[z]);
  if (told == 0) memcpy(ret, c->members, ZONES * sizeof *ret);
}

/* The level that takes the most; the first of equals. */
static uint32_t busiest(const ttb__census *c) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < TTB__LEVELS; i++)
    if (c->level[i].healthy_load > c->level[best].healthy_load) best = i;
  return best;
}

static void plan_zones(const ttb__balancer *b, const ttb__census *c, ttb__plan *p) {
  uint32_t clients[ZONES];
  p->zoned = TTB__LEVELS;
  if (b->zone == 0) return;
  uint32_t level = busiest(c);
  if (c->level[level].panic || c->level[level].healthy < b->zone_min) return;
  clients_by_zone(b, c, clients);
  p->zoned = level;
  p->stay = ttb__zones(b->zone, clients, c->healthy[level], ZONES, p->residual);
}

/* ---- the plan ---- */

TTB__SELDOM static void make_plan(ttb__balancer *b) {
  ttb__census c;
  ttb__plan *p = b->plan;
  ttb__balancer_count(b, &c);
  ttb__balancer_share(b, &c);
  for (uint32_t i = 0; i < TTB__LEVELS; i++) {
    p->healthy[i] = (uint32_t)c.level[i].healthy_load;
    p->degraded[i] = (uint32_t)c.level[i].degraded_load;
    p->panics[i] = (uint32_t)c.level[i].panic;
    p->weight[i] = c.weight[i];
  }
  p->oldest = c.oldest;
  plan_zones(b, &c, p);
}

const ttb__plan *ttb__balancer_plan(ttb__balancer *b) {
  /* acquire: pairs with ttb__balancer_changed (I2). Without it the words read next
   * may be older than the version, and the plan would pass for a newer one. */
  uint64_t version = ttb__load_acq(&b->table->version);
  if (version != b->planned) {
    make_plan(b);
    b->planned = version;
  }
  return b->plan;
}

void ttb__balancer_changed(const ttb__balancer *b) {
  /* release: see ttb__balancer_plan. */
  if (b->flags & TTB__BALANCER_PLANNED) (void)ttb__add_rel(&b->table->version, 1);
}

int32_t ttb_balancer_set_clients(const ttb_balancer *h, const uint32_t *clients, uint32_t n) {
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b || (n > 0 && !clients)) return TTB_ERR_MISUSE;
  if (n > ZONES) return TTB_ERR_RANGE;
  for (uint32_t z = 0; z < ZONES; z++)
    ttb__store_rlx(&b->table->clients[z], z < n ? clients[z] : 0);
  ttb__balancer_changed(b);
  return TTB_OK;
}

int32_t ttb_balancer_level_stats(const ttb_balancer *h, ttb_level *ret, uint32_t n) {
  const ttb__balancer *b = ttb__balancer_of(h);
  if (!b || (n > 0 && !ret)) return TTB_ERR_MISUSE;
  if (n > 0 && ret->struct_size != sizeof *ret) return TTB_ERR_RANGE;
  ttb__census c;
  ttb__balancer_count(b, &c);
  ttb__balancer_share(b, &c);
  for (uint32_t i = 0; i < n && i < TTB__LEVELS; i++) ret[i] = c.level[i];
  return (int32_t)TTB__LEVELS;
}

/* ---- by the plan ---- */

/* Two streams of 32 bits: the key's own where the same key must go the same way,
 * else drawn. */
static uint64_t bits_of(ttb__balancer *b, uint64_t hash) {
  return b->algorithm->hashes ? ttb__splitmix(&hash) : ttb__random_next(&b->random);
}

/* Of one level and tier. */
void ttb__narrow_to_level(ttb__scope *x, uint32_t level, uint32_t tier) {
  x->mask = level == TTB__BACKUP_LEVEL ? TTB__WORD_BACKUP : TTB__WORD_LEVEL;
  x->level = level == TTB__BACKUP_LEVEL ? TTB__WORD_BACKUP : (uint64_t)level << 16;
  x->tier = tier;
}

void ttb__narrow_to_panic(ttb__scope *x) {
  x->ignored = FAILING;
  x->tier = TTB__TIER_ANY;
}

/* Of the local zone or, by chance, of one that has more than its own clients need. */
static uint32_t narrow_to_zone(const ttb__balancer *b, const ttb__plan *p, uint64_t bits,
                               ttb__scope *x) {
  if (ttb__scale32((uint32_t)bits, 10000) < p->stay) {
    x->zones &= UINT64_C(1) << b->zone;
    return TTB_LAST_LOCAL;
  }
  uint32_t total = p->residual[ZONES - 1], zone = 0;
  if (total == 0) return TTB_LAST_SPILLED; /* to any */
  uint32_t draw = ttb__scale32((uint32_t)(bits >> 32), total);
  while (zone < ZONES - 1 && p->residual[zone] <= draw) zone++;
  x->zones &= UINT64_C(1) << zone;
  return TTB_LAST_SPILLED;
}

uint32_t ttb__narrow(ttb__balancer *b, const ttb__plan *p, uint64_t hash, ttb__scope *x) {
  uint32_t level = 0, tier = TTB__TIER_HEALTHY, told = 0;
  if (b->flags & TTB_BALANCER_LEVELS && p->healthy[0] != 100) {
    /* By a key, in Envoy's way: the hash modulo 100. */
    uint32_t draw = b->algorithm->hashes
                        ? (uint32_t)(hash % 100)
                        : ttb__scale32((uint32_t)(ttb__random_next(&b->random) >> 32), 100);
    for (; level < TTB__LEVELS && draw >= p->healthy[level]; level++) draw -= p->healthy[level];
    if (level == TTB__LEVELS) {
      tier = TTB__TIER_DEGRADED;
      for (level = 0; level < TTB__LEVELS && draw >= p->degraded[level]; level++)
        draw -= p->degraded[level];
    }
    if (level == TTB__LEVELS) return 0; /* nobody has any load: the pick looks for itself */
  }
  if (b->flags & TTB_BALANCER_LEVELS) ttb__narrow_to_level(x, level, tier);
  if (p->panics[level] && b->flags & TTB_BALANCER_LEVELS) {
    ttb__narrow_to_panic(x);
    told |= TTB_LAST_PANIC;
  } else if (p->zoned == level && tier == TTB__TIER_HEALTHY) {
    told |= narrow_to_zone(b, p, bits_of(b, hash), x);
  }
  return told;
}
