# SPDX-License-Identifier: MIT
"""The class Limiter and its fronts: each kind, keys, batches, options, bad input."""
import array
import asyncio
import os
import re

import pytest

from trimtab import AdaptiveLimit, Bulkhead, Importance, LimitAlgorithm, LimitExceeded, Limiter
from trimtab import LimiterFlag, LimiterKind, Outcome, RateLimit, RetryBudget, Throttle
from trimtab import TrimtabError, errors, key_hash, limiter

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEYED = LimiterFlag.KEYED
FRONTS = {Bulkhead: {"BULKHEAD"}, RateLimit: {"RATE"}, Throttle: {"THROTTLE"},
          AdaptiveLimit: {"ADAPTIVE"},
          RetryBudget: {"RETRY", "RETRY_TOKENS", "RETRY_CONCURRENT"}}


def in_flight(budget):
    return (budget.explain().requests, budget.explain().accepts)


# ---- the kinds ----


def test_a_bulkhead_and_importance(clock):
    b = Bulkhead(permits=4, reserve_3=2, clock=clock)
    assert b.explain(ask=Importance.SHEDDABLE).available == 2
    batch = [b.acquire(ask=Importance.SHEDDABLE) for _ in range(3)]
    assert min(batch[:2]) >= 0 and batch[2] == errors.LIMIT
    assert not b.peek(ask=Importance.SHEDDABLE) and b.peek()
    users = [b.acquire() for _ in range(3)]
    assert min(users[:2]) >= 0 and users[2] == errors.LIMIT
    info = b.explain()
    assert (info.kind, info.in_use, info.available) == (LimiterKind.BULKHEAD, 4, 0)
    assert (info.retry_after_ns, info.retry_after_ms) == (-1, -1)
    assert b.report(users[0]) == 0
    assert b.report(users[0]) == errors.STALE
    assert b.explain().in_use == 3
    s = b.statistics()
    assert (s.capacity, s.kind, s.refused, s.stale) == (1, LimiterKind.BULKHEAD, 2, 1)


def test_a_lease_ends_by_itself(clock):
    b = Bulkhead(permits=1, lease_ms=50, clock=clock)
    ticket = b.acquire()
    clock.pass_ms(49)
    assert b.acquire() == errors.LIMIT
    assert b.explain().retry_after_ms == 1
    clock.pass_ms(1)
    assert b.acquire() >= 0
    assert b.report(ticket) == errors.STALE


def test_a_rate(clock):
    r = RateLimit(rate=10, burst=5, clock=clock)
    assert [r.acquire() >= 0 for _ in range(6)] == [True] * 5 + [False]
    wait = r.explain().retry_after_ms
    assert wait == 100
    clock.pass_ms(wait - 1)
    assert not r.peek()
    clock.pass_ms(1)
    assert r.peek()
    ticket = r.acquire()
    assert ticket >= 0 and not r.peek()
    r.report(ticket, Outcome.CANCELLED)  # gives the event back
    assert r.peek()
    clock.pass_ms(1000)
    assert r.acquire(ask=5) >= 0 and r.acquire(ask=1) == errors.LIMIT
    assert r.explain(ask=3).retry_after_ms == 300


def test_waits_are_rounded_up(clock):
    r = RateLimit(rate=3, burst=1, clock=clock)
    r.acquire()
    info = r.explain()
    assert info.retry_after_ns % 1_000_000 and info.retry_after_ms == 334
    clock.pass_ms(333)
    assert not r.peek()
    clock.pass_ms(1)
    assert r.peek()


def test_a_throttle(clock):
    t = Throttle(min_requests=10, max_reject_ppm=900_000, clock=clock)
    refused = 0
    for _ in range(500):
        ticket = t.acquire()
        if ticket >= 0:
            t.report(ticket, Outcome.FAILURE)
        else:
            assert ticket == errors.THROTTLED
            refused += 1
    assert refused > 350
    info = t.explain()
    assert (info.reject_ppm, info.requests, info.accepts) == (900_000, 500, 0)
    clock.pass_ms(20000)
    assert t.explain().reject_ppm == 0


