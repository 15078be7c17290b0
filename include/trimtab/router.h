/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/router.h
 * @brief Which database node takes this statement: writes to the primary, reads
 *        spread over the replicas that are fresh enough.
 *
 * A router is a table of *nodes* (slot = node). The caller's monitoring looks
 * at the nodes as often as it likes and tells the router what it saw
 * (ttb_router_observe); the caller's workers ask where to go. The router opens
 * no connection and parses no SQL: whether a statement writes is the caller's
 * knowledge.
 *
 *      monitoring ---observe(id, role, status, lag, rtt, epoch)--->  +--------+
 *                                                                    | router |
 *      worker  <--ticket-- write(now)        the primary             |        |
 *              <--ticket-- read(wants, now)  replica | primary       +--------+
 *               --report(ticket, outcome, latency)------------------->
 *
 *     ttb_router shared, mine;
 *     ttb_router_config c = TTB_CONFIG(ttb_router_config);
 *     c.max_lag_ms = 5000;
 *     if (ttb_router_new(&shared, &c, NULL) < 0) return 1;
 *     if (ttb_router_join(&shared, (uint64_t)getpid(), &mine) < 0) return 1;
 *     ...
 *     int64_t t = ttb_router_read(&mine, NULL, now_ns);
 *     if (t < 0) return refuse(ttb_strerror((int32_t)t));
 *     rows = query(connections[ttb_ticket_slot(t)], "SELECT ...");
 *     ttb_router_report(&mine, t, rows ? TTB_SUCCESS : TTB_FAILURE, latency_ns, now_ns);
 *
 * ## Which nodes may be picked
 *
 * A node may be picked if its last observation is not older than ttl_ms, said
 * it is healthy or degraded, and it is not being drained; a replica only if its
 * lag is known and not above max_lag_ms. The *mode* then says who is wanted
 * (the read preferences of the MongoDB drivers; "secondary" is their word for
 * replica):
 *
 *     TTB_READ_REPLICA_PREFERRED  the replicas; if none may be picked, the primary (default)
 *     TTB_READ_REPLICA            the replicas, or TTB_TOO_STALE / TTB_NO_ENDPOINT
 *     TTB_READ_PRIMARY            the primary, or TTB_NO_PRIMARY; the same as a write
 *     TTB_READ_PRIMARY_PREFERRED  the primary; if there is none, the replicas
 *     TTB_READ_NEAREST            primary and replicas alike
 *
 * Within the wanted role healthy nodes come before degraded ones, and nodes on
 * the caller's `avoid` mask (those that just failed a try) come last of all.
 * What is left is cut to the *latency window*: nodes whose average round trip
 * is within window_us of the fastest. Of these two are drawn at random, in
 * proportion to their weights, and the one with fewer calls in flight for its
 * weight takes the call (Mitzenmacher's two choices; the "server selection"
 * specification of the MongoDB drivers).
 *
 * A *peer* is a node of a flat tier in which all are equal (SQL proxies,
 * mongos, a multi-writer cluster): it takes reads and writes in every mode, and
 * lag does not concern it.
 *
 * ## Lag and age
 *
 * Lag is what monitoring measured, age is how long ago. A read sees data at the
 * most max_lag_ms + ttl_ms old; with #TTB_ROUTER_COUNT_AGE the age counts as
 * lag, and the bound is max_lag_ms itself. A lag that could not be measured
 * (NULL, no row, replication not running) is not zero: report -1.
 *
 * With hard_lag_ms, when fewer than min_replicas replicas are within
 * max_lag_ms, the least late ones up to hard_lag_ms fill up (the rule of
 * Vitess' tablet filter). A bound given by the call is never relaxed.
 *
 * ## Two primaries
 *
 * Each observation carries the *epoch* of what it saw: PostgreSQL's timeline,
 * a Raft term, an election number; 0 where there is none. The router remembers
 * the highest it ever saw. A node that claims to be primary under a lower one
 * is *fenced*: it gets neither writes nor reads, and observe says TTB_STALE.
 * If two nodes claim the same epoch, `claims` decides:
 *
 *     TTB_ROUTER_CONFLICT    nobody is primary until one yields, expires, is
 *                            seen unhealthy, or a higher epoch comes (default)
 *     TTB_ROUTER_LAST_CLAIM  the newer claim wins (the rule of the MongoDB
 *                            drivers; safe only where epochs never repeat)
 *
 * A fence here stops this router's callers. It does not stop the old primary
 * from taking writes of others.
 *
 * ## Threads, processes
 *
 * Workers `join`: their handle belongs to one thread and carries its row, its
 * random state and its in-flight counts. Monitoring may use any handle. After
 * the death of a process a survivor calls `recover`. At most 64 nodes: a thread
 * looks at each of them when something was observed or changed, and once a
 * millisecond; picks in between look only at the node they take.
 */
#ifndef TRIMTAB_ROUTER_H
#define TRIMTAB_ROUTER_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. One made by ttb_router_join belongs to its thread;
 *  others may be shared by threads. */
typedef struct ttb_router {
  uint64_t opaque[64]; /**< private */
} ttb_router;

/** Nodes a table may have at the most: a mask of them is one uint64. */
#define TTB_ROUTER_MAX_NODES 64
/** Largest epoch; 44 bits hold milliseconds since 1970, too. */
#define TTB_ROUTER_MAX_EPOCH ((UINT64_C(1) << 44) - 1)
/** Lag that could not be measured. */
#define TTB_ROUTER_LAG_UNKNOWN (-1)

/** @name Roles of a node
 *  @{ */
#define TTB_ROLE_UNKNOWN 0 /**< never seen, unreachable, or none of these: is never picked */
#define TTB_ROLE_PRIMARY 1 /**< takes writes */
#define TTB_ROLE_REPLICA 2 /**< follows the primary */
#define TTB_ROLE_PEER 3    /**< one of a flat tier: takes anything */
/** @} */

/** @name Modes of a read
 *  @{ */
#define TTB_READ_REPLICA_PREFERRED 1 /**< replicas, else the primary (default) */
#define TTB_READ_REPLICA 2           /**< replicas only */
#define TTB_READ_PRIMARY 3           /**< the primary only */
#define TTB_READ_PRIMARY_PREFERRED 4 /**< the primary, else replicas */
#define TTB_READ_NEAREST 5           /**< whoever is near */
/** @} */

/** @name What to do when two nodes claim one epoch
 *  @{ */
#define TTB_ROUTER_CONFLICT 1   /**< no primary until it is settled (default) */
#define TTB_ROUTER_LAST_CLAIM 2 /**< the newer claim wins */
/** @} */

/** @name Flags of a configuration
 *  @{ */
#define TTB_ROUTER_COUNT_AGE 1u    /**< the age of an observation counts as lag */
#define TTB_ROUTER_RTT_REPORTED 2u /**< the window looks at reported latencies, not at observed
                                        round trips */
#define TTB_ROUTER_TICKETS_MOVE 4u /**< another thread or process than the one that got a
                                        ticket may report it */
/** @} */

/** @name Why a node cannot be picked now (ttb_router_node.why), in this order
 *  @{ */
#define TTB_ROUTER_MAY_BE_PICKED 0 /**< it can */
#define TTB_ROUTER_NO_ROLE 1       /**< never observed, or as TTB_ROLE_UNKNOWN */
#define TTB_ROUTER_EXPIRED 2       /**< its observation is older than ttl_ms */
#define TTB_ROUTER_UNHEALTHY 3     /**< it was seen unhealthy or stale */
#define TTB_ROUTER_FENCED 4        /**< it claims to be primary under an older epoch, or a newer
                                        claim won */
#define TTB_ROUTER_CONFLICTING 5   /**< another claims to be primary under the same epoch */
#define TTB_ROUTER_DRAINING 6      /**< it is being drained */
#define TTB_ROUTER_LAGGING 7       /**< its lag is above the bound, or unknown */
#define TTB_ROUTER_UNWANTED 8      /**< the mode does not want its role */
#define TTB_ROUTER_AVOIDED 9       /**< it is on the avoid mask and another was found */
#define TTB_ROUTER_OUTRANKED 10    /**< the mode prefers another role, and one was found */
#define TTB_ROUTER_DEGRADED 11     /**< it is degraded and a healthy one was found */
#define TTB_ROUTER_FAR 12          /**< it is outside of the latency window */
/** @} */

/** What a router shall do. Start with TTB_CONFIG. */
typedef struct ttb_router_config {
  uint32_t struct_size;  /**< sizeof(ttb_router_config) */
  uint32_t capacity;     /**< nodes in the table, 1..64; default 16 */
  uint32_t threads;      /**< threads that may join at once, 1..254; default 64 */
  uint32_t mode;         /**< TTB_READ_*; default TTB_READ_REPLICA_PREFERRED */
  uint32_t claims;       /**< TTB_ROUTER_CONFLICT (default) or TTB_ROUTER_LAST_CLAIM */
  uint32_t flags;        /**< TTB_ROUTER_COUNT_AGE, ...; default none */
  int32_t max_lag_ms;    /**< lag of a replica, 1..16777214, TTB_OFF: any; default 30000 */
  int32_t hard_lag_ms;   /**< see "Lag and age", max_lag_ms..16777214, TTB_OFF; default TTB_OFF */
  uint32_t min_replicas; /**< replicas that hard_lag_ms fills up to, 1..64; default 2 */
  int32_t ttl_ms;        /**< life of an observation, 1..86400000, TTB_OFF: any; default 30000 */
  int32_t window_us;     /**< latency window, 1..60000000, TTB_OFF: none; default 15000 */
  uint32_t reserved;     /**< 0 */
  uint64_t seed;         /**< of the random draws; any */
} ttb_router_config;

/** What monitoring saw of a node. Start with TTB_CONFIG. */
typedef struct ttb_router_observation {
  uint32_t struct_size; /**< sizeof(ttb_router_observation) */
  uint32_t role;        /**< TTB_ROLE_* */
  uint32_t status;      /**< TTB_STATUS_*; 0 means TTB_STATUS_HEALTHY: it has answered */
  uint32_t reserved;    /**< 0 */
  int64_t lag_ms;       /**< of a replica, ms; negative: unknown. 0 is no lag, not "unknown" */
  int64_t rtt_ns;       /**< round trip of this look, ns, up to 2^43; 0: not measured */
  uint64_t epoch;       /**< 0..TTB_ROUTER_MAX_EPOCH; 0: none */
  uint64_t position;    /**< log position it has reached; kept for explain */
} ttb_router_observation;

/** What a read wants. All zero is the configuration's choice. */
typedef struct ttb_router_wants {
  uint32_t struct_size; /**< sizeof(ttb_router_wants) */
  uint32_t mode;        /**< TTB_READ_*; 0: the configuration's */
  int32_t max_lag_ms;   /**< 1..16777214, TTB_OFF: any; 0: the configuration's */
  uint32_t reserved;    /**< 0 */
  uint64_t avoid;       /**< bit i: take slot i only if nothing else will do (retries) */
} ttb_router_wants;

/** One node, as ttb_router_explain sees it. */
typedef struct ttb_router_node {
  uint32_t struct_size; /**< sizeof(ttb_router_node): the stride of an array of them */
  uint32_t slot;        /**< which slot */
  uint64_t id;          /**< the caller's name for it */
  int32_t role;         /**< TTB_ROLE_*, as observed */
  int32_t status;       /**< TTB_STATUS_*; TTB_STATUS_STALE past ttl_ms */
  int32_t why;          /**< TTB_ROUTER_MAY_BE_PICKED, or the first reason why not */
  uint32_t weight;      /**< 1..65535 */
  uint32_t in_flight;   /**< tickets out */
  uint32_t failures;    /**< failures reported, modulo 2^32 */
  int64_t lag_ms;       /**< as observed; -1: unknown */
  int64_t age_ms;       /**< of the observation; -1: none yet */
  int64_t rtt_ns;       /**< average of the observed round trips; -1: none */
  int64_t latency_ns;   /**< average of the reported latencies; -1: none */
  uint64_t epoch;       /**< as observed */
  uint64_t position;    /**< as observed */
} ttb_router_node;

/** What concerns the whole table. */
typedef struct ttb_router_stats {
  uint32_t struct_size;     /**< sizeof(ttb_router_stats) */
  uint32_t capacity;        /**< nodes it can hold */
  uint32_t nodes;           /**< nodes it holds */
  uint32_t joined;          /**< rows taken by threads */
  uint64_t epoch;           /**< the highest epoch seen */
  uint64_t no_primary;      /**< refused with TTB_NO_PRIMARY */
  uint64_t too_stale;       /**< refused with TTB_TOO_STALE */
  uint64_t no_endpoint;     /**< refused with TTB_NO_ENDPOINT */
  uint64_t fallbacks;       /**< reads that went to their second choice of role */
  uint64_t fenced;          /**< observations of an older epoch */
  uint64_t stale;           /**< reports of stale or foreign tickets */
  uint64_t clock_adoptions; /**< jumps of the clock beyond the ordinary */
} ttb_router_stats;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field, or hard_lag_ms
 *         below max_lag_ms); TTB_ERR_UNSUPPORTED (a field this library does not
 *         know)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_check(const ttb_router_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_router_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_router_size(const ttb_router_config *config);

/**
 * @brief Makes an empty table in memory the caller owns.
 *
 * The memory is exclusive until this returns; no byte of it is trusted.
 * @param ret_router the handle
 * @param mem        the region, on a multiple of TTB_ALIGN
 * @param size       bytes there
 * @param config     what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_router_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_router_init(ttb_router *ret_router, void *mem, uint64_t size,
                                              const ttb_router_config *config);

/**
 * @brief Makes a handle to a table that another process (or mapping) made.
 * @param ret_router the handle
 * @param mem        the region, on a multiple of TTB_ALIGN; any address
 * @param size       bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_router_attach(ttb_router *ret_router, void *mem, uint64_t size);

/**
 * @brief Makes a table in memory of its own: one allocation, then init.
 * @param ret_router the handle
 * @param config     what it shall do
 * @param allocator  where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_router_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_router_new(ttb_router *ret_router,
                                             const ttb_router_config *config,
                                             const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_router_new took, leaves the
 *        row of a joined one (its tickets are stale then), and clears it.
 * @param router the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_router_free(ttb_router *router);

/**
 * @brief Makes a thread's own handle: the one that reads, writes, reports, adds
 *        and removes.
 * @param shared     a handle to the table
 * @param token      the process, 1..TTB_MAX_TOKEN (see base.h)
 * @param ret_joined the thread's handle; end it with ttb_router_free
 * @return TTB_OK; TTB_ERR_MISUSE (also: both handles
 *         the same); TTB_ERR_RANGE (token); TTB_ERR_NOSPACE (all
 *         rows taken: raise `threads`, or recover the dead)
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_router_join(const ttb_router *shared, uint64_t token,
                                              ttb_router *ret_joined);

/**
 * @brief Takes back what a dead process held: its rows, their in-flight counts,
 *        and the owner lock if it had it.
 *
 * The caller states that the process is dead; nothing here can check that.
 * Idempotent; if the recovering process dies in the middle, recover that too.
 * @param joined the caller's own handle
 * @param token  the dead process; not the caller's
 * @return rows freed (0 or more); TTB_ERR_MISUSE (not joined, own token);
 *         TTB_ERR_RANGE (token)
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_recover(ttb_router *joined, uint64_t token);

/**
 * @brief Adds a node. It is picked once it has been observed.
 * @param joined   the caller's own handle
 * @param endpoint its id (not 0) and weight
 * @return its slot, 0..capacity-1; TTB_ERR_DUPLICATE; TTB_ERR_NOSPACE (no slot
 *         that nothing is in flight on); TTB_AGAIN (another is changing the
 *         table); TTB_ERR_MISUSE; TTB_ERR_RANGE (id, weight);
 *         TTB_ERR_UNSUPPORTED
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_add(ttb_router *joined, const ttb_endpoint *endpoint);

/**
 * @brief Removes a node. Tickets out on it may still be reported; its slot is
 *        used again when none is left.
 * @param joined the caller's own handle
 * @param id     which node
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_AGAIN (another is changing the table);
 *         TTB_ERR_MISUSE
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_remove(ttb_router *joined, uint64_t id);

/**
 * @brief Makes the table hold exactly these nodes: those that stay keep slot,
 *        observation and counts, others go, new ones come.
 * @param joined    the caller's own handle
 * @param endpoints n nodes of equal struct_size; may be NULL if n is 0
 * @param n         how many, 0..capacity
 * @return how many came or went; TTB_AGAIN (another is changing the table, or
 *         tickets still out hold a slot: call again, what could be done is
 *         done); with nothing changed: TTB_ERR_MISUSE; TTB_ERR_RANGE;
 *         TTB_ERR_DUPLICATE; TTB_ERR_NOSPACE; TTB_ERR_UNSUPPORTED
 * @threads the handle's thread @progress owner lock @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_set(ttb_router *joined, const ttb_endpoint *endpoints, uint32_t n);

/**
 * @brief Takes a node out for new calls, or lets it in again, whatever
 *        monitoring sees of it.
 * @param router the handle
 * @param id     which node
 * @param on     1 to drain, 0 to end it
 * @return TTB_OK; TTB_ERR_UNKNOWN_ID; TTB_ERR_RANGE (on); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_drain(ttb_router *router, uint64_t id, uint32_t on);

/**
 * @brief The slot of a node, for callers that index their own arrays by it.
 * @param router the handle
 * @param id     which node
 * @return 0..capacity-1; TTB_ERR_UNKNOWN_ID; TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_find(const ttb_router *router, uint64_t id);

/**
 * @brief Says what monitoring saw of a node. Any thread or process may.
 *
 * Also the right call when a worker learns something the hard way: a write
 * refused as "read-only" is an observation of a replica.
 * @param router      the handle
 * @param id          which node
 * @param observation what was seen
 * @param now_ns      when, ns
 * @return TTB_OK; TTB_STALE (a claim to be primary under an older epoch than
 *         one seen: noted, fenced, counted); TTB_ERR_UNKNOWN_ID; TTB_ERR_RANGE
 *         (role, status, rtt, epoch); TTB_ERR_MISUSE; TTB_ERR_UNSUPPORTED
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_observe(ttb_router *router, uint64_t id,
                                   const ttb_router_observation *observation, uint64_t now_ns);

/**
 * @brief ttb_router_observe for n nodes, in order, at one time.
 * @param router       the handle
 * @param ids          n nodes; may be NULL if n is 0
 * @param observations n observations of equal struct_size
 * @param n            how many, 0..2^31-1
 * @param now_ns       when, ns
 * @param ret_codes    n results as of ttb_router_observe; may be NULL
 * @return how many were taken (TTB_OK); TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_observe_n(ttb_router *router, const uint64_t *ids,
                                     const ttb_router_observation *observations, uint32_t n,
                                     uint64_t now_ns, int32_t *ret_codes);

/**
 * @brief Sets the highest epoch by hand: after a restore to an older one, or to
 *        fence a primary before monitoring has seen its successor.
 * @param router the handle
 * @param epoch  0..TTB_ROUTER_MAX_EPOCH
 * @return TTB_OK; TTB_ERR_RANGE; TTB_ERR_MISUSE
 * @threads any @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_set_epoch(ttb_router *router, uint64_t epoch);

/**
 * @brief Asks where a write goes: to the primary of the highest epoch (or to a
 *        peer).
 * @param joined the thread's handle
 * @param now_ns the time, ns
 * @return a ticket (0 or more): send the write to ttb_ticket_slot of it, then
 *         report; TTB_NO_PRIMARY (none, two, expired, unhealthy: see explain);
 *         TTB_AGAIN (the table changed under each try); TTB_ERR_MISUSE (not
 *         joined)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_router_write(ttb_router *joined, uint64_t now_ns);

/**
 * @brief Asks where a read goes.
 * @param joined the thread's handle
 * @param wants  mode, lag bound, nodes to avoid; NULL for the configuration's
 * @param now_ns the time, ns
 * @return a ticket (0 or more); TTB_TOO_STALE (a replica was there, but none
 *         within the bound); TTB_NO_PRIMARY (mode TTB_READ_PRIMARY);
 *         TTB_NO_ENDPOINT; TTB_AGAIN (the table changed under each try);
 *         TTB_ERR_MISUSE (not joined); TTB_ERR_RANGE, TTB_ERR_UNSUPPORTED (wants)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_router_read(ttb_router *joined, const ttb_router_wants *wants,
                                uint64_t now_ns);

/**
 * @brief n reads of one kind, in order, at one time.
 * @param joined      the thread's handle
 * @param wants       as of ttb_router_read
 * @param n           how many, 0..2^31-1
 * @param now_ns      the time, ns
 * @param ret_tickets n tickets or codes
 * @return how many tickets; TTB_ERR_MISUSE (not joined, NULL, n); TTB_ERR_RANGE,
 *         TTB_ERR_UNSUPPORTED (wants)
 * @threads the handle's thread @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_read_n(ttb_router *joined, const ttb_router_wants *wants, uint32_t n,
                                  uint64_t now_ns, int64_t *ret_tickets);

/**
 * @brief Says how the call of a ticket ended.
 * @param joined     the handle that got the ticket; with
 *                   TTB_ROUTER_TICKETS_MOVE any joined one
 * @param ticket     what read or write returned
 * @param outcome    TTB_SUCCESS, TTB_FAILURE, TTB_SLOW, TTB_IGNORED,
 *                   TTB_CANCELLED
 * @param latency_ns how long it took, ns; 0: not measured. Counts for
 *                   TTB_SUCCESS and TTB_SLOW
 * @param now_ns     the time, ns
 * @return TTB_OK; TTB_STALE (foreign, of a left row or a slot used anew, or
 *         reported twice; counted, nothing changed); TTB_ERR_MISUSE (handle,
 *         negative ticket); TTB_ERR_RANGE (slot, outcome). A second report is
 *         noticed only when the row has nothing else in flight on that node:
 *         report each ticket once
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_report(ttb_router *joined, int64_t ticket, int32_t outcome,
                                  uint64_t latency_ns, uint64_t now_ns);

/**
 * @brief ttb_router_report for n tickets, in order, at one time.
 * @param joined       the handle
 * @param tickets      n tickets; negative ones (refusals) are passed over
 * @param outcomes     n outcomes
 * @param latencies_ns n latencies; NULL: none measured
 * @param n            how many, 0..2^31-1
 * @param now_ns       the time, ns
 * @param ret_codes    n results as of ttb_router_report; may be NULL
 * @return how many were counted (TTB_OK); TTB_ERR_MISUSE
 * @threads the handle's thread @progress lock-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_report_n(ttb_router *joined, const int64_t *tickets,
                                    const int32_t *outcomes, const uint64_t *latencies_ns,
                                    uint32_t n, uint64_t now_ns, int32_t *ret_codes);

/**
 * @brief One row a node: what is known of it, and why a read would pass it over.
 *        Takes nothing. For a write ask with mode TTB_READ_PRIMARY.
 * @param router    the handle
 * @param wants     as of ttb_router_read
 * @param now_ns    the time, ns
 * @param ret_nodes n rows of equal struct_size, in order of slot; NULL if n is 0
 * @param n         rows there, 0..64
 * @return how many nodes there are (rows beyond n are not written);
 *         TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size, n, wants);
 *         TTB_ERR_UNSUPPORTED (wants)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_explain(const ttb_router *router, const ttb_router_wants *wants,
                                   uint64_t now_ns, ttb_router_node *ret_nodes, uint32_t n);

/**
 * @brief Counters of the whole table.
 * @param router    the handle
 * @param ret_stats filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_statistics(const ttb_router *router, ttb_router_stats *ret_stats);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 observation, 2 wants, 3 node, 4 stats
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_router_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
