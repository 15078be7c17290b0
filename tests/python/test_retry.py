# SPDX-License-Identifier: MIT
"""Retries under a budget, and how long to wait before one."""
import asyncio
import gc
import time

import pytest

from trimtab import Jitter, LimiterFlag, LimiterKind, Outcome, RetryBudget, TrimtabError
from trimtab import backoff_ms, errors, hedge_ns, retry


@pytest.fixture
def naps(monkeypatch):
    """What would have been slept, ms."""
    slept = []
    monkeypatch.setattr(time, "sleep", lambda s: slept.append(round(s * 1000)))
    return slept


@pytest.fixture
def budget(clock):
    """One retry for two calls, none for free."""
    return RetryBudget(ratio_ppm=500_000, per_second=-1, clock=clock)


def run(budget, times, failures, error=OSError, **more):
    """How many attempts were made."""
    made = []
    try:
        for attempt in budget.attempts(times, retry_on=(OSError,), **more):
            with attempt:
                made.append(attempt.number)
                if len(made) <= failures:
                    raise error(len(made))
    finally:
        assert made == list(range(len(made)))
    return len(made)


def test_one_attempt_if_it_succeeds(budget, naps):
    assert run(budget, 3, 0) == 1
    assert naps == []
    assert (budget.explain().requests, budget.explain().accepts) == (1, 0)


def test_the_budget_decides(budget, naps):
    with pytest.raises(OSError, match="1"):  # its own error, not a refusal
        run(budget, 3, 9)
    assert run(budget, 3, 1) == 2  # two calls have earned one
    with pytest.raises(OSError, match="1"):
        run(budget, 3, 1)
    assert run(budget, 3, 1) == 2
    assert len(naps) == 2
    info = budget.explain()
    assert (info.requests, info.accepts, info.balance_ppm) == (4, 2, 0)


def test_times_and_kinds(clock, naps):
    budget = RetryBudget(per_second=1000, clock=clock)
    assert run(budget, 3, 2) == 3
    with pytest.raises(OSError, match="3"):
        run(budget, 3, 3)
    with pytest.raises(KeyError):
        run(budget, 3, 1, KeyError)
    with pytest.raises(KeyboardInterrupt):
        run(budget, 3, 1, KeyboardInterrupt)
    with pytest.raises(ValueError, match="times: at least 1"):
        budget.attempts(0)


def test_what_is_waited(clock, naps):
    budget = RetryBudget(per_second=1000, clock=clock)
    seen = []

    def backoff(attempt, previous_ms):
        seen.append((attempt, previous_ms))
        return (attempt + 1) * 10

    assert run(budget, 4, 3, backoff=backoff) == 4
    assert seen == [(0, 0), (1, 10), (2, 20)]
    assert naps == [10, 20, 30]
    assert run(budget, 2, 1, backoff=lambda attempt, previous: 0) == 2
    assert len(naps) == 3  # 0 is not slept


def test_a_return_from_within(budget, naps):
    def get():
        for attempt in budget.attempts():
            with attempt:
                return "answer"

    assert get() == "answer"
    assert budget.explain().requests == 1


def concurrent(clock, **more):
    return RetryBudget(kind=LimiterKind.RETRY_CONCURRENT, min_retries=5, clock=clock, **more)


def in_flight(budget):
    return (budget.explain().requests, budget.explain().accepts)