def test_an_adaptive_limit(clock):
    a = AdaptiveLimit(algorithm=LimitAlgorithm.AIMD, initial_limit=40, min_limit=2, clock=clock)
    assert a.explain().limit == 40

    def second(outcome):
        tickets = []
        while a.peek():
            tickets.append(a.acquire())
        clock.pass_ms(200)
        a.report_n(tickets, [outcome] * len(tickets))

    for _ in range(5):
        second(Outcome.SUCCESS)
    grown = a.explain().limit
    assert grown > 40
    for _ in range(20):
        second(Outcome.FAILURE)
    assert a.explain().limit < 20
    before = a.explain().limit
    for _ in range(5):
        second(Outcome.IGNORED)
    assert a.explain().limit == before


@pytest.mark.parametrize("kind", [LimiterKind.RETRY_TOKENS, LimiterKind.RETRY_CONCURRENT])
def test_the_other_budgets(kind, clock):
    b = RetryBudget(kind=kind, clock=clock)
    assert b.statistics().kind == kind
    first = [b.acquire(ask=0) for _ in range(20)]
    assert min(first) >= 0
    assert b.acquire(ask=1) >= 0
    if kind == LimiterKind.RETRY_TOKENS:  # 10 of them: at 5 and below none is retried
        b.report_n(first[:5], [Outcome.FAILURE] * 5)
        assert b.explain().balance_ppm == 5_000_000
    else:  # a fifth of 21 calls
        assert min(b.acquire(ask=1) for _ in range(3)) >= 0
        assert in_flight(b) == (24, 4)
    assert b.acquire(ask=1) == errors.LIMIT
    assert b.acquire(ask=0) >= 0


# ---- keys ----


def test_a_limit_a_key(clock):
    r = RateLimit(rate=1, burst=2, capacity=64, flags=KEYED, clock=clock)
    for key in ("alice", b"bob", 17, "\udcff", 2**64 - 1):
        assert [r.acquire_key(key) >= 0 for _ in range(3)] == [True, True, False]
        assert not r.peek(key=key)
        assert r.explain(key=key).retry_after_ms == 1000
    assert r.acquire_key(b"alice") == errors.LIMIT  # one text, one key
    assert r.acquire_key(key_hash(b"alice")) == errors.LIMIT
    assert r.claim("alice") == r.claim(b"alice") != r.claim("bob")
    assert r.peek(key="carol")
    clock.pass_ms(1000)
    assert r.acquire_key("alice") >= 0


def test_no_place_for_a_key(clock):
    r = RateLimit(rate=1, burst=1, capacity=2, flags=KEYED, clock=clock)
    assert r.acquire_key("a") >= 0 and r.acquire_key("b") >= 0
    assert r.acquire_key("c") == errors.NOSPACE == r.claim("c")
    assert not r.peek(key="c")
    with pytest.raises(TrimtabError, match="raise capacity="):
        r.explain(key="c")
    with pytest.raises(LimitExceeded, match="raise capacity=") as caught:
        with r.hold(key="c"):
            raise AssertionError
    assert (caught.value.code, caught.value.retry_after_ms) == (errors.NOSPACE, -1)
    clock.pass_ms(1000)  # the others are idle
    assert r.acquire_key("c") >= 0


def test_keys_of_tables_without():
    for table in (RateLimit(), Bulkhead(capacity=4)):
        for use in (table.acquire_key, table.claim, lambda key: table.peek(key=key),
                    lambda key: table.explain(key=key)):
            with pytest.raises(TrimtabError, match="flags=LimiterFlag.KEYED") as caught:
                use("alice")
            assert caught.value.code == errors.UNSUPPORTED


@pytest.mark.parametrize("key, error, words", [
    (0, TrimtabError, "key: 0 is nobody's"),
    (-1, TrimtabError, "key: -1 is not within"),
    (2**64, TrimtabError, "key: 18446744073709551616 is not within"),
    (None, TypeError, "key: an integer"),
    (1.5, TypeError, "key: an integer, please, not 1.5"),
])
def test_what_is_no_key(key, error, words):
    r = RateLimit(flags=KEYED, capacity=8)
    for use in (r.acquire_key, r.claim):
        with pytest.raises(error, match=words):
            use(key)


# ---- batches ----


