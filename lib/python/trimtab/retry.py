# SPDX-License-Identifier: MIT
"""Retries: whether (a budget that all workers share), and when (a backoff).

    budget = RetryBudget("/dev/shm/retries", ratio_ppm=100_000)   # 10 % of the calls

    for attempt in budget.attempts(4, retry_on=(ConnectionError,)):
        with attempt:
            answer = send()

I1  The first attempt is always made; another only if the budget grants it.
I2  What comes out in the end is the callee's own exception, never a refusal.
I3  A retry that was granted and is not made (the wait was cancelled, the loop was
    left) goes back to the budget.
"""
from __future__ import annotations

import ctypes
import random
import time
from types import TracebackType
from typing import AsyncIterator, Callable, Iterator, Optional, Type

from . import _ffi
from ._call import Call, Kinds
from ._enums import Jitter, LimiterKind, Outcome
from ._ffi import Key, i32, i64, ptr, u32, u64
from .errors import RANGE, TrimtabError
from .limiter import Limiter

__all__ = ["RetryAttempt", "RetryAttempts", "RetryBudget", "backoff_ms", "hedge_ns"]


class _Backoff(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("jitter", u32),
        ("base_ms", u32),
        ("cap_ms", u32),
        ("seed", u64),
    ]


_ffi.check_layout(_Backoff, "limiter", 3)

_backoff_check = _ffi.declare("ttb_limiter_backoff_check", i32, ptr, ptr)
_backoff_ms = _ffi.declare("ttb_limiter_backoff_ms", i64, ptr, u32, u64)


def backoff_ms(
    attempt: int,
    previous_ms: int = 0,
    *,
    base_ms: int = 100,
    cap_ms: int = 20000,
    jitter: Jitter = Jitter.FULL,
    seed: Optional[int] = None,
) -> int:
    """How long to wait before a retry, in ms: exponential, with jitter. ``attempt``
    is 0 for the first wait; ``previous_ms``, the wait before, matters to
    DECORRELATED. Without a seed each call draws one; with one the same arguments
    give the same wait."""
    if seed is None:
        seed = random.getrandbits(64)
    config = _ffi.fill(
        _Backoff, {"jitter": jitter, "base_ms": base_ms, "cap_ms": cap_ms, "seed": seed}
    )
    number = _ffi.whole(attempt, "attempt", u32)
    before = _ffi.whole(previous_ms, "previous_ms", u64)
    wait: int = _backoff_ms(ctypes.byref(config), number, before)
    if wait < 0:
        detail = _ffi.Detail()
        _backoff_check(ctypes.byref(config), ctypes.byref(detail))
        raise TrimtabError(wait, str(detail))
    return wait


_hedge_ns = _ffi.declare("ttb_limiter_hedge_ns", i64, i64, u64, i32)


def hedge_ns(estimate_ns: int, latency_ns: int, quantile_ppm: int = 950_000) -> int:
    """When to send a hedge: the latency, in ns, that a share of the calls stay below.
    Keep what it returns (0 at first) and give it back with the latency of the next
    call. Ask a RetryBudget, as for a retry, before a hedge is sent."""
    estimate = _ffi.whole(estimate_ns, "estimate_ns", u64, 0, 2**63 - 1)
    latency = _ffi.whole(latency_ns, "latency_ns", u64)
    share = _ffi.whole(quantile_ppm, "quantile_ppm", i32)
    if estimate >> 63:
        raise TrimtabError(RANGE, "estimate_ns: %d is not within 0..2^63-1" % estimate)
    after: int = _hedge_ns(estimate, latency, share)
    if after < 0:
        raise TrimtabError(after, "quantile_ppm: %d is not within 1..999999" % share)
    return after


