/* SPDX-License-Identifier: MIT */
/* Weighted rendezvous hashing: the best of all scores, without a table.
 *
 * D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates"
 * (IEEE/ACM ToN 1998), with the weights of J. Resch, "New Hashing Algorithms for
 * Data Storage" (SDC 2015): key and id make a number u in (0, 1); the endpoint
 * with the smallest -log(u) / weight has the key. Compared by cross
 * multiplication, and the logarithm is in fixed point: the same everywhere.
 *
 * I1  A score depends on key, id and weight only. So nobody's coming, going or
 *     marking moves a key between two others, a weight that rises only draws
 *     keys to it, and independent balancers agree.
 * I2  The logarithm is a table of 64 with quadratic interpolation, within 1e-4 of
 *     itself down to 2^-18: shares are those of the weights to that. */
#include "balancer.h"
#include "rendezvous.h"

/* Every eligible endpoint is looked at: its line, its id, a logarithm. */
#define MAX_ENDPOINTS 4096

/* log2(1 + i / 64) in Q32, for i = -1..65. */
static const int64_t logs[67] = {
    -97581986, 0, 96069025, 190671291, 283850912, 375650043, 466108993, 555266330, 643158981,
    729822324, 815290272, 899595355, 982768792, 1064840562, 1145839467, 1225793196, 1304728379,
    1382670639, 1459644648, 1535674166, 1610782092, 1684990500, 1758320682, 1830793181, 1902427829,
    1973243777, 2043259528, 2112492963, 2180961373, 2248681479, 2315669461, 2381940981, 2447511201,
    2512394810, 2576606038, 2640158677, 2703066101, 2765341278, 2826996792, 2888044853, 2948497313,
    3008365682, 3067661140, 3126394546, 3184576458, 3242217134, 3299326552, 3355914416, 3411990165,
    3467562987, 3522641820, 3577235372, 3631352118, 3685000315, 3738188006, 3790923031, 3843213029,
    3895065449, 3946487554, 3997486426, 4048068976, 4098241947, 4148011918, 4197385310, 4246368396,
    4294967296, 4343187991,
};

uint64_t ttb__minus_log2(uint64_t u) {
  uint64_t whole = 1;
  if (u == 0) u = 1;
  for (uint32_t step = 32; step > 0; step /= 2)
    if (u >> (64 - step) == 0) u <<= step, whole += step;
  /* u is now 2^63 * (1 + (i + d) / 64), d in Q32 */
  const int64_t *at = &logs[u >> 57 & 63];
  int64_t d = (int64_t)(u >> 25 & UINT32_MAX), one = INT64_C(1) << 32;
  int64_t line = at[1] + ((at[2] - at[1]) * d >> 32);
  /* d (1 - d) / 4 of what the outer two lie below the inner two */
  int64_t bend = (d * (one - d) >> 32) * (at[1] + at[2] - at[0] - at[3]) >> 34;
  int64_t log = line + bend;
  return (whole << 32) - (uint64_t)(log < one ? log : one);
}

uint64_t ttb__rendezvous_mix(uint64_t hash, uint64_t id) {
  uint64_t state = ttb__splitmix(&id) ^ hash;
  return ttb__splitmix(&state);
}

static int64_t choose(ttb__balancer *b, uint64_t hash, const ttb__scope *x) {
  int64_t best = TTB_NO_ENDPOINT;
  uint64_t best_score = 0, best_weight = 0, best_id = 0;
  for (uint32_t slot = ttb__balancer_next(b, 0, x); slot < b->capacity;
       slot = ttb__balancer_next(b, slot + 1, x)) {
    uint64_t w = ttb__eligible_word(b, slot, x);
    if (!w) continue;
    uint64_t id = ttb__load_rlx(&ttb__balancer_ids(b)[slot]), weight = ttb__word_weight(w);
    uint64_t score = ttb__minus_log2(ttb__rendezvous_mix(hash, id));
    uint64_t mine = score * best_weight, theirs = best_score * weight;
    if (best >= 0 && (mine > theirs || (mine == theirs && id > best_id))) continue;
    best = ttb__candidate(slot, w);
    best_score = score;
    best_weight = weight;
    best_id = id;
  }
  return best;
}

const ttb__algorithm ttb__rendezvous = {
    .number = TTB_BALANCER_RENDEZVOUS,
    .max_endpoints = MAX_ENDPOINTS,
    .hashes = 1,
    .entries = ttb__roster_entries,
    .scratch = ttb__no_scratch,
    .build = ttb__roster_build,
    .choose = choose,
};