def test_batches_are_the_single_calls_in_order(clock):
    one, many = (RateLimit(rate=5, burst=3, capacity=8, clock=clock) for _ in range(2))
    slots, asks = [0, 1, 0, 7, 0, 0] * 2, [0, 2, 1, 3, 1, 1] * 2
    singly = [one.acquire(slot, ask) for slot, ask in zip(slots, asks)]
    assert many.acquire_n(slots, asks) == singly
    outcomes = [Outcome.CANCELLED] * len(singly)
    codes = [one.report(t, o) if t >= 0 else errors.MISUSE for t, o in zip(singly, outcomes)]
    assert many.report_n(singly, outcomes) == codes
    assert [one.explain(slot) for slot in range(8)] == [many.explain(slot) for slot in range(8)]
    assert many.acquire_n([]) == [] and many.report_n([]) == []
    assert many.acquire_n([0, 99])[1] == errors.RANGE
    with pytest.raises(ValueError, match="as many asks"):
        many.acquire_n([1, 2], [0])
    with pytest.raises(ValueError, match="as many outcomes"):
        many.report_n([1, 2], [0])
    with pytest.raises(OverflowError):
        many.acquire_n([-1])


def test_batches_without_outcomes_are_successes(clock):
    b = Bulkhead(permits=8, clock=clock)
    tickets = b.acquire_n([0] * 9)
    assert tickets[8] == errors.LIMIT
    assert b.report_n(tickets) == [0] * 8 + [errors.MISUSE]
    assert b.explain().in_use == 0


def test_batches_by_key(clock):
    one, many = (RateLimit(rate=1, burst=2, capacity=64, flags=KEYED, clock=clock)
                 for _ in range(2))
    keys = ["alice", b"alice", 17, "bob", "alice", 17]
    singly = [one.acquire_key(key) for key in keys]
    assert singly[4] == errors.LIMIT
    assert many.acquire_key_n(keys) == singly
    numbers = array.array("Q", [17, 18])
    assert many.acquire_key_n(numbers, [1, 2])[0] == errors.LIMIT
    assert many.acquire_key_n([18]) == [errors.LIMIT]
    assert many.acquire_key_n([]) == []
    for wrong in ("alice", b"alice"):
        with pytest.raises(TypeError, match="a list of keys"):
            many.acquire_key_n(wrong)
    with pytest.raises(TypeError, match="len"):
        many.acquire_key_n(key for key in ("alice", "bob"))
    with pytest.raises(TypeError, match="key: an integer"):
        many.acquire_key_n(["alice", None])


# ---- with, async with, decorators ----


def test_hold(clock):
    b = Bulkhead(permits=1, clock=clock)
    with b.hold() as call:
        assert call.ticket >= 0 and b.explain().in_use == 1
        with pytest.raises(LimitExceeded, match="limit") as caught:
            with b.hold():
                raise AssertionError
    assert (caught.value.code, caught.value.retry_after_ms) == (errors.LIMIT, -1)
    assert b.explain().in_use == 0
    with pytest.raises(KeyError):
        with b.hold():
            raise KeyError
    assert b.explain().in_use == 0


def test_hold_says_when_to_come_back(clock):
    r = RateLimit(rate=4, burst=1, capacity=8, flags=KEYED, clock=clock)
    with r.hold(key="alice"):
        pass
    with pytest.raises(LimitExceeded) as caught:
        with r.hold(key="alice"):
            raise AssertionError
    assert caught.value.retry_after_ms == 250
    with r.hold(key="bob"):
        pass


def test_hold_reports_how_it_went(clock):
    t = Throttle(min_requests=100, clock=clock)
    for error in (OSError, ValueError, asyncio.CancelledError):
        with pytest.raises(error):
            with t.hold(ignore=(ValueError,)):
                raise error
    with t.hold():
        pass
    assert (t.explain().requests, t.explain().accepts) == (2, 1)


def test_throttled(clock):
    t = Throttle(min_requests=1, max_reject_ppm=1_000_000, accept_ppm=1_000_000, clock=clock)
    t.report_n([t.acquire() for _ in range(1)], [Outcome.FAILURE])
    with pytest.raises(LimitExceeded) as caught:
        for _ in range(200):
            with t.hold() as call:
                call.outcome = Outcome.FAILURE
    assert (caught.value.code, caught.value.retry_after_ms) == (errors.THROTTLED, -1)


def test_one_hold_is_entered_once_at_a_time(clock):
    b = Bulkhead(permits=5, clock=clock)
    hold = b.hold()
    with hold:
        with pytest.raises(RuntimeError, match="already entered"):
            with hold:
                raise AssertionError
        assert b.explain().in_use == 1
    with hold:
        assert b.explain().in_use == 1
    assert b.explain().in_use == 0