class RetryBudget(Limiter):
    """Retries at most a share of the calls, so that they cannot make an overload
    worse.

    By default each first attempt earns ``ratio_ppm`` of a retry for ``window_ms``
    and ``per_second`` retries a second are free. ``kind`` may also be
    LimiterKind.RETRY_TOKENS (gRPC's: ``tokens``, ``ratio_ppm``) or RETRY_CONCURRENT
    (Envoy's: ``budget_ppm``, ``min_retries``; join for it, so that what a killed
    worker had in flight comes back). `ask` is the number of attempts made before:
    0 is always granted."""

    _kinds = (LimiterKind.RETRY, LimiterKind.RETRY_TOKENS, LimiterKind.RETRY_CONCURRENT)

    def attempts(
        self,
        times: int = 3,
        *,
        retry_on: Kinds = (Exception,),
        slot: int = 0,
        key: Optional[Key] = None,
        ignore: Kinds = (),
        backoff: Callable[[int, int], int] = backoff_ms,
    ) -> "RetryAttempts":
        """For what may be done again: ``for attempt in budget.attempts(...)`` (or
        ``async for``), with the work ``with attempt:`` (``async with``).

        The loop ends with the first block that succeeds. An exception of a kind in
        ``retry_on`` is swallowed if the budget grants another attempt; the wait
        before it is ``backoff(attempt, previous_ms)`` ms, by time.sleep in a ``for``
        and asyncio.sleep in an ``async for``. Otherwise it comes through."""
        return RetryAttempts(self, times, retry_on, slot, key, ignore, backoff)


class RetryAttempts:
    """The attempts of one call, in a row."""

    def __init__(
        self,
        budget: RetryBudget,
        times: int,
        retry_on: Kinds,
        slot: int,
        key: Optional[Key],
        ignore: Kinds,
        backoff: Callable[[int, int], int],
    ) -> None:
        if times < 1:
            raise ValueError("times: at least 1, please, not %d" % times)
        self.budget, self.times, self.retry_on = budget, times, retry_on
        self.slot, self.key, self.ignore, self.backoff = slot, key, ignore, backoff

    def __iter__(self) -> Iterator["RetryAttempt"]:
        attempt: Optional[RetryAttempt] = RetryAttempt(self, 0, self._ask(0), 0)
        try:
            while attempt:
                if attempt.wait_ms:
                    time.sleep(attempt.wait_ms / 1000)
                yield attempt
                if not attempt._used:
                    break
                attempt = attempt._next
        finally:
            if attempt:
                attempt._drop()

    async def __aiter__(self) -> AsyncIterator["RetryAttempt"]:
        import asyncio  # not for those who have no use for it: it is large

        attempt: Optional[RetryAttempt] = RetryAttempt(self, 0, self._ask(0), 0)
        try:
            while attempt:
                if attempt.wait_ms:
                    await asyncio.sleep(attempt.wait_ms / 1000)
                yield attempt
                if not attempt._used:
                    break
                attempt = attempt._next
        finally:
            if attempt:
                attempt._drop()

    def _ask(self, number: int) -> int:
        if self.key is None:
            return self.budget.acquire(self.slot, number)
        return self.budget.acquire_key(self.key, number)


class RetryAttempt(Call):
    """One attempt. ``number`` is 0 for the first; ``wait_ms`` was waited before it."""

    _used = False
    _next: Optional["RetryAttempt"] = None

    def __init__(self, row: RetryAttempts, number: int, ticket: int, wait_ms: int) -> None:
        super().__init__(row.ignore)
        self.row, self.number, self.ticket, self.wait_ms = row, number, ticket, wait_ms

    def _begin(self) -> None:
        if self._used:
            raise RuntimeError("this attempt is over: the loop brings the next")
        self._used = True

    def _end(self, outcome: Outcome) -> None:
        if self.ticket >= 0:  # else a key that had no place: made, but not counted
            self.row.budget.report(self.ticket, outcome)

    def _drop(self) -> None:
        """Gives back what was granted for attempts nobody made."""
        if not self._used:
            self._used = True
            self._end(Outcome.CANCELLED)
        if self._next:
            self._next._drop()

    def __exit__(  # type: ignore[override]
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> bool:
        self._finish(error)
        row, number = self.row, self.number + 1
        if number >= row.times or not isinstance(error, row.retry_on):
            return False
        wait_ms = row.backoff(self.number, self.wait_ms)
        ticket = row._ask(number)
        if ticket < 0:
            return False
        self._next = RetryAttempt(row, number, ticket, wait_ms)
        return True

    async def __aexit__(  # type: ignore[override]
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> bool:
        return self.__exit__(kind, error, trace)