def test_what_is_not_made_goes_back(clock, naps, monkeypatch):
    budget = concurrent(clock)
    for attempt in budget.attempts():
        break
    del attempt
    gc.collect()
    assert in_flight(budget) == (0, 0)
    for attempt in budget.attempts():
        pass  # without `with`: once, and given back
    assert in_flight(budget) == (0, 0)
    for attempt in budget.attempts():  # the retry is granted, the loop left
        with attempt:
            assert in_flight(budget) == (1, 0)
            raise OSError
        assert in_flight(budget) == (1, 1)
        break
    gc.collect()
    assert in_flight(budget) == (0, 0)

    def interrupted(seconds):
        assert in_flight(budget) == (1, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(budget, 3, 3)
    gc.collect()
    assert in_flight(budget) == (0, 0)
    with pytest.raises(ZeroDivisionError):
        run(budget, 3, 3, backoff=lambda attempt, previous: 1 // 0)
    assert in_flight(budget) == (0, 0)


def test_tokens_go_down_with_failures(clock, naps):
    budget = RetryBudget(kind=LimiterKind.RETRY_TOKENS, tokens=4, ratio_ppm=1_000_000, clock=clock)
    with pytest.raises(OSError, match="2"):  # 4, 3: once more, 2: no
        run(budget, 5, 9)
    assert budget.explain().balance_ppm == 2_000_000
    run(budget, 1, 0)
    run(budget, 1, 0)
    assert run(budget, 5, 1) == 2


def test_an_attempt_is_made_once(budget):
    for attempt in budget.attempts():
        with attempt:
            pass
        with pytest.raises(RuntimeError, match="this attempt is over"):
            with attempt:
                raise AssertionError


def test_the_block_may_say_it_itself(clock, naps):
    budget = RetryBudget(kind=LimiterKind.RETRY_TOKENS, clock=clock)
    for attempt in budget.attempts():
        with attempt as same:
            assert same is attempt
            attempt.outcome = Outcome.FAILURE
    assert budget.explain().balance_ppm == 9_000_000


def test_a_budget_a_key(clock, naps):
    budget = RetryBudget(ratio_ppm=-1, per_second=1, window_ms=1000, capacity=1,
                         flags=LimiterFlag.KEYED, clock=clock)
    assert run(budget, 2, 1, key="a") == 2
    with pytest.raises(OSError):
        run(budget, 2, 1, key="a")
    # No place for this one: made, and not retried.
    assert budget.acquire_key("b") == errors.NOSPACE
    assert run(budget, 2, 0, key="b") == 1
    with pytest.raises(OSError):
        run(budget, 2, 1, key="b")


def test_async(clock, naps, monkeypatch):
    budget = concurrent(clock)
    slept = []
    real = asyncio.sleep

    async def nap(seconds):
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", nap)

    async def main():
        numbers = []
        async for attempt in budget.attempts(3, backoff=lambda attempt, previous: 7):
            async with attempt:
                numbers.append(attempt.number)
                if len(numbers) < 3:
                    raise OSError
        assert numbers == [0, 1, 2] and slept == [0.007, 0.007] and naps == []
        assert in_flight(budget) == (0, 0)

        async def forever():
            async for attempt in budget.attempts(backoff=lambda attempt, previous: 1):
                async with attempt:
                    if attempt.number == 0:
                        raise OSError

        async def stuck(seconds):
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio, "sleep", stuck)
        task = asyncio.ensure_future(forever())
        for _ in range(5):
            await real(0)
        assert in_flight(budget) == (1, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert in_flight(budget) == (0, 0)

    asyncio.run(main())


# ---- backoff ----


def test_backoff_is_the_formula():
    steps = [backoff_ms(n, jitter=Jitter.NONE, base_ms=50, cap_ms=1000) for n in range(7)]
    assert steps == [50, 100, 200, 400, 800, 1000, 1000]
    for n in range(7):
        for seed in range(50):
            assert 0 <= backoff_ms(n, base_ms=50, cap_ms=1000, seed=seed) <= steps[n]
            assert steps[n] // 2 <= backoff_ms(n, base_ms=50, cap_ms=1000, seed=seed,
                                               jitter=Jitter.EQUAL) <= steps[n]
            assert 50 <= backoff_ms(n, 200, base_ms=50, cap_ms=1000, seed=seed,
                                    jitter=Jitter.DECORRELATED) <= 600
    assert backoff_ms(3, seed=5) == backoff_ms(3, seed=5)


def test_clients_do_not_come_back_together():
    assert len({backoff_ms(6) for _ in range(50)}) > 40


@pytest.mark.parametrize("use, words", [
    (lambda: backoff_ms(-1), "attempt: -1"),
    (lambda: backoff_ms(2**32), "attempt: 4294967296"),
    (lambda: backoff_ms(0, -1), "previous_ms: -1"),
    (lambda: backoff_ms(0, base_ms=-1), "base_ms: -1 is not within 1..3600000"),
    (lambda: backoff_ms(0, base_ms=100, cap_ms=50), "cap_ms: 50 is not within 100"),
    (lambda: backoff_ms(0, jitter=5), "jitter: 5"),
    (lambda: backoff_ms(0, seed=2**64), "seed: 18446744073709551616"),
])
def test_backoff_out_of_range(use, words):
    with pytest.raises(TrimtabError, match=words) as caught:
        use()
    assert caught.value.code == errors.RANGE


def test_the_page_of_the_module():
    assert set(retry.__all__) >= {"RetryBudget", "backoff_ms"}


def test_hedge_ns_follows_a_quantile():
    after = 0
    for n in range(4000):
        after = hedge_ns(after, 100_000_000 if n % 10 == 0 else 1_000_000, 800_000)
    assert 900_000 < after < 2_000_000          # nine of ten take 1 ms
    assert hedge_ns(0, 5) >= 1
    for wrong, words in (((-1, 5), "estimate_ns: -1"), ((2**63, 5), "estimate_ns: 9223372036854775808"),
                         ((0, -1), "latency_ns: -1"), ((0, 1, 0), "quantile_ppm: 0 is"),
                         ((0, 1, 1_000_000), "quantile_ppm: 1000000 is")):
        with pytest.raises(TrimtabError, match=words):
            hedge_ns(*wrong)
