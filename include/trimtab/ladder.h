/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/ladder.h
 * @brief What to serve when the best cannot be had: primary, cached, fallback,
 *        or an honest no.
 *
 * A degradation ladder answers one question a request: where shall the answer
 * come from? It calls nothing; it is told plain facts and names a rung.
 *
 *     TTB_LADDER_PRIMARY   ask the real thing
 *     TTB_LADDER_CACHED    serve what was kept, though it is old
 *     TTB_LADDER_FALLBACK  serve something simple that always works (popular items)
 *     TTB_LADDER_REFUSE    say no at once
 *
 *     ttb_ladder_ask ask = {.importance = 1};
 *     int64_t t = ttb_breaker_acquire(&recommender, 0, now_ns);
 *     ask.primary = t < 0 ? (int32_t)t : 0;
 *     if (find(cache, user, &age_ms)) ask.flags |= TTB_LADDER_HAS_CACHED, ask.cache_age_ms = age_ms;
 *     ask.flags |= TTB_LADDER_HAS_FALLBACK;
 *     switch (ttb_ladder_serve(&l, &ask, now_ns, NULL)) {
 *       case TTB_LADDER_PRIMARY: ...         // if that fails: ask.primary = TTB_FAILURE, and again
 *
 * (A ticket that is not used after all is given back with TTB_CANCELLED.)
 *
 * ## Two reasons to leave the primary
 *
 *  - **It cannot**: `primary` is a refusal (TTB_OPEN, TTB_LIMIT, TTB_NO_ENDPOINT,
 *    ...: any negative code) or the call was made and failed (TTB_FAILURE). Then
 *    an old answer is better than none: a cached one is served up to
 *    stale_error_ms old (stale-if-error of RFC 5861).
 *  - **It should be spared**: there is too much to do, and this request is not
 *    among the most important. Then a cached answer is served up to
 *    stale_brownout_ms old.
 *
 * In both, what comes next is the fallback, if there is one, and then a refusal.
 *
 * ## Brownout
 *
 * The ladder keeps a level, 0 to 3, from the utilisation that somebody measures
 * and tells it (ttb_ladder_observe; queue length over its limit, busy workers,
 * CPU: anything of which 1,000,000 means full). At level k the k least important
 * classes of requests are kept away from the primary; importance 0 never is
 * (criticality of the Google SRE book, chapter 21; "brownout" of C. Klein et al.,
 * "Brownout: building more robust cloud applications", ICSE 2014).
 *
 *     level    kept away       enters at      leaves
 *       1      importance 3    up_1_ppm       below up_1_ppm - gap_ppm for hold_ms
 *       2      2 and 3         up_2_ppm       below up_2_ppm - gap_ppm for hold_ms
 *       3      1, 2 and 3      up_3_ppm       below up_3_ppm - gap_ppm for hold_ms
 *
 * It rises at once, several levels if need be, and falls one level a hold_ms: it
 * does not flap around a threshold. If nobody has measured for expire_ms the
 * level counts as 0: a dead monitor must not darken a service.
 *
 * ## Several processes
 *
 * Give `init` a shared mapping and let the others `attach`: all have one level,
 * whoever measures. The level and since when it could fall are one word, changed
 * by one compare-and-swap; a process killed anywhere leaves it whole.
 */
#ifndef TRIMTAB_LADDER_H
#define TRIMTAB_LADDER_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle; see base.h. May be used by several threads at once. */
typedef struct ttb_ladder {
  uint64_t opaque[16]; /**< private */
} ttb_ladder;

/** @name Rungs: what to serve
 *  @{ */
#define TTB_LADDER_PRIMARY 1  /**< the real thing */
#define TTB_LADDER_CACHED 2   /**< the kept answer */
#define TTB_LADDER_FALLBACK 3 /**< the simple one */
#define TTB_LADDER_REFUSE 4   /**< none */
/** @} */

/** @name Why not the primary (ttb_ladder_answer.reason)
 *  @{ */
#define TTB_LADDER_NORMAL 0   /**< it is the primary */
#define TTB_LADDER_REFUSED 1  /**< the primary's own guard said no */
#define TTB_LADDER_FAILED 2   /**< it was called and failed */
#define TTB_LADDER_BROWNOUT 3 /**< it is spared */
/** @} */

/** @name Why not the cached answer (ttb_ladder_answer.cache)
 *  @{ */
#define TTB_LADDER_CACHE_UNASKED 0 /**< it is served, or the primary is */
#define TTB_LADDER_CACHE_NONE 1    /**< there is none */
#define TTB_LADDER_CACHE_STALE 2   /**< it is too old */
/** @} */

/** @name What is at hand (ttb_ladder_ask.flags)
 *  @{ */
#define TTB_LADDER_HAS_CACHED 1u   /**< a kept answer, cache_age_ms old */
#define TTB_LADDER_HAS_FALLBACK 2u /**< a simple answer */
/** @} */

/** The levels and bounds of a ladder. Start with TTB_CONFIG. */
typedef struct ttb_ladder_config {
  uint32_t struct_size;      /**< sizeof(ttb_ladder_config) */
  int32_t up_1_ppm;          /**< level 1 from this utilisation, 1..1000000000, TTB_OFF; default 800000 */
  int32_t up_2_ppm;          /**< level 2, above up_1_ppm, TTB_OFF; default 900000, off if level 1 is */
  int32_t up_3_ppm;          /**< level 3, above up_2_ppm, TTB_OFF; default 950000, off if level 2 is */
  int32_t gap_ppm;           /**< how far below it may fall, 1..1000000000, below up_1_ppm; TTB_OFF (0);
                                  default 100000 */
  int32_t hold_ms;           /**< how long it must be below, 1..3600000, TTB_OFF (0); default 5000 */
  int32_t expire_ms;         /**< life of a measurement, 1..3600000, TTB_OFF (for ever); default 10000 */
  int32_t stale_brownout_ms; /**< age of a cached answer while the primary is spared, 1..2000000000,
                                  TTB_OFF (none is served); default 60000 */
  int32_t stale_error_ms;    /**< age while the primary cannot, 1..2000000000, TTB_OFF; default 3600000 */
  uint32_t reserved;         /**< 0 */
} ttb_ladder_config;

/** A request. Frozen: 24 bytes. Zeros: most important, primary can, nothing else at hand. */
typedef struct ttb_ladder_ask {
  uint32_t flags;        /**< TTB_LADDER_HAS_* */
  uint32_t importance;   /**< 0 (never kept away) .. 3 (first to go) */
  int32_t primary;       /**< 0: it may be asked; a negative code: its guard refuses; TTB_FAILURE
                              (any positive outcome): it was asked and failed */
  uint32_t reserved;     /**< 0 */
  int64_t cache_age_ms;  /**< how old the kept answer is, ms; below 0 counts as 0 */
} ttb_ladder_ask;

/** The answer and why. Frozen: 16 bytes. */
typedef struct ttb_ladder_answer {
  int32_t rung;   /**< TTB_LADDER_PRIMARY, ... */
  int32_t reason; /**< why not the primary: TTB_LADDER_NORMAL, ... */
  int32_t cache;  /**< why not the cached one: TTB_LADDER_CACHE_* */
  int32_t level;  /**< brownout level, 0..3 */
} ttb_ladder_answer;

/** The level, and where it comes from. */
typedef struct ttb_ladder_info {
  uint32_t struct_size;    /**< sizeof(ttb_ladder_info) */
  int32_t level;           /**< brownout level, 0..3 */
  int64_t utilisation_ppm; /**< last measured, ppm; -1 if nobody has, or too long ago */
  int64_t measured_ms;     /**< how long ago, ms; -1 if never */
  int64_t falls_in_ms;     /**< when the level would fall if nothing changed, ms; -1: it would not */
} ttb_ladder_info;

/**
 * @brief Checks a configuration and says what is wrong with it.
 * @param config     what to check
 * @param ret_detail filled in (TTB_OK or the fault); may be NULL
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (a field; levels that do
 *         not ascend; a gap that reaches below nothing); TTB_ERR_UNSUPPORTED
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ladder_check(const ttb_ladder_config *config, ttb_detail *ret_detail);

/**
 * @brief Bytes a region needs.
 * @param config what it shall do
 * @return a multiple of 64, or the error ttb_ladder_check would give
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int64_t ttb_ladder_size(const ttb_ladder_config *config);

/**
 * @brief Makes a ladder at level 0 in memory the caller owns.
 * @param ret_ladder the handle
 * @param mem        the region, on a multiple of TTB_ALIGN; exclusive until this returns
 * @param size       bytes there
 * @param config     what it shall do; copied
 * @return TTB_OK; TTB_ERR_MISUSE (NULL, misaligned); TTB_ERR_NOSPACE; or as
 *         ttb_ladder_check
 * @threads exclusive @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_ladder_init(ttb_ladder *ret_ladder, void *mem, uint64_t size,
                                              const ttb_ladder_config *config);

/**
 * @brief Makes a handle to a ladder that another process (or mapping) made.
 * @param ret_ladder the handle
 * @param mem        the region, on a multiple of TTB_ALIGN; any address
 * @param size       bytes mapped there
 * @return TTB_OK; TTB_AGAIN (not made yet, or being made); TTB_ERR_MISUSE;
 *         TTB_ERR_NOSPACE (mapped short); TTB_ERR_CORRUPT; TTB_ERR_VERSION;
 *         TTB_ERR_MISMATCH (another kind of object)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_ladder_attach(ttb_ladder *ret_ladder, void *mem, uint64_t size);

/**
 * @brief Makes a ladder in memory of its own: one allocation, then init.
 * @param ret_ladder the handle
 * @param config     what it shall do
 * @param allocator  where the memory comes from; NULL for the C library's
 * @return TTB_OK; TTB_ERR_NOMEM; TTB_ERR_MISUSE; or as ttb_ladder_check
 * @threads any @progress as the allocator @alloc once @since 0.1
 */
TTB_API TTB_NODISCARD int32_t ttb_ladder_new(ttb_ladder *ret_ladder,
                                             const ttb_ladder_config *config,
                                             const ttb_allocator *allocator);

/**
 * @brief Ends a handle: gives back the memory ttb_ladder_new took, and clears it.
 * @param ladder the handle; NULL or a cleared one is a no-op
 * @threads exclusive (the handle) @progress wait-free @alloc none @since 0.1
 */
TTB_API void ttb_ladder_free(ttb_ladder *ladder);

/**
 * @brief Tells the ladder how busy things are.
 *
 * Any process may, several a second; of several at one moment one counts.
 * @param ladder          the handle
 * @param utilisation_ppm measured, 0..2^31-1 ppm; 1000000 is full
 * @param now_ns          the time, ns
 * @return the level now, 0..3; TTB_ERR_MISUSE (handle); TTB_ERR_RANGE (below 0)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ladder_observe(ttb_ladder *ladder, int32_t utilisation_ppm, uint64_t now_ns);

/**
 * @brief Says what to serve. Changes nothing.
 * @param ladder     the handle
 * @param ask        the request and what is at hand
 * @param now_ns     the time, ns
 * @param ret_answer the same with the reasons; may be NULL
 * @return TTB_LADDER_PRIMARY .. TTB_LADDER_REFUSE; TTB_ERR_MISUSE (handle, NULL);
 *         TTB_ERR_RANGE (importance); TTB_ERR_UNSUPPORTED (flags, reserved)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ladder_serve(const ttb_ladder *ladder, const ttb_ladder_ask *ask,
                                 uint64_t now_ns, ttb_ladder_answer *ret_answer);

/**
 * @brief The level and why it is what it is.
 * @param ladder   the handle
 * @param now_ns   the time, ns
 * @param ret_info filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_MISUSE; TTB_ERR_RANGE (struct_size)
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ladder_explain(const ttb_ladder *ladder, uint64_t now_ns,
                                   ttb_ladder_info *ret_info);

/**
 * @brief The structs of this header as the library sees them, for bindings.
 * @param which     0 config, 1 ask, 2 answer, 3 info
 * @param index     field, from 0
 * @param ret_field filled in; its struct_size must be set
 * @return TTB_OK; TTB_ERR_RANGE (past the end); TTB_ERR_MISUSE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ladder_field(uint32_t which, uint32_t index, ttb_field *ret_field);

#ifdef __cplusplus
}
#endif

#endif
