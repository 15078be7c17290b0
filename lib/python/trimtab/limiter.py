# SPDX-License-Identifier: MIT
"""Limits that all workers of a host share: how many at once, how many a second,
how many retries, how much of an overload.

    db = Bulkhead("/dev/shm/db", permits=20).join()      # 20, not 20 a worker

    with db.hold():                                      # or @db; else LimitExceeded
        query()

`Limiter` is any of them; Bulkhead, RateLimit, RetryBudget, Throttle and
AdaptiveLimit are it with the kind said. See include/trimtab/limiter.h for the
rules and every option.

I1  A limit of one kind is never taken for another: options of other kinds are a
    TypeError, a file that holds another kind is a TrimtabError.
"""
from __future__ import annotations

import ctypes
import time
from typing import (
    Any,
    Callable,
    ClassVar,
    Mapping,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from . import _ffi
from ._call import F, Guard, Kinds
from ._enums import LimiterKind, Outcome
from ._ffi import Key, i32, i64, key_number, ptr, u32, u64
from ._object import Joinable, Kind, Numbers, keys_of, no_outcome, room
from .errors import LIMIT, MISMATCH, NOSPACE, RANGE, THROTTLED, UNSUPPORTED
from .errors import LimitExceeded, TrimtabError, fail

__all__ = [
    "AdaptiveLimit",
    "Bulkhead",
    "Limiter",
    "LimiterCall",
    "LimiterInfo",
    "LimiterStats",
    "RateLimit",
    "Throttle",
]


class Config(_ffi.Struct):
    """ttb_limiter_config."""

    _fields_ = [
        ("struct_size", u32),
        ("kind", u32),
        ("capacity", u32),
        ("threads", u32),
        ("permits", u32),
        ("reserve_1", u32),
        ("reserve_2", u32),
        ("reserve_3", u32),
        ("lease_ms", i32),
        ("rate", u32),
        ("period_ms", u32),
        ("burst", u32),
        ("window_ms", u32),
        ("ratio_ppm", i32),
        ("per_second", i32),
        ("tokens", u32),
        ("accept_ppm", i32),
        ("aggression", u32),
        ("max_reject_ppm", i32),
        ("min_requests", u32),
        ("seed", u64),
        ("flags", u32),
        ("algorithm", u32),
        ("initial_limit", u32),
        ("min_limit", u32),
        ("max_limit", u32),
        ("limit_window_ms", i32),
        ("limit_samples", u32),
        ("smoothing_ppm", i32),
        ("backoff_ppm", i32),
        ("timeout_ms", i32),
        ("alpha", u32),
        ("beta", u32),
        ("queue", u32),
        ("long_window", u32),
        ("tolerance_ppm", i32),
        ("buffer_ppm", i32),
        ("measure_ms", u32),
        ("measure_samples", u32),
        ("measure_jitter_ppm", i32),
        ("quantile_ppm", i32),
        ("budget_ppm", i32),
        ("min_retries", i32),
    ]


class Info(_ffi.Struct):
    """ttb_limiter_info."""

    _fields_ = [
        ("struct_size", u32),
        ("kind", u32),
        ("available", u32),
        ("in_use", u32),
        ("reject_ppm", i32),
        ("reserved", u32),
        ("requests", u64),
        ("accepts", u64),
        ("balance_ppm", i64),
        ("retry_after_ns", i64),
        ("latency_ns", u64),
        ("limit", u32),
        ("measuring", i32),
    ]


class _Stats(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("joined", u32),
        ("kind", u32),
        ("refused", u64),
        ("stale", u64),
        ("clock_adoptions", u64),
    ]


_ffi.check_layout(Config, "limiter", 0)
_ffi.check_layout(Info, "limiter", 1)
_ffi.check_layout(_Stats, "limiter", 2)

KIND = Kind("limiter", 32, Config)

_recover = KIND.declare("recover", i32, u64)
_acquire = KIND.declare("acquire", i64, u32, u32, u64)
_report = KIND.declare("report", i32, i64, i32, u64)
_acquire_n = KIND.declare("acquire_n", i32, ptr, ptr, u32, u64, ptr)
_report_n = KIND.declare("report_n", i32, ptr, ptr, u32, u64, ptr)
_claim = KIND.declare("claim", i32, u64, u64)
_acquire_key = KIND.declare("acquire_key", i64, u64, u32, u64)
_acquire_key_n = KIND.declare("acquire_key_n", i32, ptr, ptr, u32, u64, ptr)
_peek = KIND.declare("peek", i32, u32, u32, u64)
_explain = KIND.declare("explain", i32, u32, u32, u64, ptr)
_statistics = KIND.declare("statistics", i32, ptr)
_holders = KIND.declare("holders", i32, u32, u64, ptr, ptr, u32)

FULL = "every place this key could have is another's: raise capacity="

# Which options concern which kind.
COMMON = ("kind", "capacity", "threads", "seed", "flags")
OPTIONS: Mapping[LimiterKind, Tuple[str, ...]] = {
    LimiterKind.BULKHEAD: ("permits", "reserve_1", "reserve_2", "reserve_3", "lease_ms"),
    LimiterKind.RATE: ("rate", "period_ms", "burst"),
    LimiterKind.RETRY: ("window_ms", "ratio_ppm", "per_second"),
    LimiterKind.RETRY_TOKENS: ("tokens", "ratio_ppm"),
    LimiterKind.RETRY_CONCURRENT: ("budget_ppm", "min_retries"),
    LimiterKind.THROTTLE: (
        "window_ms", "accept_ppm", "aggression", "max_reject_ppm", "min_requests"),
    LimiterKind.ADAPTIVE: (
        "algorithm", "initial_limit", "min_limit", "max_limit", "limit_window_ms",
        "limit_samples", "smoothing_ppm", "backoff_ppm", "timeout_ms", "alpha", "beta", "queue",
        "long_window", "tolerance_ppm", "buffer_ppm", "measure_ms", "measure_samples",
        "measure_jitter_ppm", "quantile_ppm", "lease_ms"),
}


class LimiterInfo(NamedTuple):
    """One key's state (ttb_limiter_info)."""

    kind: LimiterKind
    available: int
    in_use: int
    reject_ppm: int
    requests: int
    accepts: int
    balance_ppm: int
    retry_after_ns: int
    latency_ns: int
    limit: int
    measuring: bool

    @property
    def retry_after_ms(self) -> int:
        """When to ask again: 0 now, -1 when others report or time passes."""
        return -1 if self.retry_after_ns < 0 else -(-self.retry_after_ns // 1_000_000)


class LimiterStats(NamedTuple):
    """Counters of the whole table (ttb_limiter_stats)."""

    capacity: int
    joined: int
    kind: LimiterKind
    refused: int
    stale: int
    clock_adoptions: int


def info_of(row: Info) -> LimiterInfo:
    """A row of the library's as ours."""
    values = {name: getattr(row, name) for name in LimiterInfo._fields}
    values.update(kind=LimiterKind(row.kind), measuring=bool(row.measuring))
    return LimiterInfo(**values)


def configured(
    values: Mapping[str, Any], kinds: Tuple[LimiterKind, ...] = tuple(LimiterKind), of: str = ""
) -> Config:
    """A configuration with these values, of one of these kinds: the first if they
    name none. Options of another kind are a TypeError."""
    config = _ffi.fill(Config, values, of)
    number = config.kind or kinds[0]
    if number not in kinds:
        names = ", ".join("%s (%d)" % (kind.name, kind) for kind in kinds)
        raise TrimtabError(RANGE, "%skind: %d is none of %s" % (of, number, names))
    kind = LimiterKind(number)
    for name in values:
        if name not in COMMON and name not in OPTIONS[kind]:
            raise TypeError(
                "%s%s: no option of kind %s, which has: %s"
                % (of, name, kind.name, ", ".join(OPTIONS[kind]))
            )
    config.kind = kind
    return config


class Limiter(Joinable):
    """A table of limits of one kind; slot 0 is the one a single limit uses.

    ``path`` names a file to share (in /dev/shm for memory); without one the limit
    belongs to this process and to those it forks later. All other arguments are
    fields of ttb_limiter_config that concern the kind (`Limiter.options()` lists
    all): 0 is the default, -1 is off. For a file that is there already its own
    configuration holds, but another kind is an error. Any number of threads may
    use one handle.

    What a call asks for (``ask``) depends on the kind: a bulkhead takes an
    `Importance`, a rate the number of events (0 means 1), a retry budget the
    attempts made before, the others nothing.

    `join`, if what a killed worker held shall be taken back by `recover`; a
    bulkhead or adaptive limit that several processes share and that has neither
    that nor ``lease_ms`` loses a permit for good with each kill.
    """

    _kind = KIND
    _kinds: ClassVar[Tuple[LimiterKind, ...]] = tuple(LimiterKind)

    def __init__(
        self,
        path: Optional[str] = None,
        *,
        mode: int = 0o600,
        clock: Callable[[], int] = time.monotonic_ns,
        **config: Union[int, Mapping[str, int], Sequence[Mapping[str, int]], None],
    ) -> None:
        super().__init__(path, mode=mode, clock=clock, **config)
        there = self.statistics().kind
        meant = (config["kind"],) if config.get("kind") else self._kinds
        if there not in meant:
            self.close()
            raise TrimtabError(MISMATCH, "%s holds a limit of kind %s" % (path, there.name))

    def _config(self, values: Mapping[str, Any]) -> _ffi.Struct:
        return configured(values, self._kinds)

    @classmethod
    def options(cls) -> list[_ffi.Option]:
        """The keyword arguments there are: name, default, range and unit."""
        mine = {*COMMON, *(name for kind in cls._kinds for name in OPTIONS[kind])}
        return [
            option._replace(default=int(cls._kinds[0])) if option.name == "kind" else option
            for option in super().options()
            if option.name in mine
        ]

    # -- the two verbs ----------------------------------------------------

    def acquire(self, slot: int = 0, ask: int = 0) -> int:
        """A ticket (0 or more), or a negative outcome: errors.LIMIT,
        errors.THROTTLED. Never raises for a refusal."""
        if slot >> 32 or ask >> 32:  # ctypes would cut it
            self._wrong(RANGE, slot, ask)
        ticket: int = _acquire(self._handle, slot, ask, self.clock())
        if -100 < ticket < 0:
            self._wrong(ticket, slot, ask)
        return ticket

    def report(self, ticket: int, outcome: int = Outcome.SUCCESS) -> int:
        """Says how the call of a ticket ended: 0, or errors.STALE (nothing
        changed). Outcome.CANCELLED gives back what was not used."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        code: int = _report(self._handle, ticket, outcome, self.clock())
        if -100 < code < 0:
            if code == RANGE:
                fail(code, "outcome: %d is none; or the ticket is another table's" % outcome)
            self._fail(code, ticket)
        return code

    def acquire_n(self, slots: Sequence[int], asks: Optional[Sequence[int]] = None) -> list[int]:
        """acquire for many slots in one call: tickets and refusals."""
        return self._many(_acquire_n, Numbers("I", slots), asks)

    def report_n(
        self, tickets: Sequence[int], outcomes: Optional[Sequence[int]] = None
    ) -> list[int]:
        """report for many tickets in one call; without outcomes all succeeded.
        Refusals among the tickets are passed over and come back as errors.MISUSE."""
        given = Numbers("q", tickets)
        how = room("i", given.n) if outcomes is None else Numbers("i", outcomes)
        if given.n != how.n:
            raise ValueError("as many outcomes as tickets, please")
        codes = room("i", given.n)
        self._must(_report_n(self._handle, given.at, how.at, given.n, self.clock(), codes.at))
        return codes.array.tolist()

    # -- a limit a key (LimiterFlag.KEYED) --------------------------------

    def claim(self, key: Key) -> int:
        """The slot of a key (a text, or a number but 0), which gets one if it has
        none; or errors.NOSPACE: every place this key could have is another's.
        Claim anew for each call: an idle key may lose its slot."""
        slot: int = _claim(self._handle, key_number(key), self.clock())
        if slot < 0 and slot != NOSPACE:
            self._wrong(slot, 0, 0)
        return slot

    def acquire_key(self, key: Key, ask: int = 0) -> int:
        """acquire on the limit of a key. Also errors.NOSPACE, as of `claim`: what to
        do with a client that cannot be counted is yours to say."""
        if ask >> 32:
            self._wrong(RANGE, 0, ask)
        ticket: int = _acquire_key(self._handle, key_number(key), ask, self.clock())
        if -100 < ticket < 0 and ticket != NOSPACE:
            self._wrong(ticket, 0, ask)
        return ticket

    def acquire_key_n(
        self, keys: Sequence[Key], asks: Optional[Sequence[int]] = None
    ) -> list[int]:
        """acquire_key for many keys in one call: tickets and refusals."""
        return self._many(_acquire_key_n, keys_of(keys), asks)

    def _many(self, function: Any, of: Numbers, asks: Optional[Sequence[int]]) -> list[int]:
        wants = None if asks is None else Numbers("I", asks)
        if wants is not None and wants.n != of.n:
            raise ValueError("as many asks as calls, please")
        tickets = room("q", of.n)
        at = wants.at if wants else None
        self._must(function(self._handle, of.at, at, of.n, self.clock(), tickets.at))
        return tickets.array.tolist()

    # -- guarding a call --------------------------------------------------

    def hold(
        self, slot: int = 0, ask: int = 0, *, key: Optional[Key] = None, ignore: Kinds = ()
    ) -> "LimiterCall":
        """``with limit.hold():`` (or ``async with``) raises LimitExceeded when
        refused, and reports a failure if the block raises an Exception that is not
        of a kind in ``ignore``. ``@limit.hold(...)`` guards a function. With ``key``
        it is the limit of that key."""
        return LimiterCall(self, slot, ask, key, ignore)

    def __call__(self, function: F) -> F:
        """As a decorator: guards every call of the function, coroutine function
        or generator function."""
        return self.hold()(function)

    # -- the rest ---------------------------------------------------------

    def peek(self, slot: int = 0, ask: int = 0, *, key: Optional[Key] = None) -> bool:
        """Whether acquire would grant it now; takes nothing. A throttle draws: it
        is True unless the refusal is certain."""
        at = self._at(slot, key)
        code = NOSPACE if at < 0 else _peek(self._handle, at, self._ask(ask), self.clock())
        if code in (LIMIT, THROTTLED, NOSPACE):
            return False
        if code < 0:
            self._wrong(code, slot, ask)
        return True

    def explain(self, slot: int = 0, ask: int = 0, *, key: Optional[Key] = None) -> LimiterInfo:
        """State and numbers of one limit; `available` and `retry_after_ms` are for
        this `ask`."""
        at = self._at(slot, key)
        if at < 0:
            fail(NOSPACE, FULL)
        info = Info()
        code = _explain(self._handle, at, self._ask(ask), self.clock(), ctypes.byref(info))
        if code < 0:
            self._wrong(code, slot, ask)
        return info_of(info)

    def holders(self, slot: int = 0, *, key: Optional[Key] = None) -> dict[int, int]:
        """Who holds permits now, and how many: by the token of join, which is a
        process id unless you said otherwise. 0 is for handles that never joined.
        One that is dead and still here wants recover()."""
        at = self._at(slot, key)
        if at == NOSPACE:
            fail(NOSPACE, FULL)
        tokens, held = room("Q", 255), room("I", 255)
        n: int = _holders(self._handle, at, self.clock(), tokens.at, held.at, 255)
        if n < 0:
            self._wrong(n, slot, 0)
        return dict(zip(tokens.array[:n], held.array[:n]))

    def statistics(self) -> LimiterStats:
        """Counters of the whole table."""
        stats = _Stats()
        self._must(_statistics(self._handle, ctypes.byref(stats)))
        return LimiterStats(
            stats.capacity,
            stats.joined,
            LimiterKind(stats.kind),
            stats.refused,
            stats.stale,
            stats.clock_adoptions,
        )

    def recover(self, token: int) -> int:
        """Takes back the permits of a process you know to be dead; only on a
        joined handle. How many rows were freed."""
        return self._must(_recover(self._handle, _ffi.whole(token, "token", u64)))

    # -- within -----------------------------------------------------------

    def _at(self, slot: int, key: Optional[Key]) -> int:
        """The slot that is meant, or NOSPACE."""
        return _ffi.whole(slot, "slot", u32) if key is None else self.claim(key)

    @staticmethod
    def _ask(ask: int) -> int:
        return _ffi.whole(ask, "ask", u32)

    def _wrong(self, code: int, slot: int, ask: int) -> NoReturn:
        """Says which of the arguments an error is about."""
        if code == RANGE:
            capacity = self.statistics().capacity
            if not 0 <= slot < capacity:
                fail(code, "slot: %d is not within 0..%d" % (slot, capacity - 1))
            kind = self.statistics().kind
            fail(code, "ask: %d is too much for a limit of kind %s" % (ask, kind.name))
        if code == UNSUPPORTED:
            fail(code, "this table has no keys: make it with flags=LimiterFlag.KEYED")
        self._fail(code)


class LimiterCall(Guard):
    """One call under a limit, or the decorator that makes one of every call."""

    def __init__(
        self, limiter: Limiter, slot: int, ask: int, key: Optional[Key], ignore: Kinds
    ) -> None:
        super().__init__(ignore)
        self.limiter, self.slot, self.ask, self.key = limiter, slot, ask, key

    def _fresh(self) -> "LimiterCall":
        return LimiterCall(self.limiter, self.slot, self.ask, self.key, self.ignore)

    def _begin(self) -> None:
        limiter, key = self.limiter, self.key
        if key is None:
            self.ticket = limiter.acquire(self.slot, self.ask)
        else:
            self.ticket = limiter.acquire_key(key, self.ask)
        if self.ticket == NOSPACE:
            raise LimitExceeded(NOSPACE, FULL)
        if self.ticket < 0:
            wait = -1  # a throttle draws, and asking again makes it worse
            if self.ticket != THROTTLED:
                wait = limiter.explain(self.slot, self.ask, key=key).retry_after_ms
            fail(self.ticket, _ffi.strerror(self.ticket), wait)

    def _end(self, outcome: Outcome) -> None:
        self.limiter.report(self.ticket, outcome)


class Bulkhead(Limiter):
    """At most ``permits`` calls at once, in all processes together.

    With ``reserve_1``..``reserve_3`` the less important calls (`ask`, an
    `Importance`) leave some permits alone. With ``lease_ms`` a permit also lapses
    by itself: set it above the slowest call."""

    _kinds = (LimiterKind.BULKHEAD,)


class RateLimit(Limiter):
    """``rate`` events in ``period_ms`` (a second), ``burst`` of them at once.

    `ask` is how many events a call is, 0 meaning 1. With flags=LimiterFlag.KEYED
    each key (a client, a tenant) has a limit of its own; make `capacity` twice the
    number of keys that are busy at once."""

    _kinds = (LimiterKind.RATE,)


class Throttle(Limiter):
    """Refuses at home a share of the calls that would be refused over there: the
    client-side throttle of the Google SRE book. Failures are what counts, so
    `ignore` exceptions that say nothing of the other side's load."""

    _kinds = (LimiterKind.THROTTLE,)


class AdaptiveLimit(Limiter):
    """As many calls at once as the other side can take, found out from how long
    they take (``algorithm``, a `LimitAlgorithm`). A failure counts as a sign of
    overload, so `ignore` exceptions that are none."""

    _kinds = (LimiterKind.ADAPTIVE,)
