/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/base.h
 * @brief What every module of trimtab shares: codes, tickets, endpoints,
 *        configuration structs and the allocator.
 *
 * trimtab decides and never does I/O. The caller owns sockets, threads, timers,
 * memory and the clock. Six nouns are enough to read every header:
 *
 *  - **region**: relocatable memory the caller owns (heap, static, or a shared
 *    mapping). It holds data only: no pointer, no lock of the operating system.
 *    It must lie on a multiple of #TTB_ALIGN. Sizes are multiples of 64. Its
 *    bytes mean the same to a 32-bit and a 64-bit process of one byte order.
 *  - **object**: what a region holds: a balancer, a breaker, ... Every object
 *    is a table of slots that share one configuration.
 *  - **slot**: one row of the table: an endpoint, a breaker, a health target.
 *    A slot keeps its number as long as its endpoint lives, so callers index
 *    their own arrays by it.
 *  - **handle**: a process-private key to an object (`ttb_breaker`, ...). Its
 *    size is frozen; it lives where the caller likes; it is never shared
 *    between processes. Everything a hot call needs to find its way is copied
 *    and checked once, when the handle is made, so a neighbour process that
 *    scribbles over the region can make decisions bad but never memory unsafe.
 *  - **ticket**: what `acquire` returns and `report` ends: 63 bits, no memory
 *    behind it. Losing one loses nothing but its outcome.
 *  - **flip**: how tables are replaced under readers (see docs/memory.md).
 *
 * ## Life of an object
 *
 *     ttb_X_size(config)                bytes, or a negative error
 *     ttb_X_init(ret, mem, size, cfg)   makes an object in exclusive memory
 *     ttb_X_attach(ret, mem, size)      another process, another mapping
 *     ttb_X_new(ret, cfg, allocator)    one aligned allocation, then init
 *     ttb_X_free(handle)                gives back what new took; of any other
 *                                       handle it only clears the handle
 *
 * After init nothing allocates.
 *
 * ## Configuration
 *
 * Structs begin with `struct_size` and are only ever appended to.
 * `TTB_CONFIG(type)` starts one in C and in C++. 0 always means the default; a
 * field for which zero is a real choice is signed and takes #TTB_OFF for it.
 * Ratios are parts per million in int32, units stand in the name. A value out
 * of range is an error, never clamped. A field an older library does not know
 * must be zero, else #TTB_ERR_UNSUPPORTED: a newer program never silently loses
 * a setting (the rule of Linux' copy_struct_from_user).
 *
 * ## Codes
 *
 * A negative int32 (or int64) return is a code. -1..-99 are errors: the call
 * was wrong and nothing happened. -100 and below are outcomes: the call was
 * right and the answer is no. Numbers are never reused. Outputs (`ret_x`) are
 * untouched on failure.
 *
 * ## Time
 *
 * `now_ns` is nanoseconds of a monotonic clock that all users of a region
 * share (CLOCK_MONOTONIC, or a virtual clock in tests). See docs/memory.md for
 * what happens when it jumps.
 *
 * ## Threads
 *
 * Each function says who may call it (`@threads`) and what it promises
 * (`@progress`): "wait-free" ends in a bounded number of own steps, "lock-free"
 * means that some caller always finishes, "owner lock" means that one writer at
 * a time gets through and the others get #TTB_AGAIN, never wait.
 */
#ifndef TRIMTAB_BASE_H
#define TRIMTAB_BASE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library this header belongs to. */
#define TTB_VERSION_MAJOR 0
#define TTB_VERSION_MINOR 1
#define TTB_VERSION_PATCH 0
#define TTB_VERSION "0.1.0"

/** Version of the region formats. Two libraries share a region only if this
 *  and the layout hash of the object are equal. */
#define TTB_ABI 1

#if defined(TTB_BUILD_SHARED) && defined(__GNUC__)
#define TTB_API __attribute__((visibility("default")))
#else
#define TTB_API
#endif

#if defined(__GNUC__)
#define TTB_NODISCARD __attribute__((warn_unused_result))
#else
#define TTB_NODISCARD
#endif

/** Regions must lie on a multiple of this many bytes. */
#define TTB_ALIGN 64

/** "Off", for signed fields whose 0 means the default. */
#define TTB_OFF (-1)

/** A configuration (or output) struct with its size set and the rest zero:
 *  `ttb_breaker_config c = TTB_CONFIG(ttb_breaker_config);` */
#ifdef __cplusplus
extern "C++" {
namespace trimtab_detail {
template <class T> inline T config() {
  T t = T();
  t.struct_size = static_cast<uint32_t>(sizeof(T));
  return t;
}
}
}
#define TTB_CONFIG(type) (::trimtab_detail::config<type>())
#else
#define TTB_CONFIG(type) ((type){.struct_size = (uint32_t)sizeof(type)})
#endif

/** @name Errors: the call was wrong, nothing happened
 *  @{ */
#define TTB_OK 0                   /**< done */
#define TTB_ERR_MISUSE (-1)        /**< NULL, a dead handle, a call that makes no sense */
#define TTB_ERR_NOMEM (-2)         /**< the allocator returned NULL */
#define TTB_ERR_RANGE (-3)         /**< a value lies outside its documented range */
#define TTB_ERR_NOSPACE (-4)       /**< region, table or array too small, or every place of it taken */
#define TTB_ERR_UNSUPPORTED (-5)   /**< a setting this library does not know, a call this object was not made for */
#define TTB_ERR_CORRUPT (-6)       /**< the region's bytes contradict themselves */
#define TTB_ERR_VERSION (-7)       /**< the region was made by another version */
#define TTB_ERR_MISMATCH (-8)      /**< the region holds another kind of object */
#define TTB_ERR_UNKNOWN_ID (-9)    /**< no endpoint (target, node) has this id */
#define TTB_ERR_DUPLICATE (-10)    /**< this id is already there */
/** @} */

/** @name Outcomes: the call was right, the answer is no
 *  @{ */
#define TTB_AGAIN (-100)           /**< another writer is at work; nothing changed, try later */
#define TTB_STALE (-101)           /**< a ticket of a lapsed round, a reused slot or another object */
#define TTB_NO_ENDPOINT (-102)     /**< no endpoint may be picked */
#define TTB_ALL_EXCLUDED (-103)    /**< every endpoint that may be picked is on the exclusion list */
#define TTB_OPEN (-104)            /**< the breaker is open */
#define TTB_HALF_OPEN_FULL (-105)  /**< the breaker is half-open and its probes are out */
#define TTB_LIMIT (-106)           /**< a limit is reached */
#define TTB_THROTTLED (-107)       /**< refused to shed load */
#define TTB_NO_PRIMARY (-108)      /**< no node takes writes */
#define TTB_TOO_STALE (-109)       /**< no replica is fresh enough */
#define TTB_LOST_WRITE (-110)      /**< the position belongs to a history that was lost */
#define TTB_NOT_ELIGIBLE (-111)    /**< the endpoint asked for is there and may not be picked */
#define TTB_FORGED (-112)          /**< a token that was not made with this key */
/** @} */

/** @name How a call ended (`outcome` of every report)
 *  @{ */
#define TTB_SUCCESS 0    /**< it worked */
#define TTB_FAILURE 1    /**< it failed and the callee is to blame */
#define TTB_SLOW 2       /**< it worked, but too slowly to count as good */
#define TTB_IGNORED 3    /**< it ended and says nothing about the callee (a 404, a bad request) */
#define TTB_CANCELLED 4  /**< it never took place: the ticket is given back unused */
#define TTB_SLOW_FAILURE 5 /**< it failed, and late: breakers count both; elsewhere as
                                TTB_FAILURE */
/** @} */

/** @name What is known of an endpoint
 *  @{ */
#define TTB_STATUS_UNKNOWN 0    /**< nothing reported yet */
#define TTB_STATUS_HEALTHY 1    /**< fit */
#define TTB_STATUS_DEGRADED 2   /**< works, but not well */
#define TTB_STATUS_UNHEALTHY 3  /**< does not work */
#define TTB_STATUS_STALE 4      /**< reports stopped coming */
#define TTB_STATUS_DRAINING 5   /**< finishes what it has, takes nothing new */
/** @} */

/** Slots a table may have at the most: tickets carry 20 bits of slot. */
#define TTB_MAX_SLOTS 1048576

/** Process tokens are 1..TTB_MAX_TOKEN. A token names a process for
 *  `join` and `recover`; two live processes that share a region must not have
 *  the same one. `(uint64_t)getpid()` will do while pids are not reused within
 *  the life of the region; add low bits of the start time where they are. */
#define TTB_MAX_TOKEN ((UINT64_C(1) << 40) - 1)

/** An endpoint as callers describe it. `id` is stable and never 0; the weight
 *  is relative. Arrays of endpoints carry equal struct_size: it is the stride. */
typedef struct ttb_endpoint {
  uint32_t struct_size;  /**< sizeof(ttb_endpoint) */
  uint32_t weight;       /**< 1..65535; 0 means 1 */
  uint64_t id;           /**< 1..2^64-1, the caller's own name for it */
  uint32_t zone;         /**< 1..63: where it is; 0: not said */
  uint32_t priority;     /**< 0..15: its level; 0 is used first */
  uint32_t flags;        /**< TTB_ENDPOINT_BACKUP; default none */
  uint32_t max_inflight; /**< calls at a time, to 1000000; 0: no limit */
  uint64_t tags;         /**< a set of 64 marks whose meaning is the caller's */
} ttb_endpoint;

/** @name Flags of an endpoint
 *  @{ */
#define TTB_ENDPOINT_BACKUP 1u /**< only while nobody of any priority may be picked */
/** @} */

/** Zones are 0..TTB_MAX_ZONE. */
#define TTB_MAX_ZONE 63u

/** Priorities are 0..TTB_MAX_PRIORITY. */
#define TTB_MAX_PRIORITY 15u

/** Why a configuration (or endpoint) was refused. Filled by the `_check`
 *  functions; `ttb_detail_format` puts it into words. */
typedef struct ttb_detail {
  uint32_t struct_size; /**< sizeof(ttb_detail) */
  int32_t code;         /**< the error, or TTB_OK */
  int32_t index;        /**< which element of an array, -1 if it is none */
  int32_t reserved;     /**< 0 */
  int64_t got;          /**< the value found */
  int64_t min;          /**< the smallest allowed */
  int64_t max;          /**< the largest allowed */
  const char *field;    /**< static name of the field, or NULL */
} ttb_detail;

/** Where `_new` gets memory. alloc must return memory on a multiple of `align`
 *  (a power of two) or NULL; free gets the same size and align back. Maps onto
 *  jemalloc's mallocx and sdallocx (see trimtab/jemalloc.h). */
typedef struct ttb_allocator {
  uint32_t struct_size; /**< sizeof(ttb_allocator) */
  uint32_t reserved;    /**< 0 */
  void *ctx;            /**< handed to both functions */
  void *(*alloc)(void *ctx, uint64_t size, uint64_t align); /**< NULL when out of memory */
  void (*free)(void *ctx, void *ptr, uint64_t size, uint64_t align); /**< gives back */
} ttb_allocator;

/** @name Types of fields, in `ttb_field`
 *  @{ */
#define TTB_TYPE_U32 1 /**< uint32_t */
#define TTB_TYPE_I32 2 /**< int32_t */
#define TTB_TYPE_U64 3 /**< uint64_t */
#define TTB_TYPE_I64 4 /**< int64_t */
#define TTB_TYPE_F64 5 /**< double */
#define TTB_TYPE_PTR 6 /**< a pointer */
/** @} */

/** One field of a public struct, as the library itself sees it. Language
 *  bindings check their own layout against it; option tables come from it. */
typedef struct ttb_field {
  uint32_t struct_size; /**< sizeof(ttb_field) */
  uint32_t type;        /**< TTB_TYPE_* */
  uint32_t offset;      /**< bytes from the start of the struct */
  uint32_t since;       /**< version that brought it, 0x000100 = 0.1 */
  int64_t min;          /**< smallest value but for the default's 0 and TTB_OFF */
  int64_t max;          /**< largest value */
  int64_t def;          /**< what 0 stands for */
  const char *name;     /**< static */
  const char *unit;     /**< static, "" if it has none */
  const char *type_name; /**< static name of the struct it belongs to */
  int64_t type_size;    /**< sizeof that struct */
} ttb_field;

/**
 * @brief The library's version as linked, "0.1.0".
 * @return static text
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_version(void);

/**
 * @brief The ABI number of the library as linked; compare with #TTB_ABI.
 * @return TTB_ABI of the library
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API uint32_t ttb_abi(void);

/**
 * @brief One sentence for a code: what it means and what to do.
 * @param code any number at all
 * @return static text, never NULL
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_strerror(int32_t code);

/**
 * @brief The name of a code: "TTB_ERR_RANGE", ...
 * @param code any number at all
 * @return static text, never NULL; "TTB_?" for a number that is none
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API const char *ttb_errname(int32_t code);

/**
 * @brief Words a detail: "open_ms: 99999999 is not within 1..3600000".
 * @param detail what a `_check` function filled in
 * @param buf    where the text goes, always ended by a NUL; may be NULL if n is 0
 * @param n      bytes there
 * @return length of the whole text without the NUL (as snprintf), or
 *         TTB_ERR_MISUSE for a NULL detail
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_detail_format(const ttb_detail *detail, char *buf, uint32_t n);

/**
 * @brief The slot a ticket belongs to: the index of the endpoint, the key, ...
 * @param ticket what acquire returned
 * @return 0..TTB_MAX_SLOTS-1, or TTB_ERR_MISUSE if ticket is negative
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_ticket_slot(int64_t ticket);

/**
 * @brief The 64-bit hash trimtab uses for byte keys: XXH64, seed given.
 *
 * The same on every platform. Source: the xxHash specification, XXH64
 * (Y. Collet), with its published test values.
 * @param key  n bytes; may be NULL if n is 0
 * @param n    bytes
 * @param seed any
 * @return the hash; 0 if key is NULL and n is not 0
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API uint64_t ttb_hash(const void *key, uint64_t n, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