def test_decorators(clock):
    b = Bulkhead(permits=2, capacity=2, reserve_3=1, clock=clock)

    @b
    def nested(n):
        """Holds n permits at once."""
        return b.explain().in_use if n == 1 else nested(n - 1)

    assert nested.__doc__ == "Holds n permits at once."
    assert nested(2) == 2
    with pytest.raises(LimitExceeded):
        nested(3)
    assert b.explain().in_use == 0

    @b.hold(1, Importance.SHEDDABLE)
    async def sleeper():
        await asyncio.sleep(0)
        return b.explain(1).in_use

    @b
    def items():
        yield b.explain().in_use

    async def main():
        both = await asyncio.gather(sleeper(), sleeper(), return_exceptions=True)
        assert both[0] == 1 and isinstance(both[1], LimitExceeded)
        async with b.hold(1):
            assert b.explain(1).in_use == 1

    asyncio.run(main())
    assert list(items()) == [1]
    assert (b.explain(0).in_use, b.explain(1).in_use) == (0, 0)


# ---- options ----


def test_each_option_belongs_to_the_kinds_the_page_says():
    """docs/limiter.md has a table of them."""
    with open(os.path.join(TOP, "docs/limiter.md"), encoding="utf-8") as file:
        options = re.search(r"^## Options(.*?)^## ", file.read(), re.S | re.M)[1]
    rows = re.findall(r"^\| (`[^|]*) \| (\w[\w, ]*) \|", options, flags=re.M)
    words = {"bulkhead": "BULKHEAD", "rate": "RATE", "retry": "RETRY", "throttle": "THROTTLE",
             "retry tokens": "RETRY_TOKENS", "retry concurrent": "RETRY_CONCURRENT",
             "adaptive": "ADAPTIVE", "AIMD": "ADAPTIVE", "Vegas": "ADAPTIVE",
             "Gradient2": "ADAPTIVE", "Gradient": "ADAPTIVE"}
    told = {(kind.name, name) for kind, names in limiter.OPTIONS.items() for name in names}
    page = set()
    for names, kinds in rows:
        for name in re.findall(r"`(\w+)`", names):
            name = "reserve" + name if name.startswith("_") else name
            if kinds != "all":
                page |= {(words[kind], name) for kind in kinds.split(", ")}
    assert page == told
    fields = {name for name, _ in limiter.Config._fields_} - {"struct_size"}
    assert fields == {name for _, name in told} | set(limiter.COMMON)


@pytest.mark.parametrize("front", FRONTS)
def test_fronts_have_their_kinds_options(front):
    mine = {name for kind in FRONTS[front] for name in limiter.OPTIONS[LimiterKind[kind]]}
    assert {option.name for option in front.options()} == mine | set(limiter.COMMON)
    default = {option.name: option.default for option in front.options()}["kind"]
    assert front().statistics().kind == default
    assert {option.name for option in Limiter.options()} >= mine
    for kind in LimiterKind:
        if kind.name in FRONTS[front]:
            assert front(kind=kind).statistics().kind == kind
        else:
            with pytest.raises(TrimtabError, match=r"kind: %d is none of \w+ \(\d\)" % kind):
                front(kind=kind)


