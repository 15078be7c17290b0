# SPDX-License-Identifier: MIT
"""Limits of Python programs: CPU nanoseconds of one call that is let through, and
the ratio to an empty foreign call measured beside it. Medians.

What the others do not do: semaphores of multiprocessing lose the permits of a
killed worker for good; those of threading, limits' memory and ratelimiter count in
one process only (limits with Redis or memcached counts in all, by the network)."""
import multiprocessing
import statistics
import threading
import time

import trimtab
from trimtab import AdaptiveLimit, Bulkhead, Health, LimiterFlag, RateLimit, RetryBudget, Throttle

N, TRIALS = 2000, 31
empty = trimtab._ffi.lib.ttb_abi


def cost(call, n):
    begin = time.thread_time_ns()
    for _ in range(n):
        call()
    return (time.thread_time_ns() - begin) / n


def measure(name, call, each=1, before=None):
    took, ratios = [], []
    for _ in range(TRIALS):
        if before:
            before()
        floor = cost(empty, N)
        took.append(cost(call, max(N // each, 20)) / each)
        ratios.append(took[-1] / floor)
    low, middle, high = statistics.quantiles(ratios, n=4)
    print("%-52s %8.0f ns %7.1f  (%.1f..%.1f)" % (name, statistics.median(took), middle, low, high))


print("%-52s %11s %7s  (quartiles)" % ("let through", "CPU", "ratio"))
measure("empty foreign call", empty)

plenty = {"rate": 10**9, "burst": 10**9}
bulkhead = Bulkhead(permits=64).join()
rate = RateLimit(**plenty)
keyed = RateLimit(capacity=4096, flags=LimiterFlag.KEYED, **plenty)
budget = RetryBudget()
throttle = Throttle()
adaptive = AdaptiveLimit().join()
health = Health()
names = ["client-%d" % i for i in range(64)]
hashes = [trimtab.key_hash(name.encode()) for name in names]
slots = [0] * 64
inner = bulkhead(lambda: 1)


def held(limit, **more):
    def call():
        with limit.hold(**more):
            pass
    return call


def attempt():
    for one in budget.attempts(3):
        with one:
            pass


measure("trimtab Bulkhead (acquire, report)", lambda: bulkhead.report(bulkhead.acquire()))
measure("trimtab Bulkhead (with hold)", held(bulkhead))
measure("trimtab Bulkhead (decorator)", inner)
measure("trimtab Bulkhead (64 at once), each",
        lambda: bulkhead.report_n(bulkhead.acquire_n(slots)), 64)
measure("trimtab RateLimit (acquire)", rate.acquire)
measure("trimtab RateLimit (64 at once), each", lambda: rate.acquire_n(slots), 64)
measure("trimtab RateLimit (acquire_key, text)", lambda: keyed.acquire_key("client-7"))
measure("trimtab RateLimit (acquire_key, number)", lambda: keyed.acquire_key(1234567))
measure("trimtab RateLimit (64 texts at once), each", lambda: keyed.acquire_key_n(names), 64)
measure("trimtab RateLimit (64 numbers at once), each", lambda: keyed.acquire_key_n(hashes), 64)
measure("trimtab RateLimit (with hold, text)", held(keyed, key="client-7"))
measure("trimtab RetryBudget (acquire, report)", lambda: budget.report(budget.acquire()))
measure("trimtab RetryBudget (attempts, the first succeeds)", attempt)
measure("trimtab Throttle (acquire, report)", lambda: throttle.report(throttle.acquire()))
measure("trimtab AdaptiveLimit (acquire, report)", lambda: adaptive.report(adaptive.acquire()))
measure("trimtab Health (observe)", lambda: health.observe(0))

local, host = threading.BoundedSemaphore(64), multiprocessing.BoundedSemaphore(64)


def semaphore(of):
    def call():
        of.acquire(False)
        of.release()
    return call


measure("threading.BoundedSemaphore (acquire, release)", semaphore(local))
measure("multiprocessing.BoundedSemaphore (acquire, release)", semaphore(host))
try:
    import limits
    import limits.storage
    import limits.strategies
except ImportError:
    print("limits: left out, not installed (apt-get install python3-limits)")
else:
    item = limits.RateLimitItemPerSecond(10**9)
    fixed = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    measure("limits, fixed window, memory (hit)", lambda: fixed.hit(item, "client-7"))
    # It keeps the time of each hit: at most those of one trial.
    times = limits.storage.MemoryStorage()
    moving = limits.strategies.MovingWindowRateLimiter(times)
    measure("limits, moving window, memory (hit)", lambda: moving.hit(item, "client-7"),
            before=times.reset)
try:
    from ratelimiter import RateLimiter
except ImportError:
    print("ratelimiter: left out, not installed (apt-get install python3-ratelimiter)")
else:
    polite = RateLimiter(max_calls=10**9, period=0.001)

    def enter():
        with polite:
            pass

    measure("ratelimiter (with)", enter)
