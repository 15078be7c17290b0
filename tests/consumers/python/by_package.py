# SPDX-License-Identifier: MIT
"""app.c once more, with the Python package."""
from trimtab import Breaker, BreakerState, Outcome
from trimtab.errors import OPEN

now = 1000000000
with Breaker(consecutive=3, open_ms=100, clock=lambda: now) as breaker:
    calls = 0
    while (ticket := breaker.acquire()) >= 0 and calls < 1000:
        calls += 1
        breaker.report(ticket, Outcome.FAILURE)
    print(f"{calls} failures, then {'TTB_OPEN' if ticket == OPEN else ticket}")
    now += 100000000
    ticket = breaker.acquire()
    breaker.report(ticket, Outcome.SUCCESS)
    closed = breaker.state == BreakerState.CLOSED
    print(f"later {'a probe' if ticket >= 0 else ticket}, {'closed again' if closed else 'not closed'}")