@pytest.mark.parametrize("make, error, words", [
    (lambda: Bulkhead(rate=5), TypeError, "rate: no option of kind BULKHEAD, which has: permits"),
    (lambda: RateLimit(permits=5), TypeError, "permits: no option of kind RATE"),
    (lambda: Limiter(kind=LimiterKind.RATE, permits=5), TypeError, "permits: no option of kind"),
    (lambda: RetryBudget(tokens=5), TypeError, "tokens: no option of kind RETRY, which has: win"),
    (lambda: Bulkhead(permit=5), TypeError, "permit - permits perhaps"),
    (lambda: Limiter(kind=8), TrimtabError, "kind: 8 is none of BULKHEAD"),
    (lambda: Bulkhead(permits=0x10000), TrimtabError, "permits: 65536 is not within 1..16384"),
    (lambda: Bulkhead(permits=-1), TrimtabError, "permits: -1 is not within 1..16384"),
    (lambda: Bulkhead(permits=4, reserve_1=4), TrimtabError, "reserve_1"),
    (lambda: RateLimit(rate=1, burst=10**9), TrimtabError, "burst"),
    (lambda: RateLimit(rate=0.5), TypeError, "rate: an integer"),
    (lambda: RateLimit(rate=True, flags=2), TrimtabError, "flags"),
    (lambda: AdaptiveLimit(min_limit=9, max_limit=3), TrimtabError, "limit"),
])
def test_wrong_options(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("use, words", [
    (lambda b: b.acquire(2), r"slot: 2 is not within 0\.\.1"),
    (lambda b: b.acquire(-1), r"slot: -1 is not within 0\.\.1"),
    (lambda b: b.acquire(2**32), r"slot: 4294967296 is not within"),
    (lambda b: b.acquire(0, 4), "ask: 4 is too much for a limit of kind BULKHEAD"),
    (lambda b: b.acquire(0, 2**32), "ask: 4294967296 is too much"),
    (lambda b: b.acquire(0, -1), "ask: -1"),
    (lambda b: b.peek(2), r"slot: 2 is not within 0\.\.1"),
    (lambda b: b.explain(0, 4), "ask: 4 is too much"),
    (lambda b: b.explain(2**32), "slot: 4294967296"),
    (lambda b: b.report(b.acquire(), 9), "outcome: 9 is none"),
])
def test_bad_arguments(use, words, clock):
    b = Bulkhead(capacity=2, clock=clock)
    with pytest.raises(TrimtabError, match=words) as caught:
        use(b)
    assert caught.value.code == errors.RANGE
    assert b.explain(1).in_use == 0


def test_what_is_no_ticket_and_no_outcome(clock):
    b = Bulkhead(clock=clock)
    with pytest.raises(TrimtabError, match="-106 is no ticket but a refusal .TTB_LIMIT."):
        b.report(errors.LIMIT)
    with pytest.raises(TypeError, match="True would be a FAILURE"):
        b.report(b.acquire(), True)
    with pytest.raises(TrimtabError, match="outcome: 4294967296 is none"):
        b.report(b.acquire(), 2**32)
    with pytest.raises(TrimtabError, match="takes a handle made by join"):
        b.recover(12345)
    other = Bulkhead(capacity=500, clock=clock)
    with pytest.raises(TrimtabError, match="another table's") as caught:
        b.report(other.acquire(400))
    assert caught.value.code == errors.RANGE


def test_close(clock):
    b = Bulkhead(clock=clock)
    mine = b.join()
    ticket = mine.acquire()
    assert b.explain().in_use == 1
    mine.close()
    assert b.explain().in_use == 0  # its permits are given back
    b.close()
    for use in (b.acquire, b.explain, b.peek, b.statistics, b.join, lambda: b.report(ticket),
                lambda: b.acquire(5), lambda: b.acquire_n([0]), lambda: b.report_n([ticket]),
                lambda: b.acquire_key(5), lambda: b.claim(5)):
        with pytest.raises(TrimtabError, match="this Bulkhead is closed") as caught:
            use()
        assert caught.value.code == errors.MISUSE


# ---- files ----


def test_a_file_holds_one_kind(path):
    first = RateLimit(path, rate=5, burst=1)
    first.acquire()
    for again in (RateLimit(path, rate=7), Limiter(path), Limiter(path, kind=LimiterKind.RATE)):
        assert not again.peek()  # the file's own configuration holds
    for other in (lambda: Bulkhead(path), lambda: Limiter(path, kind=LimiterKind.THROTTLE)):
        with pytest.raises(TrimtabError, match="holds a limit of kind RATE") as caught:
            other()
        assert caught.value.code == errors.MISMATCH and path in str(caught.value)


# ---- who holds what ----


def test_holders(clock):
    b = Bulkhead(permits=9, clock=clock)
    mine, twin, other = b.join(), b.join(), b.join(token=7)
    assert b.holders() == {}
    mine.acquire(), mine.acquire(), twin.acquire(), other.acquire(), b.acquire()
    assert b.holders() == {os.getpid(): 3, 7: 1, 0: 1}
    mine.recover(7)
    assert b.holders() == {os.getpid(): 3, 0: 1}
    assert sum(b.holders().values()) == b.explain().in_use
    with pytest.raises(TrimtabError, match=r"slot: 1 is not within 0\.\.0"):
        b.holders(1)
    assert RateLimit(clock=clock).holders() == {}
    calls = RetryBudget(kind=LimiterKind.RETRY_CONCURRENT, clock=clock)
    calls.acquire()
    assert calls.holders() == {0: 1}


def test_holders_of_a_key(clock):
    b = Bulkhead(permits=2, capacity=64, flags=KEYED, clock=clock)
    with b.hold(key="alice"):
        assert (b.holders(key="alice"), b.holders(key="bob")) == ({0: 1}, {})
