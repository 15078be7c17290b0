/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/balancer.h
 * @brief Which endpoint gets the next call: one choice shared by all threads
 *        and all processes of a host.
 *
 * A balancer is a table of endpoints, an algorithm that chooses among them and,
 * where the algorithm needs it, an exact count of the calls in flight on each.
 *
 *                 add, update              mark(cause, on)
 *      (nobody) -------------> ELIGIBLE <------------------> INELIGIBLE
 *                                  |                             |
 *                                  +---------- remove -----------+---> (nobody)
 *
 * Every call is `acquire`, the call itself, `report`. acquire returns a ticket;
 * `ttb_ticket_slot(ticket)` is the endpoint, by which callers index their own
 * arrays. Between the two nothing is locked; what is in flight is known by the
 * thread's own cell, so a survivor can take back what a killed worker held.
 *
 *     ttb_balancer b, mine;
 *     ttb_balancer_config c = TTB_CONFIG(ttb_balancer_config);
 *     ttb_endpoint e = TTB_CONFIG(ttb_endpoint);
 *     if (ttb_balancer_new(&b, &c, NULL) < 0) return 1;
 *     if (ttb_balancer_join(&b, token, &mine) < 0) return 1;     // one a thread
 *     e.id = 17;
 *     int32_t slot = ttb_balancer_add(&mine, &e);
 *     backends[slot] = "10.0.0.17:80";
 *
 *     int64_t t = ttb_balancer_acquire(&mine, 0, now_ns);
 *     if (t < 0) return refuse(ttb_strerror((int32_t)t));
 *     bool ok = call(backends[ttb_ticket_slot(t)]);
 *     ttb_balancer_report(&mine, t, ok ? TTB_SUCCESS : TTB_FAILURE, latency_ns, now_ns);
 *
 * ## Algorithms
 *
 *  - **two choices** (default): draws two different endpoints and takes the one
 *    with fewer calls in flight for its weight (Mitzenmacher 2001; the default
 *    of HAProxy's `random`, finagle, tower). Compared is in_flight / weight by
 *    cross multiplication; a tie goes to either in proportion to the weights.
 *    To 1,048,576 endpoints; counts in flight.
 *  - **round robin**: one after the other, whatever the weights.
 *    To 1,048,576 endpoints.
 *  - **weighted round robin**: a table of turns, spread as evenly as proven
 *    possible (Tijdeman 1980: no endpoint is ever a full turn ahead or behind,
 *    1 - 1/(2n-2) at the most), or in nginx's order. Exact if the weights,
 *    divided by their greatest common divisor, sum to table_size or less;
 *    else rounded to it, the error being in the statistics. To 131,072.
 *  - **least connections** (Envoy and gRPC: least request): the endpoint with the
 *    fewest calls in flight for its weight. To `exact` endpoints it is the least
 *    of all: groups of 8 slots carry a lower bound, so that a pick looks at the
 *    bounds and one group. Of equals each has its chance by weight to 16
 *    endpoints and where some are idle; else the group is drawn, within it by
 *    weight. Above `exact`: the least of `choices` drawn, all different. With
 *    bias_ppm the load is (in flight + 1) ^ bias / weight, Envoy's active request
 *    bias. To 1,048,576 endpoints; counts in flight. Weakness: who fails at once is
 *    always idle and gets the calls.
 *  - **maglev**: the same hash goes to the same endpoint; when one leaves, its
 *    share is spread over all others and nearly all other keys stay
 *    (Eisenbud et al., "Maglev", NSDI 2016; weights as Envoy). The table depends
 *    on ids and weights only: independent balancers agree. It should be 100
 *    times the number of endpoints. An ineligible endpoint's keys go on to the
 *    next entries of the table, and come back when it does. To table_size.
 *  - **ring hash**: points on a circle where Envoy and gRPC put them (XXH64 of
 *    id, '_', number, all in decimal). Its keys go on to the next point while an
 *    endpoint is ineligible; when one comes or goes, few others move. table_size
 *    is the least size of the ring, twice that the largest (Envoy's
 *    minimum_ring_size and maximum_ring_size). To table_size.
 *  - **jump**: Lamping and Veach 2014, over slots. No table; weights do not matter.
 *    An endpoint that leaves or is marked gives up its own keys, one that comes
 *    takes keys: nothing else moves, ever. Placement follows slots, so other
 *    balancers agree only if they had the same history. Each ineligible or
 *    empty slot among those ever used costs its share of the picks another
 *    jump. To 1,048,576.
 *  - **rendezvous**: the highest score of key and id wins, by weight (Thaler and
 *    Ravishankar 1998; Resch 2015). Nothing else moves, ever, also when weights
 *    change, and independent balancers agree; but all endpoints are looked at
 *    in each pick. To 4,096.
 *  - **weighted random**: each pick drawn by weight, by an alias table (Vose 1991);
 *    needs no state between picks. To 1,048,576.
 *  - **ketama**: points where libmemcached's weighted ketama puts them (MD5 of id,
 *    '-', number), about 160 each; the low 32 bits of the hash count, and
 *    ttb_ketama_hash makes the hash libmemcached makes. To 16,384.
 *  - **nginx consistent**: points where nginx' `hash ... consistent` puts them
 *    (CRC-32), 160 for each 1 of weight; the low 32 bits of the hash count, which
 *    is CRC-32 of the key in nginx. Nothing else moves when endpoints come and go,
 *    while 160 for each 1 of all weights fit into table_size. To 31,250.
 *  - **patched maglev**: maglev's table and lookup, but a change of endpoints
 *    patches it: a leaver's entries are dealt to those who stay, a newcomer's are
 *    taken from all, nobody else's key moves, ever. Shares are by Webster's method
 *    (equal weights differ by one entry at the most) however long the history.
 *    Where a key lies depends on that history: all who share the balancer agree,
 *    others only if they had the same. To table_size.
 *  - **anchor**: Mendelson et al. 2021 (AnchorHash): nobody else's key moves, in
 *    any order of coming and going, at one load a pick and 16 bytes a slot of
 *    capacity. Weights do not matter; as with patched maglev others agree only
 *    after the same history. A capacity far above the number of endpoints costs
 *    about (1 + ln(capacity / endpoints))^2 loads. To 1,048,576.
 *  - **nginx hash**: nginx' plain `hash`: place = 15 bits of the key's CRC-32 modulo
 *    the sum of the weights, 20 attempts more, then round robin. With any change of
 *    that sum nearly all keys move: for those who must agree with an nginx.
 *    ttb_nginx_hash makes its hash. To 65,536.
 *  - **first fit**: the first endpoint in the order of slots with fewer calls in
 *    flight than its weight, so that the last can be switched off (HAProxy's
 *    `first`, the weight being maxconn); if all are full, the least loaded for its
 *    weight. To 4,096 endpoints; counts in flight.
 *  - **peak EWMA**: of two drawn the one with the lower cost * (in flight + 1) for its
 *    weight, as finagle and tower have it. A latency above the cost becomes the cost; one
 *    below draws it down, cost * w + latency * (1 - w), w = e^-(elapsed / decay_ms);
 *    read, a cost is cost * w. Who is unknown is taken once while idle. A failure never
 *    lowers the cost, raises it to 1 ms at least, and each in a row doubles what the
 *    endpoint is taken to cost, to 2^15 times; a success halves that, and so does each
 *    half-life: an endpoint that fails at once attracts nothing. Needs latency_ns in
 *    reports. To 1,048,576 endpoints; counts in flight. Weakness: one slow call in
 *    many makes an endpoint look slow for decay_ms.
 *  - **Prequal** (Wydrowski et al., NSDI 2024): the caller probes (ttb_balancer_probe_due,
 *    _probe_result) for requests in flight and latency; a pick takes from the thread's
 *    pool of 16 answers the cold one of the lowest latency, or, if all are hot (above
 *    rif_quantile_ppm of the last 32), that with the fewest in flight. Its own picks
 *    add to the pool's numbers; probes leave by age, by use (max(1, 2 / ((1 - 16/n) *
 *    rate - 1)) times) and one a pick, in turns the oldest and the worst. Failures
 *    count as in peak EWMA. With fewer than two answers it draws. Weights do not
 *    matter. To 1,048,576 endpoints. Weakness: without enough probes it is random.
 *
 * ## Bounded load
 *
 * With bounded_ppm an algorithm by hash lets nobody have more than that many
 * times the mean in flight (Mirrokni, Thorup, Zadimoghaddam 2018; HAProxy's
 * hash-balance-factor, Envoy's hash_balance_factor): a pick passes over whoever has
 *
 *     cap = ceil(bounded * (in flight + 1) * weight / weights of all eligible)
 *
 * calls or more, and goes on as the algorithm goes on; so a hot key overflows
 * always to the same next endpoints. What an endpoint has in flight is exact. What
 * all have is the thread's own count, which is exact, and that of the others as it
 * was at most 16 of its picks and 1 ms ago (as far as now_ns tells it): by so much
 * may a cap be off. If everybody a pick may go to has its cap (exclusions), the
 * least loaded gets it. Picks in panic and of degraded endpoints are not bounded;
 * within a level the level's part of all calls counts. After a change of
 * somebody's status the next pick of each thread adds up the weights again.
 *
 * The first three keep their phase when endpoints come, go or change: nobody
 * starts again from the beginning, so short-lived and flapping endpoints get
 * their turns. (Where the phase begins follows from the seed; 0 begins at 0.)
 *
 * A thread of the round robins leases `lease` turns at a time from the shared
 * cursor: within a lease it keeps perfect order, several threads interleave by
 * leases. lease = 1 gives one order to all threads, for a contended word a pick.
 *
 * ## Weights
 *
 * 1..65535, relative. In a ttb_endpoint 0 stands for the default, 1.
 * ttb_balancer_set_weight(id, 0) however means what operators mean by it: no new
 * calls. It sets #TTB_CAUSE_WEIGHT and nothing else, so nothing is rebuilt and the
 * former weight comes back with its calls in flight when one is set again.
 *
 * With #TTB_BALANCER_LOAD_WEIGHTS weights follow load reports (ttb_balancer_report_load),
 * for every algorithm with weights: qps / (utilisation + penalty * eps / qps), as gRPC's
 * client-side weighted round robin (gRFC A58) on ORCA's reports. They count after
 * load_blackout_ms, until load_expiry_ms after the last; unknown ones weigh the mean, all
 * lie between a hundredth of it and ten times. ttb_balancer_reweigh, about once a
 * second, makes them weights, over those that were given; calls rebuild nothing.
 *
 * ## Who may be picked
 *
 * Each endpoint has one eligibility word: generation, weight, status and one
 * bit a *cause*. Who finds fault (an operator, probes, outlier detection, a
 * breaker, a drain, overload) sets its own bit and clears only that. Any bit
 * set means no new calls; calls in flight go on and are reported as ever. The
 * last load of every pick is this word: an acquire that begins after mark or
 * set_status returned does not pick what they took out. Changing it is a
 * compare-and-swap and one bit of a bitmap, at any number of endpoints.
 *
 * ## What narrows a pick
 *
 * Every algorithm has all of these, and none knows any: who is not in the scope of
 * a pick is passed over like an ineligible one.
 *
 *  - **residency**: `residency` of the configuration and `zones` of a pick are masks
 *    of zones. Nothing breaks them: no panic, no endpoint asked for, no fallback; the
 *    zone is part of the word that the pick ends with. Endpoints without a zone are
 *    in zone 0.
 *  - **tags** (#TTB_BALANCER_TAGS): a pick names tags that an endpoint must all have.
 *  - **exclusion**: endpoints already tried; ttb_balancer_acquire_distinct makes
 *    the whole list in one call.
 *  - **limit** (#TTB_BALANCER_CAPS): an endpoint with max_inflight calls out is passed
 *    over; TTB_LIMIT if all are full. With one thread exact; beside others each of
 *    them may put one call too many on it, so with n joined threads at most
 *    max_inflight + n - 1 are out.
 *  - **levels** (#TTB_BALANCER_LEVELS): priorities with Envoy's overprovisioning. A level
 *    takes all picks while its healthy share * 1.4 is 1 or more; below, what is
 *    missing goes to the next (ttb_balancer_levels is the formula). Within that the
 *    *degraded* (status DEGRADED) come behind the healthy of all levels. *Backups*
 *    (#TTB_ENDPOINT_BACKUP) are picked only while nobody else may be (nginx's and
 *    HAProxy's rule).
 *  - **panic**: if all levels together cannot take 100 % and fewer than half of a
 *    level's endpoints work, probes and outlier detection are not believed there:
 *    it is the checks that are broken, or the few who are left would be crushed.
 *    Whatever the other causes say, stays so. ttb_balancer_last tells.
 *  - **zone**: with `zone` set, picks stay in this host's zone as far as it has its
 *    share of endpoints for its share of clients; the rest goes where there are
 *    more endpoints than clients (ttb_balancer_zones). In the level that takes
 *    most picks, among its healthy, if these are zone_min or more.
 *  - **slow start** (`slow_start_ms`): who has come, or come back, is at first
 *    considered in a part of the picks only, by Envoy's curve or HAProxy's steps, in
 *    proportion to who is there longest. By hash, each key moves there once.
 *
 * Level, tier and zone are drawn: by the thread's random numbers, or by the hash for
 * algorithms by hash, so that a key keeps its endpoint. If nobody can be had where
 * the draw points, luck in slow start gives way first, then the zone, then level and
 * tier, and last, where panic is allowed, the belief in probes. Each thread works
 * the shares out for itself whenever a word has changed: 2 or 3 ns a slot, by the
 * next pick; changing a word remains a matter of two compare-and-swaps, a bit and a
 * count.
 *
 * The round robins keep a cursor a thread for each of the last 8 scopes it used, so
 * that scopes do not take each other's turns; a pick with exclusions draws its turn.
 * Their `lease`, and the one order of lease = 1, hold for plain picks only.
 *
 * ## Slots
 *
 * An endpoint keeps its slot, in-flight count and generation while it lives,
 * also through ttb_balancer_update. A slot is given to another endpoint only
 * when nothing is in flight on it, with the next generation, so a late report
 * cannot touch the newcomer's count: it is #TTB_STALE.
 *
 * ## Several threads and processes
 *
 * Each thread that picks joins, once, and has its own handle. The writers (add,
 * remove, set_weight, update) take an owner lock and never wait for it:
 * #TTB_AGAIN means another is at work. When a process dies, a survivor that knows
 * it for sure (waitpid, pidfd) calls ttb_balancer_recover with its token: its
 * calls in flight are gone at once, a writer's half-made table is made anew.
 *
 * A ticket is reported by the thread that acquired it. If tickets move between
 * the threads of a process, set #TTB_BALANCER_MOVING_TICKETS (an atomic
 * read-modify-write in place of a plain store, twice a call). A ticket reported
 * twice is #TTB_STALE unless its thread has another one out on the same
 * endpoint, whose count it then takes; with #TTB_BALANCER_CHECK_TICKETS it is
 * always #TTB_STALE.
 *
 * ## Memory
 *
 * An endpoint has a line of 64 bytes that holds its word and 14 cells. More than
 * 14 threads take a line more for every 16: 254 threads 1,024 bytes. With the
 * id, the index and the tables a slot of two choices is about 100 bytes. Tags take
 * 8 bytes an endpoint, limits 4, slow start 8; levels, a zone or slow start 512 bytes
 * a thread.
 */
#ifndef TRIMTAB_BALANCER_H
#define TRIMTAB_BALANCER_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. One that has joined belongs to one thread; one that
 *  has not may be shared, and can look, mark and join, but not pick or write. */
typedef struct ttb_balancer {
  uint64_t opaque[96]; /**< private */
} ttb_balancer;

/** @name Algorithms
 *  @{ */
#define TTB_BALANCER_TWO_CHOICES 1          /**< the less loaded of two drawn; the default */
#define TTB_BALANCER_ROUND_ROBIN 2          /**< one after the other */
#define TTB_BALANCER_WEIGHTED_ROUND_ROBIN 3 /**< smooth, deviation below 1 */
#define TTB_BALANCER_LEAST_CONNECTIONS 4    /**< the least loaded of all */
#define TTB_BALANCER_MAGLEV 5               /**< by hash, consistent */
#define TTB_BALANCER_RING_HASH 6            /**< by hash, consistent, as Envoy and gRPC */
#define TTB_BALANCER_JUMP 7                 /**< by hash, consistent, by slot, no table */
#define TTB_BALANCER_RENDEZVOUS 8           /**< by hash, consistent, all are looked at */
#define TTB_BALANCER_WEIGHTED_RANDOM 9      /**< drawn by weight */
#define TTB_BALANCER_KETAMA 10              /**< by hash, consistent, as libmemcached */
#define TTB_BALANCER_NGINX_CONSISTENT 11    /**< by hash, consistent, as nginx */
#define TTB_BALANCER_FIRST_FIT 12           /**< the first with room; weight = calls at a time */
#define TTB_BALANCER_PEAK_EWMA 13           /**< the one of two where a call takes less time */
#define TTB_BALANCER_PREQUAL 14             /**< the best of a pool of probes that the caller makes */
#define TTB_BALANCER_PATCHED_MAGLEV 15      /**< by hash, maglev whose survivors' keys stay */
#define TTB_BALANCER_ANCHOR 16              /**< by hash, consistent, one load, without weights */
#define TTB_BALANCER_NGINX_HASH 17          /**< by hash, as nginx without `consistent` */
/** @} */

/** @name Flags of a configuration
 *  @{ */
#define TTB_BALANCER_TRACK 1u          /**< count in flight though the algorithm does not need it */
#define TTB_BALANCER_MOVING_TICKETS 2u /**< any thread of the process may report a ticket */
#define TTB_BALANCER_CHECK_TICKETS 4u  /**< a table of tickets a thread: each double report shows */
#define TTB_BALANCER_TAGS 8u           /**< endpoints have tags (8 bytes each) */
#define TTB_BALANCER_CAPS 16u          /**< endpoints have max_inflight (4 bytes each); counts calls */
#define TTB_BALANCER_LOAD_WEIGHTS 64u   /**< weights follow load reports (ttb_balancer_reweigh) */
#define TTB_BALANCER_LEVELS 32u        /**< priorities, backups, degraded tier and panic count */
/** @} */

/** @name Flags of a pick
 *  @{ */
#define TTB_PICK_FALLBACK 1u /**< if the endpoint asked for cannot be had, any other */
#define TTB_PICK_DRAINING 2u /**< the endpoint asked for may be draining (HAProxy's drain) */
/** @} */

/** @name What the last pick of a handle did (ttb_balancer_last)
 *  @{ */
#define TTB_LAST_ASKED 1    /**< it is the endpoint asked for by id */
#define TTB_LAST_FALLBACK 2 /**< one was asked for and could not be had */
#define TTB_LAST_PANIC 4    /**< probes and outlier detection were not believed */
#define TTB_LAST_DEGRADED 8 /**< it is degraded */
#define TTB_LAST_LOCAL 16   /**< the local zone was drawn */
#define TTB_LAST_SPILLED 32 /**< another zone than the local one was drawn */
#define TTB_LAST_ELSEWHERE 64 /**< where the draw pointed nobody could be had */
#define TTB_LAST_LEVEL(last) ((last) >> 8 & 31)  /**< its priority; 16: a backup */
#define TTB_LAST_ZONE(last) ((last) >> 16 & 63)  /**< its zone */
/** @} */

/** @name The order of weighted round robin (wrr_order)
 *  @{ */
#define TTB_BALANCER_TIJDEMAN 1 /**< proven deviation below 1; the default */
#define TTB_BALANCER_NGINX 2    /**< nginx's smooth order; to 1,024 endpoints */
/** @} */

/** @name The rule of slow start (slow_start_rule)
 *  @{ */
#define TTB_BALANCER_CURVE 1 /**< Envoy's aggression curve; the default */
#define TTB_BALANCER_STEPS 2 /**< HAProxy's sixteenths */
/** @} */

/** @name Causes: who says that an endpoint takes no new calls
 *  @{ */
#define TTB_CAUSE_ADMIN 1u    /**< an operator */
#define TTB_CAUSE_PROBE 2u    /**< health probes (also: set_status) */
#define TTB_CAUSE_OUTLIER 4u  /**< it does worse than its peers */
#define TTB_CAUSE_BREAKER 8u  /**< its circuit is open */
#define TTB_CAUSE_DRAIN 16u   /**< it is leaving */
#define TTB_CAUSE_OVERLOAD 32u /**< it has asked for less */
#define TTB_CAUSE_WEIGHT 64u  /**< its weight was set to 0; only set_weight and update change it */
/** @} */

/** @name Why an endpoint is not the next one (ttb_balancer_info.reason)
 *
 * The first that holds, in this order.
 *  @{ */
#define TTB_BALANCER_CHOSEN 0       /**< it is (unjoined handle: it may be) */
#define TTB_BALANCER_BY_ADMIN 1     /**< #TTB_CAUSE_ADMIN is set */
#define TTB_BALANCER_BY_PROBE 2     /**< #TTB_CAUSE_PROBE is set */
#define TTB_BALANCER_BY_OUTLIER 3   /**< #TTB_CAUSE_OUTLIER is set */
#define TTB_BALANCER_BY_BREAKER 4   /**< #TTB_CAUSE_BREAKER is set */
#define TTB_BALANCER_BY_DRAIN 5     /**< #TTB_CAUSE_DRAIN is set */
#define TTB_BALANCER_BY_OVERLOAD 6  /**< #TTB_CAUSE_OVERLOAD is set */
#define TTB_BALANCER_BY_WEIGHT 7    /**< #TTB_CAUSE_WEIGHT is set */
#define TTB_BALANCER_EXCLUDED 8     /**< it is on the exclusion list */
#define TTB_BALANCER_NOT_CHOSEN 9   /**< it may be picked, the algorithm chose another */
#define TTB_BALANCER_BY_RESIDENCY 10 /**< it is in a zone that may not be used */
#define TTB_BALANCER_BY_TAGS 11     /**< it lacks a tag that is asked for */
#define TTB_BALANCER_FULL 12        /**< max_inflight calls are out on it */
#define TTB_BALANCER_BY_LEVEL 13    /**< another level or tier was drawn */
#define TTB_BALANCER_BY_ZONE 14     /**< another zone was drawn */
#define TTB_BALANCER_STARTING 15    /**< in its slow start, it was passed over or outdone */
#define TTB_BALANCER_OVER_BOUND 16  /**< it has all that bounded_ppm lets it have */
/** @} */

/** What an endpoint says of itself with an answer (a load report, as ORCA's
 *  OrcaLoadReport; of the last seconds, not of this call). 0 is "not said". */
typedef struct ttb_load {
  uint32_t struct_size;     /**< sizeof(ttb_load) */
  int32_t utilisation_ppm;  /**< of the application, or else of its processor; may be
                                 above 1000000, not negative */
  uint64_t qps_milli;       /**< calls answered, in thousandths a second; to 2^40 */
  uint64_t eps_milli;       /**< errors answered, in thousandths a second; to 2^40 */
} ttb_load;

/** What a balancer shall do. Start with TTB_CONFIG. */
typedef struct ttb_balancer_config {
  uint32_t struct_size; /**< sizeof(ttb_balancer_config) */
  uint32_t algorithm;   /**< TTB_BALANCER_*; default two choices */
  uint32_t capacity;    /**< endpoints at the most, 1..1048576; default 64 */
  uint32_t threads;     /**< threads that may join at once, 1..254; default 14 */
  uint32_t flags;       /**< TTB_BALANCER_TRACK, ...; default none */
  uint32_t table_size;  /**< weighted round robin: turns, 2 * capacity..2097152, default
                             16 * capacity, 4096 at least; maglev, patched maglev:
                             entries, a prime >= capacity, to 5000011, default 65537;
                             ring hash: points at the least, capacity..5000011, default 160 * capacity, 1024 at least,
                             5000011 at most; nginx consistent: points at the most, 160 *
                             capacity..5000011, default 640 * capacity, 5000011 at most;
                             others: 0 */
  uint32_t wrr_order;   /**< TTB_BALANCER_TIJDEMAN or _NGINX; default Tijdeman */
  uint32_t lease;       /**< turns a thread takes at once, 1..4096; default 64; 1 = exact order */
  uint32_t tickets;     /**< with CHECK_TICKETS: tickets a thread may have out, a power of two
                             16..2048; default 256 */
  int32_t bounded_ppm;  /**< by hash: how far above the mean in flight an endpoint may get,
                             1010000..15000000 (1250000: a quarter); default 0: anywhere */
  uint64_t seed;        /**< of everything drawn, and of the first phase; any */
  uint64_t residency;   /**< zones that may be used at all, bit z for zone z (bit 0: endpoints
                             without one); default all */
  uint32_t decay_ms;    /**< peak EWMA: a cost falls to 1/e in this time, 100..3600000; default
                             10000 */
  uint32_t choices;     /**< least connections: endpoints drawn where there are more than
                             `exact`, 2..10; default 2 */
  uint32_t exact;       /**< least connections: to so many endpoints it takes the least loaded
                             of all, 1..4096; default 1024 */
  int32_t bias_ppm;     /**< least connections: load is (in flight + 1) ^ bias / weight, 1..8000000
                             (Envoy's active request bias; its default is 1000000); default:
                             load is in flight / weight */
  uint32_t zone;        /**< this host's own zone, 1..63: it comes first; default none does */
  uint32_t zone_min;    /**< healthy endpoints of a level below which no zone comes first; default 6 */
  uint32_t overprovisioning_ppm; /**< LEVELS: a level whose healthy share times this is
                             1 or more takes all; 1000000..1000000000, default 1400000 */
  int32_t panic_ppm;    /**< LEVELS: share of a level's endpoints below which it panics;
                             default 500000; TTB_OFF: never */
  uint32_t slow_start_ms; /**< how long who has come (back) is given less; default 0: not at all */
  uint32_t slow_start_rule; /**< TTB_BALANCER_CURVE or _STEPS; default the curve */
  uint32_t slow_start_aggression_ppm; /**< of the curve, 100000..10000000; default 1000000 */
  uint32_t slow_start_min_ppm; /**< of the curve: the least share; default 100000 */
  uint32_t probe_rate_ppm; /**< Prequal: probes a call, in ppm, 100000..16000000; default
                                3000000 */
  uint32_t probe_age_ms;   /**< Prequal: no older probe is used, 1..60000; default 1000 */
  uint32_t rif_quantile_ppm; /**< Prequal: above this quantile of answers an endpoint is hot,
                                  1..1000000; default 840896, which is 2^-0.25 */
  uint32_t error_penalty_ppm; /**< weights by load reports: what errors count, 1..100000000;
                                   default 1000000, ORCA's penalty of 1 */
  int32_t load_blackout_ms; /**< weights by load reports: an endpoint's count from so long after
                                 its first, 1..3600000; default 10000; TTB_OFF: at once */
  int32_t load_expiry_ms;   /**< weights by load reports: and no longer than this after its
                                 last, 1..3600000; default 180000 */
} ttb_balancer_config;

/** A level: how many, and what follows from it. Frozen. */
typedef struct ttb_level {
  uint32_t struct_size;  /**< sizeof(ttb_level) */
  uint32_t endpoints;    /**< how many there are, to 2^31 */
  uint32_t healthy;      /**< of these, those that may be picked and are not degraded */
  uint32_t degraded;     /**< of these, those that may be picked and are */
  uint32_t excluded;     /**< of these, those that do not count for the shares */
  int32_t healthy_load;  /**< percent of all picks that go to its healthy ones */
  int32_t degraded_load; /**< percent of all picks that go to its degraded ones */
  int32_t panic;         /**< 1: it panics */
} ttb_level;

/** What one pick shall keep to, for ttb_balancer_acquire_with. 0 everywhere is the
 *  plain pick. */
typedef struct ttb_pick {
  uint32_t struct_size;  /**< sizeof(ttb_pick) */
  uint32_t flags;        /**< TTB_PICK_* */
  uint64_t hash;         /**< as ttb_balancer_acquire */
  uint64_t zones;        /**< zones that may be used, bit z for zone z, of those the
                              configuration allows; 0: all of these */
  uint64_t tags;         /**< tags an endpoint must have, all of them; 0: any endpoint */
  uint64_t id;           /**< the endpoint asked for; 0: none */
  uint32_t n_excluded;   /**< how many excluded_slots */
  uint32_t reserved;     /**< 0 */
  const uint32_t *excluded_slots; /**< not these; numbers that are no slots are passed over */
} ttb_pick;

/** One endpoint, and why it is not the next one. */
typedef struct ttb_balancer_info {
  uint32_t struct_size; /**< sizeof(ttb_balancer_info) */
  uint32_t slot;        /**< its slot */
  uint64_t id;          /**< its id */
  uint32_t weight;      /**< 1..65535; the former one while #TTB_CAUSE_WEIGHT is set */
  uint32_t in_flight;   /**< calls out on it; 0 if they are not counted */
  uint32_t causes;      /**< TTB_CAUSE_* */
  int32_t status;       /**< TTB_STATUS_*, what set_status said last */
  int32_t reason;       /**< TTB_BALANCER_CHOSEN, ... */
  uint32_t generation;  /**< of its slot, modulo 2^20 */
  uint32_t zone;        /**< where it is; 0: not said */
  uint32_t priority;    /**< its level */
  uint32_t flags;       /**< TTB_ENDPOINT_* */
  uint32_t max_inflight; /**< its limit; 0: none */
  uint64_t tags;        /**< its tags */
} ttb_balancer_info;

/** What concerns the whole balancer. */
typedef struct ttb_balancer_stats {
  uint32_t struct_size;  /**< sizeof(ttb_balancer_stats) */
  uint32_t capacity;     /**< endpoints it can hold */
  uint32_t endpoints;    /**< endpoints it holds */
  uint32_t eligible;     /**< of these, those that may be picked */
  uint32_t joined;       /**< rows taken by threads */
  uint32_t table_length; /**< turns or entries in the published table */
  uint64_t in_flight;    /**< calls out, also on endpoints that were removed */
  uint64_t stale;        /**< reports that came twice, too late or from elsewhere */
  uint64_t rebuilds;     /**< tables published so far */
  int32_t weight_error_ppm; /**< largest relative error of an endpoint's share of the table
                                 against its weight; 0 for algorithms without weights in it */
  uint32_t reserved;     /**< 0 */
  uint64_t panics;       /**< picks made in panic */
} ttb_balancer_stats;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or a
 *         table_size that is no prime, where it must be, or of no use to the
 *         algorithm);
 *         TTB_ERR_NOSPACE (a table_size too small for the capacity);
 *         TTB_ERR_UNSUPPORTED (a field this library does not know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_check(const ttb_balancer_config *config, ttb_detail *ret_detail);

/**
 * @brief Checks an endpoint and says what is wrong with it.
 * @param endpoint   what to check
 * @param ret_detail filled in; may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (id 0, weight above
 *         65535, struct_size); TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_endpoint_check(const ttb_endpoint *endpoint, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_balancer_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_balancer_size(const ttb_balancer_config *config);

/**
 * @brief Makes an empty balancer in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * @param ret_balancer the handle
 * @param mem          the region, on a multiple of TTB_ALIGN
 * @param size         bytes there
 * @param config       what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_balancer_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_balancer_init(ttb_balancer *ret_balancer, void *mem,
                                                uint64_t size, const ttb_balancer_config *config);

/**
 * @brief Makes a handle to a balancer that another process (or mapping) made.
 * @param ret_balancer the handle
 * @param mem          the region, on a multiple of TTB_ALIGN; any address
 * @param size         bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_balancer_attach(ttb_balancer *ret_balancer, void *mem,
                                                  uint64_t size);

/**
 * @brief Makes a balancer in memory of its own: one allocation, then init.
 * @param ret_balancer the handle
 * @param config       what it shall do
 * @param allocator    where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_balancer_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_balancer_new(ttb_balancer *ret_balancer,
                                               const ttb_balancer_config *config,
                                               const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_balancer_new took; of a joined
 *        one it gives up the row and whatever is still in flight on it.
 * @param balancer the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_balancer_free(ttb_balancer *balancer);

/**
 * @brief Makes a thread's own handle: its row, its random state, its lease.
 *
 * After fork a child joins anew; a handle it inherited belongs to the parent.
 * @param shared     a handle to the balancer
 * @param token      the process, 1..TTB_MAX_TOKEN (see base.h)
 * @param ret_joined the thread's handle; end it with ttb_balancer_free
 * @return TTB_OK; TTB_ERR_MISUSE (also: both handles
 *         the same); TTB_ERR_RANGE (token); TTB_ERR_NOSPACE (all
 *         rows taken: raise `threads`, or recover the dead)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_balancer_join(const ttb_balancer *shared, uint64_t token,
                                                ttb_balancer *ret_joined);

/**
 * @brief Takes back what a dead process held: its rows, its calls in flight, and
 *        the owner lock with whatever it was writing.
 *
 * The caller states that the process is dead (it has waited for it, or a pidfd
 * says so); nothing here can check that. Idempotent; if the recovering process
 * dies in the middle, recover that one too. An update that was cut short may
 * have been carried out in part: repeat it.
 * @param joined the caller's own handle (from ttb_balancer_join)
 * @param token  the dead process; not the caller's
 * @return rows freed (0 or more); TTB_ERR_MISUSE (not joined, own token);
 *         TTB_ERR_RANGE (token)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_recover(ttb_balancer *joined, uint64_t token);

/**
 * @brief Adds an endpoint. It may be picked when this returns.
 * @param joined   the caller's handle
 * @param endpoint what it is; copied
 * @return its slot (0 or more); TTB_ERR_DUPLICATE; TTB_ERR_NOSPACE (no slot is
 *         free, or calls on removed endpoints are still in flight on them);
 *         TTB_AGAIN (another writer is at work); or as
 *         ttb_balancer_endpoint_check; TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_add(ttb_balancer *joined, const ttb_endpoint *endpoint);

/**
 * @brief Removes an endpoint: no acquire that begins later picks it. Calls in
 *        flight on it are reported as ever.
 * @param joined the caller's handle
 * @param id     which
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_AGAIN; TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_remove(ttb_balancer *joined, uint64_t id);

/**
 * @brief Sets an endpoint's weight; 0 = no new calls until another is set.
 * @param joined the caller's handle
 * @param id     which
 * @param weight 0..65535
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_ERR_RANGE; TTB_AGAIN; TTB_ERR_MISUSE
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_set_weight(ttb_balancer *joined, uint64_t id, uint32_t weight);

/**
 * @brief Makes the set of endpoints equal to a list: those missing from it are
 *        removed, new ones added, the others keep slot, calls in flight and
 *        causes and get the list's weight (#TTB_CAUSE_WEIGHT is cleared).
 *
 * The tables are built once, however much changes.
 * @param joined     the caller's handle
 * @param endpoints  n endpoints of equal struct_size; may be NULL if n is 0
 * @param n          how many, 0..capacity
 * @param ret_detail what is wrong with which; may be NULL
 * @return TTB_OK; TTB_AGAIN; TTB_ERR_MISUSE; TTB_ERR_DUPLICATE, or as
 *         ttb_balancer_endpoint_check, or TTB_ERR_NOSPACE (n above capacity):
 *         nothing has changed; TTB_ERR_NOSPACE also if slots that were to be
 *         reused have calls in flight: then the leavers are out, as many
 *         newcomers as had room are in, and the call can be repeated
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_update(ttb_balancer *joined, const ttb_endpoint *endpoints, uint32_t n,
                                    ttb_detail *ret_detail);

/**
 * @brief The slot of an endpoint.
 * @param balancer the handle
 * @param id       which
 * @return 0..capacity-1; TTB_ERR_UNKNOWN_ID; TTB_ERR_MISUSE
 * @threads any @progress wait-free; one or two loads for an id that is there, a
 *          scan for one that is not @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_find(const ttb_balancer *balancer, uint64_t id);

/**
 * @brief Sets or clears causes of one endpoint. Rebuilds nothing.
 * @param balancer the handle; need not be joined
 * @param slot     which endpoint
 * @param causes   TTB_CAUSE_ADMIN .. TTB_CAUSE_OVERLOAD, one or several
 * @param on       1 sets them, 0 clears them
 * @return 1 if this call changed the word, 0 if it was so already;
 *         TTB_ERR_UNKNOWN_ID (nobody lives there); TTB_ERR_RANGE (slot,
 *         causes); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_mark(const ttb_balancer *balancer, uint32_t slot, uint32_t causes,
                                  int32_t on);

/**
 * @brief Says what is known of an endpoint's health.
 *
 * UNHEALTHY and STALE set #TTB_CAUSE_PROBE, DRAINING sets #TTB_CAUSE_DRAIN;
 * every status clears what of these two it does not set.
 * @param balancer the handle; need not be joined
 * @param id       which endpoint
 * @param status   TTB_STATUS_*
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_ERR_RANGE (status); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_set_status(const ttb_balancer *balancer, uint64_t id, int32_t status);

/**
 * @brief ttb_balancer_set_status for n endpoints, in order.
 * @param balancer  the handle
 * @param ids       n ids; may be NULL if n is 0
 * @param statuses  n statuses
 * @param n         how many, 0..2^31-1
 * @param ret_codes n results; may be NULL
 * @return how many were set; TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_set_status_n(const ttb_balancer *balancer, const uint64_t *ids,
                                          const int32_t *statuses, uint32_t n, int32_t *ret_codes);

/**
 * @brief Picks an endpoint for one call.
 * @param joined the thread's handle
 * @param hash   the key's hash for the algorithms by hash (ttb_hash makes one); others
 *               ignore it
 * @param now_ns the time, ns (for algorithms that look at it)
 * @return a ticket (0 or more): make the call, then report; TTB_NO_ENDPOINT
 *         (none is there, or none eligible); TTB_LIMIT (CHECK_TICKETS: too many
 *         out); TTB_ERR_MISUSE (not a joined handle)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_balancer_acquire(ttb_balancer *joined, uint64_t hash, uint64_t now_ns);

/**
 * @brief ttb_balancer_acquire, but none of these: for a retry elsewhere.
 * @param joined         the thread's handle
 * @param hash           as ttb_balancer_acquire
 * @param excluded_slots n slots; numbers that are no slots are passed over
 * @param n              how many; may be 0 (then NULL is allowed)
 * @param now_ns         the time, ns
 * @return as ttb_balancer_acquire; TTB_ALL_EXCLUDED if some may be picked but
 *         all of them are on the list
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_balancer_acquire_except(ttb_balancer *joined, uint64_t hash,
                                            const uint32_t *excluded_slots, uint32_t n,
                                            uint64_t now_ns);

/**
 * @brief ttb_balancer_acquire within bounds: residency, tags, exclusions, or one
 *        endpoint asked for by its id (an override host; a sticky session).
 *
 * Nothing a pick says is ever given up but `id`, and that only with
 * #TTB_PICK_FALLBACK. An endpoint that is asked for is taken whatever its level and
 * zone preference would be, if it may be picked, is in a zone allowed, has the tags,
 * has room and is not excluded.
 * @param joined the thread's handle
 * @param pick   the bounds
 * @param now_ns the time, ns
 * @return as ttb_balancer_acquire; TTB_ALL_EXCLUDED (only excluded ones are left);
 *         TTB_LIMIT (those left are full, see max_inflight; or too many tickets
 *         are out); TTB_ERR_UNKNOWN_ID (the endpoint asked for is gone);
 *         TTB_NOT_ELIGIBLE (it is there and may not be picked now);
 *         TTB_ERR_UNSUPPORTED (tags, without #TTB_BALANCER_TAGS; a flag);
 *         TTB_ERR_RANGE (struct_size); TTB_ERR_MISUSE (NULL, not joined)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_balancer_acquire_with(ttb_balancer *joined, const ttb_pick *pick,
                                          uint64_t now_ns);

/**
 * @brief Tickets on k different endpoints at once, in the order in which they are to
 *        be tried: a plan of retries, a hedged call, a quorum.
 *
 * Each is picked as if it were a retry after those before. For algorithms by hash
 * this is the key's list of owners. Give back what is not used as
 * #TTB_CANCELLED.
 * @param joined      the thread's handle
 * @param pick        as ttb_balancer_acquire_with; `id` is for the first
 * @param k           how many, 1..capacity
 * @param now_ns      the time, ns
 * @param ret_tickets k tickets; behind the last the code why there are no more
 * @return how many were granted, 0..k; TTB_ERR_RANGE (k, struct_size);
 *         TTB_ERR_UNSUPPORTED; TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_acquire_distinct(ttb_balancer *joined, const ttb_pick *pick,
                                              uint32_t k, uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief What the handle's last pick did besides choosing.
 * @param joined the thread's handle
 * @return TTB_LAST_* bits, TTB_LAST_LEVEL and TTB_LAST_ZONE of the endpoint; 0 after
 *         a pick without a ticket, and after each pick to which neither the
 *         configuration nor the caller had set bounds; TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_last(const ttb_balancer *joined);

/**
 * @brief ttb_balancer_acquire n times, in order, at one time. Each pick counts
 *        for the next, so a batch does not herd.
 * @param joined      the thread's handle
 * @param hashes      n hashes; NULL: all 0
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many were granted; TTB_ERR_MISUSE (handle, NULL, n)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_acquire_n(ttb_balancer *joined, const uint64_t *hashes, uint32_t n,
                                       uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief Says that the call of a ticket ended, and how.
 * @param joined     the handle of the thread that acquired it; with
 *                   #TTB_BALANCER_MOVING_TICKETS of any thread of the process
 * @param ticket     what acquire returned
 * @param outcome    TTB_SUCCESS .. TTB_SLOW_FAILURE (here as TTB_FAILURE)
 * @param latency_ns how long it took, ns (for algorithms that look at it)
 * @param now_ns     the time, ns
 * @return TTB_OK; TTB_STALE (twice, of another thread, of a slot that has been
 *         given to another endpoint: counted, nothing changed); TTB_ERR_MISUSE
 *         (handle, a negative ticket); TTB_ERR_RANGE (slot, outcome)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_report(ttb_balancer *joined, int64_t ticket, int32_t outcome,
                                    uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief ttb_balancer_report of a call whose answer said how loaded the endpoint is.
 * @param joined     as ttb_balancer_report
 * @param ticket     as ttb_balancer_report
 * @param outcome    as ttb_balancer_report
 * @param latency_ns as ttb_balancer_report
 * @param load       what the answer said; NULL: nothing. Taken only if the report is
 *                   TTB_OK and the balancer looks at loads
 * @param now_ns     the time, ns
 * @return as ttb_balancer_report; TTB_ERR_RANGE or TTB_ERR_UNSUPPORTED also for a bad
 *         load: then nothing was reported
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_report_load(ttb_balancer *joined, int64_t ticket, int32_t outcome,
                                         uint64_t latency_ns, const ttb_load *load,
                                         uint64_t now_ns);

/**
 * @brief ttb_balancer_report for n tickets, in order, at one time.
 * @param joined       the handle
 * @param tickets      n tickets; negative ones (refusals) are passed over
 * @param outcomes     n outcomes; NULL: all TTB_SUCCESS
 * @param latencies_ns n latencies; NULL: all 0
 * @param n            how many, 0..2^31-1
 * @param now_ns       the time, ns
 * @param ret_codes    n results as of ttb_balancer_report; may be NULL
 * @return how many ended well (not stale, not refused); TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_report_n(ttb_balancer *joined, const int64_t *tickets,
                                      const int32_t *outcomes, const uint64_t *latencies_ns,
                                      uint32_t n, uint64_t now_ns, int32_t *ret_codes);

/**
 * @brief Reports the last ticket and acquires the next, in one call (a foreign
 *        function call costs more than both).
 * @param joined     the thread's handle
 * @param ticket     the ticket to report; a negative one (a code, or -1 the first
 *                   time) is passed over. If its report is not TTB_OK (stale, out
 *                   of range) the acquire goes on all the same.
 * @param outcome    how it ended
 * @param latency_ns how long it took, ns
 * @param hash       of the next call
 * @param now_ns     the time, ns
 * @return as ttb_balancer_acquire
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_balancer_next(ttb_balancer *joined, int64_t ticket, int32_t outcome,
                                  uint64_t latency_ns, uint64_t hash, uint64_t now_ns);

/**
 * @brief Turns what load reports have said into weights, and those into one new table.
 *
 * With #TTB_BALANCER_LOAD_WEIGHTS; call it about once a second from one place. Between
 * calls nothing is rebuilt. An endpoint whose weight was set to 0 stays without calls.
 * @param joined the caller's handle
 * @param now_ns the time, ns
 * @return how many endpoints have a weight of their own (with fewer than two all weigh
 *         the same); TTB_AGAIN (another writer is at work); TTB_ERR_UNSUPPORTED
 *         (without the flag); TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_reweigh(ttb_balancer *joined, uint64_t now_ns);

/**
 * @brief Prequal: whom to probe now.
 *
 * Ask each for its requests in flight and the latency it would have at that number
 * (a median of recent ones), without letting calls wait for it, and give the answers to
 * ttb_balancer_probe_result. Call it after each acquire, or now and then: what is due
 * adds up, to 16. Without calls two are due each half probe_age_ms.
 * @param joined    the thread's handle; probes and answers are its own
 * @param now_ns    the time, ns
 * @param ret_slots room for n slots, all different; may be NULL if n is 0
 * @param n         probes that can be made now
 * @return how many slots were written; TTB_ERR_UNSUPPORTED (another algorithm);
 *         TTB_ERR_MISUSE (not joined, NULL)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_probe_due(ttb_balancer *joined, uint64_t now_ns, uint32_t *ret_slots,
                                       uint32_t n);

/**
 * @brief Prequal: what a probe was answered. A probe that was not needs no report.
 * @param joined     the handle that asked
 * @param slot       who was probed
 * @param rif        its requests in flight; above 65535 counts as 65535
 * @param latency_ns its latency at that number, ns; above 2^48 counts as 2^48
 * @param now_ns     the time, ns
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID (nobody lives there any more); TTB_ERR_RANGE (slot);
 *         TTB_ERR_UNSUPPORTED (another algorithm); TTB_ERR_MISUSE (not joined)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_probe_result(ttb_balancer *joined, uint32_t slot, uint32_t rif,
                                          uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief One row an endpoint: what is known of it and why it is not the next one.
 *
 * With a joined handle the next pick is worked out, as acquire_except would make
 * it now, without making it: nothing is counted, drawn or leased.
 * @param balancer       the handle
 * @param hash           as acquire
 * @param excluded_slots n_excluded slots, as acquire_except; may be NULL
 * @param n_excluded     how many
 * @param ret_rows       n rows; the first's struct_size must be set and is the
 *                       stride of all; may be NULL if n is 0
 * @param n              rows there
 * @return how many endpoints there are, which may be more than were written;
 *         TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any (a joined one: its thread) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_explain(const ttb_balancer *balancer, uint64_t hash,
                                     const uint32_t *excluded_slots, uint32_t n_excluded,
                                     ttb_balancer_info *ret_rows, uint32_t n);

/**
 * @brief ttb_balancer_explain for a pick of ttb_balancer_acquire_with.
 * @param balancer the handle
 * @param pick     the bounds
 * @param now_ns   the time, ns
 * @param ret_rows as ttb_balancer_explain
 * @param n        rows there
 * @return as ttb_balancer_explain; TTB_ERR_UNSUPPORTED as acquire_with
 * @threads any (a joined one: its thread) @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_explain_with(const ttb_balancer *balancer, const ttb_pick *pick,
                                          uint64_t now_ns, ttb_balancer_info *ret_rows, uint32_t n);

/**
 * @brief One endpoint by its slot. reason is TTB_BALANCER_CHOSEN if it may be
 *        picked, else its first cause.
 * @param balancer the handle
 * @param slot     which
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID (nobody lives there); TTB_ERR_RANGE (slot,
 *         struct_size); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_inspect(const ttb_balancer *balancer, uint32_t slot,
                                     ttb_balancer_info *ret_info);

/**
 * @brief Numbers of the whole balancer. Walks all endpoints.
 * @param balancer  the handle
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_statistics(const ttb_balancer *balancer,
                                        ttb_balancer_stats *ret_stats);

/**
 * @brief What the levels are now: their endpoints, their shares of the picks, panic.
 *
 * Endpoints that were taken out on purpose (admin, drain, weight 0) and those in zones
 * the configuration does not allow are not counted at all.
 * @param balancer   the handle
 * @param ret_levels n rows, by priority, the backups as the 17th; the first's struct_size
 *                   must be set; may be NULL if n is 0
 * @param n          rows there
 * @return 17; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free; walks all endpoints @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_level_stats(const ttb_balancer *balancer, ttb_level *ret_levels,
                                         uint32_t n);

/**
 * @brief Tells how many clients (hosts that use this service) each zone has, for
 *        the share of calls that stays in the local zone.
 *
 * Untold, they are taken to be where the endpoints are, those that fail included.
 * @param balancer the handle; need not be joined
 * @param clients  n counts, by zone from 0; may be NULL if n is 0: then untold again
 * @param n        how many, 0..64
 * @return TTB_OK; TTB_ERR_RANGE (n); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_set_clients(const ttb_balancer *balancer, const uint32_t *clients,
                                         uint32_t n);

/**
 * @brief Envoy's priority load: fills healthy_load, degraded_load and panic of each
 *        level in from its counts.
 *
 *     able(i)  = min(100, overprovisioning * healthy(i) / (endpoints(i) - excluded(i)))
 *     load(i)  = min(what is left of 100, 100 * able(i) / min(100, sum of all able))
 *
 * first over the healthy of all levels, then over the degraded. All level panic: by
 * endpoints.
 * @param levels               n levels, the first first
 * @param n                    how many, 1..64
 * @param overprovisioning_ppm 1000000..1000000000; 0: 1400000
 * @param panic_ppm            1..1000000; 0: 500000; TTB_OFF: never
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (n, a factor, a struct_size, counts that
 *         contradict each other)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_levels(ttb_level *levels, uint32_t n, uint32_t overprovisioning_ppm,
                                    int32_t panic_ppm);

/**
 * @brief Envoy's zone-aware share: how much of the local zone's load stays there, and
 *        where the rest goes.
 * @param local        the zone, 0..n-1
 * @param clients      n counts of clients
 * @param endpoints    n counts of endpoints that may be picked
 * @param n            how many zones, 1..64
 * @param ret_residual n running sums, in 1/10000 of the endpoints: a call that does not
 *                     stay goes to the first zone whose sum exceeds a number drawn
 *                     from 0 to the last sum - 1; if that sum is 0, to any
 * @return what stays, 0..10000; TTB_ERR_MISUSE; TTB_ERR_RANGE (n, local)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_zones(uint32_t local, const uint32_t *clients,
                                   const uint32_t *endpoints, uint32_t n, uint32_t *ret_residual);

/**
 * @brief Envoy's slow start: max((elapsed / window)^(1 / aggression), least), elapsed being
 *        1 ms at least.
 * @param elapsed_ns     since it came, ns
 * @param window_ns      how long slow start takes, ns, to a day; 0: it is over
 * @param aggression_ppm 100000..10000000; 0: 1000000
 * @param min_ppm        the least, 1..1000000; 0: 100000
 * @return 1..1000000 ppm; TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_slow_start(uint64_t elapsed_ns, uint64_t window_ns,
                                        uint32_t aggression_ppm, uint32_t min_ppm);

/**
 * @brief HAProxy's slowstart: (16 * elapsed + window) / window, in whole seconds.
 * @param elapsed_ns since it came, ns
 * @param window_ns  how long slow start takes, ns; below 1 s: it is over
 * @return sixteenths, 1..16
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_slow_start_steps(uint64_t elapsed_ns, uint64_t window_ns);

/**
 * @brief Which servers a client of many talks to, so that all together treat all
 *        servers alike: finagle's deterministic aperture, weighted.
 *
 * Clients sit evenly on a circle that servers share by weight; this client takes
 * the arc from its place on. All clients must use the same list in the same
 * order (by id, say). Give the servers to a balancer with the shares as weights,
 * scaled to 65535: those at the ends of the arc are met only in part.
 * @param clients     how many clients there are, 1..1048576
 * @param me          which of them this is, from 0
 * @param servers     n_servers endpoints of equal struct_size; may be NULL if there
 *                    are none
 * @param n_servers   how many, 0..1048576
 * @param least       servers (of mean weight) a client shall reach; 0: 12
 * @param ret_indices n indices into servers, ascending; may be NULL if n is 0
 * @param ret_shares  n shares of those, in 1 / (clients * sum of weights) of the
 *                    circle; may be NULL
 * @param n           how many have room
 * @return how many servers this client talks to, which may be more than were
 *         written; TTB_ERR_MISUSE; TTB_ERR_RANGE (clients, me, n_servers, an
 *         endpoint)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_aperture(uint32_t clients, uint32_t me, const ttb_endpoint *servers,
                                      uint32_t n_servers, uint32_t least, uint32_t *ret_indices,
                                      uint64_t *ret_shares, uint32_t n);

/**
 * @brief A random subset of servers, the same for the same seed: the n lowest of
 *        XXH64(id as 8 bytes, little-endian; seed), after gRPC's gRFC A68.
 *
 * When a server leaves, only its place is taken by another.
 * @param seed        the client's own, any
 * @param servers     n_servers endpoints of equal struct_size; may be NULL if there
 *                    are none
 * @param n_servers   how many, 0..1048576
 * @param ret_indices n indices into servers, lowest hash first; may be NULL if n is 0
 * @param n           how many are wanted
 * @return how many were written; TTB_ERR_MISUSE; TTB_ERR_RANGE (n_servers, an
 *         endpoint)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_subset(uint64_t seed, const ttb_endpoint *servers, uint32_t n_servers,
                                    uint32_t *ret_indices, uint32_t n);

/** Bytes of a sticky token's text, with its NUL. */
#define TTB_STICKY_SIZE 23

/**
 * @brief Makes of an endpoint's id a token that a client keeps and hands back: opaque,
 *        fit for URLs and cookies, and of no use to who would choose an endpoint.
 *
 * base64url (RFC 4648) of a tag and of the id hidden by it, both by SipHash-2-4. The
 * same id has the same token; another key makes all tokens void. Open it with
 * ttb_sticky_open and give the id to ttb_balancer_acquire_with, which says whether the
 * endpoint is gone, cannot be had, or is the one.
 * @param key       16 bytes, secret, the same in all processes that open tokens
 * @param id        the endpoint, not 0
 * @param ret_token TTB_STICKY_SIZE bytes
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (id)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_sticky_seal(const void *key, uint64_t id, char *ret_token);

/**
 * @brief The id in a token.
 * @param key    16 bytes
 * @param token  n characters; need not end with a NUL
 * @param n      how many; may be anything
 * @param ret_id the id
 * @return TTB_OK; TTB_FORGED (damaged, cut, made up, or of another key); TTB_ERR_MISUSE
 * @threads any @progress wait-free; in a time that does not tell where it is wrong
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_sticky_open(const void *key, const char *token, uint64_t n, uint64_t *ret_id);

/**
 * @brief How a bound is divided into whole calls, HAProxy's way: parts that differ
 *        from each other's by rounding, sum to all of it, and are 1 at least.
 *
 * For those who keep caps of their own (max_inflight, say). The caps of bounded_ppm
 * are rounded up each for itself.
 * @param in_flight   calls out, 0..2^28-1; one more is to come
 * @param bounded_ppm 1010000..15000000
 * @param weights     n weights, 1..65535; may be NULL if n is 0
 * @param n           how many, 0..1048576
 * @param ret_caps    n caps, in calls; may be NULL if n is 0
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_bounds(uint64_t in_flight, int32_t bounded_ppm,
                                    const uint32_t *weights, uint32_t n, uint64_t *ret_caps);

/**
 * @brief The hash libmemcached makes of a key for ketama: the first four bytes of
 *        its MD5 (RFC 1321), little-endian.
 * @param key n bytes; may be NULL if n is 0
 * @param n   bytes
 * @return 0..2^32-1; 0 if key is NULL and n is not 0
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API uint64_t ttb_ketama_hash(const void *key, uint64_t n);

/**
 * @brief The hash nginx makes of a key for `hash`, and what further attempts need
 *        of it: its CRC-32 (ISO 3309) and, in the upper half, its length. For nginx
 *        hash, and (the lower half counts) for nginx consistent.
 * @param key n bytes; may be NULL if n is 0
 * @param n   bytes; the low 32 bits of it count
 * @return the hash; 0 if key is NULL and n is not 0
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API uint64_t ttb_nginx_hash(const void *key, uint64_t n);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 info, 2 stats, 3 ttb_endpoint, 4 ttb_load, 5 ttb_pick,
 *                  6 ttb_level
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_balancer_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
