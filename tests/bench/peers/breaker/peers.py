# SPDX-License-Identifier: MIT
"""circuitbreaker (python3-circuitbreaker) beside trimtab's package: nanoseconds
of one guarded call that succeeds, and of the same call unguarded. Medians."""
import statistics
import time

import trimtab

N, TRIALS = 20000, 15


def work():
    return 1


def measure(name, call):
    found = []
    for _ in range(TRIALS):
        begin = time.process_time_ns()
        for _ in range(N):
            call()
        found.append((time.process_time_ns() - begin) / N)
    print("%-44s %9.0f ns" % (name, statistics.median(found)))


measure("Python: a call, unguarded", work)
shared = trimtab.Breaker()
measure("trimtab (decorator)", shared(work))
measure("trimtab (acquire, report)", lambda: shared.report(shared.acquire()))
slots = [0] * 64
outcomes = [0] * 64


def batch():
    shared.report_n(shared.acquire_n(slots), outcomes)


found = []
for _ in range(TRIALS):
    begin = time.process_time_ns()
    for _ in range(N // 64):
        batch()
    found.append((time.process_time_ns() - begin) / (N // 64) / 64)
print("%-44s %9.0f ns" % ("trimtab (64 at once), each", statistics.median(found)))
try:
    from circuitbreaker import CircuitBreaker
except ImportError:
    print("circuitbreaker: left out, not installed (apt-get install python3-circuitbreaker)")
else:
    measure("circuitbreaker (decorator)", CircuitBreaker()(work))
