# SPDX-License-Identifier: MIT
"""Circuit breakers that all workers of a host can share.

    breaker = Breaker(path="/dev/shm/payments", consecutive=5, open_ms=60000)

    @breaker
    def charge(amount): ...

Every gunicorn (uwsgi, multiprocessing) worker that opens the same path uses the
same breaker. See include/trimtab/breaker.h for the rules and every option.
"""
from __future__ import annotations

import ctypes
import os
from typing import NamedTuple, NoReturn, Optional, Sequence

from . import _ffi
from ._call import F, Guard, Kinds
from ._enums import BreakerPreset, BreakerState, Outcome
from ._ffi import Key, i32, i64, key_number, ptr, u32, u64
from ._object import Joinable, Kind, Numbers, keys_of, no_outcome, room
from .errors import HALF_OPEN_FULL, MISUSE, OPEN, RANGE, UNKNOWN_ID, TrimtabError, fail

__all__ = ["Breaker", "BreakerCall", "BreakerInfo", "BreakerState", "BreakerStats", "Outcome"]


class Config(_ffi.Struct):
    """ttb_breaker_config."""

    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("consecutive", i32),
        ("failure_rate_ppm", i32),
        ("window_ms", u32),
        ("min_calls", u32),
        ("open_ms", u32),
        ("half_open_probes", u32),
        ("half_open_successes", u32),
        ("lease_ms", u32),
        ("threads", u32),
        ("flags", u32),
        ("seed", u64),
        ("slow_rate_ppm", i32),
        ("half_open_calls", i32),
        ("half_open_rate_ppm", i32),
        ("open_growth_ppm", i32),
        ("open_max_ms", u32),
        ("open_jitter_ppm", i32),
        ("open_decay_ms", i32),
        ("window_calls", i32),
        ("ramp_ms", i32),
        ("ramp_start_ppm", i32),
        ("cusum_healthy_ppm", i32),
        ("cusum_bad_ppm", i32),
        ("cusum_calls", u64),
        ("key_idle_ms", i32),
        ("slow_ms", i32),
        ("average_success_ppm", i32),
        ("average_calls", i32),
        ("open_steps", i32),
        ("stripes", u32),
        ("tickets", u32),
        ("reserved", u32),
    ]


class _Info(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("state", i32),
        ("generation", u32),
        ("calls", u32),
        ("failures", u32),
        ("failure_rate_ppm", i32),
        ("consecutive", u32),
        ("probes_out", u32),
        ("probe_successes", u32),
        ("opened", u32),
        ("retry_after_ms", i64),
        ("slow", u32),
        ("slow_rate_ppm", i32),
        ("open_step", u32),
        ("probe_calls", u32),
        ("probe_failures", u32),
        ("probe_slow", u32),
        ("cusum", u32),
        ("cusum_limit", u32),
        ("key", u64),
        ("average_ppm", i32),
        ("slow_failures", u32),
        ("ignored", u32),
        ("successes_in_row", u32),
        ("duration_us", u64),
    ]


class _Stats(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("joined", u32),
        ("reserved", u32),
        ("refused", u64),
        ("stale", u64),
        ("clock_adoptions", u64),
    ]


_ffi.check_layout(Config, "breaker", 0)
_ffi.check_layout(_Info, "breaker", 1)
_ffi.check_layout(_Stats, "breaker", 2)

KIND = Kind("breaker", 48, Config)

_preset = _ffi.declare("ttb_breaker_preset", i32, i32, ptr)
_recover = KIND.declare("recover", i32, u64)
_acquire = KIND.declare("acquire", i64, u32, u64)
_report = KIND.declare("report", i32, i64, i32, u64)
_acquire_n = KIND.declare("acquire_n", i32, ptr, u32, u64, ptr)
_report_n = KIND.declare("report_n", i32, ptr, ptr, u32, u64, ptr)
_claim = KIND.declare("claim", i32, u64, u64)
_find = KIND.declare("find", i32, u64)
_acquire_key = KIND.declare("acquire_key", i64, u64, u64)
_acquire_key_n = KIND.declare("acquire_key_n", i32, ptr, u32, u64, ptr)
_set = KIND.declare("set", i32, u32, i32, u64)
_peek = KIND.declare("peek", i32, u32, u64)
_explain = KIND.declare("explain", i32, u32, u64, ptr)
_statistics = KIND.declare("statistics", i32, ptr)


class BreakerInfo(NamedTuple):
    """One breaker's state and the numbers behind it (ttb_breaker_info)."""

    state: BreakerState
    generation: int
    calls: int
    failures: int
    failure_rate_ppm: int
    consecutive: int
    probes_out: int
    probe_successes: int
    opened: int
    retry_after_ms: int
    slow: int
    slow_rate_ppm: int
    open_step: int
    probe_calls: int
    probe_failures: int
    probe_slow: int
    cusum: int
    cusum_limit: int
    key: int
    average_ppm: int
    slow_failures: int
    ignored: int
    successes_in_row: int
    duration_us: int


class BreakerStats(NamedTuple):
    """Counters of the whole table (ttb_breaker_stats)."""

    capacity: int
    joined: int
    refused: int
    stale: int
    clock_adoptions: int


class Breaker(Joinable):
    """A table of breakers; slot 0 is the one a single breaker uses.

    ``path`` names a file to share (in /dev/shm for memory); without one the
    breaker belongs to this process and to those it forks later. All other
    arguments are fields of ttb_breaker_config (`Breaker.options()` lists them):
    0 is the default, -1 is off. For a file that is there already its own
    configuration holds. Any number of threads may use one handle.
    """

    _kind = KIND

    @staticmethod
    def preset(which: BreakerPreset) -> dict[str, int]:
        """The options of a preset: ``Breaker(path, **Breaker.preset(BreakerPreset.DATABASE))``.
        Change what you like: ``{**Breaker.preset(...), "open_ms": 1000}``."""
        config = Config()
        number = _ffi.whole(which, "preset", i32)
        code: int = _preset(number, ctypes.byref(config))
        if code < 0:
            fail(code, "preset: %d is not within 1..%d" % (number, max(BreakerPreset)))
        said = {str(name): int(getattr(config, name)) for name, *_ in Config._fields_}
        del said["struct_size"]
        return {name: value for name, value in said.items() if value != 0}

    # -- the two verbs ----------------------------------------------------

    def acquire(self, slot: int = 0) -> int:
        """A ticket (0 or more), or a negative outcome: errors.OPEN,
        errors.HALF_OPEN_FULL. Never raises for a refusal."""
        if slot >> 32:  # ctypes would cut it
            raise TrimtabError(RANGE, "slot: %d is none" % slot)
        ticket: int = _acquire(self._handle, slot, self.clock())
        if -100 < ticket < 0:
            self._wrong(ticket, slot)
        return ticket

    def report(self, ticket: int, outcome: int = Outcome.SUCCESS) -> int:
        """0, a positive TTB_BREAKER_* if this report changed the state (1 opened,
        2 opened again, 3 closed; to exactly one caller each), or errors.STALE."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        code: int = _report(self._handle, ticket, outcome, self.clock())
        if -100 < code < 0:
            if code == RANGE and outcome > max(Outcome):
                no_outcome(outcome)
            self._fail(code, ticket)
        return code

    def acquire_n(self, slots: Sequence[int]) -> list[int]:
        """acquire for many slots in one call: tickets and refusals."""
        asked = Numbers("I", slots)
        tickets = room("q", asked.n)
        self._must(_acquire_n(self._handle, asked.at, asked.n, self.clock(), tickets.at))
        return tickets.array.tolist()

    def report_n(self, tickets: Sequence[int], outcomes: Sequence[int]) -> list[int]:
        """report for many tickets in one call. Refusals among the tickets are
        passed over and come back as errors.MISUSE."""
        given, how = Numbers("q", tickets), Numbers("i", outcomes)
        if given.n != how.n:
            raise ValueError("as many outcomes as tickets, please")
        codes = room("i", given.n)
        self._must(_report_n(self._handle, given.at, how.at, given.n, self.clock(), codes.at))
        return codes.array.tolist()

    # -- a breaker a key (key_idle_ms) ------------------------------------

    def claim(self, key: Key) -> int:
        """The slot of a key (a text or a number, 1..2^64-1-2^16), which gets one if
        it has none; or errors.LIMIT."""
        slot: int = _claim(self._handle, key_number(key), self.clock())
        if -100 < slot < 0:
            self._no_keys(slot)
        return slot

    def find(self, key: Key) -> Optional[int]:
        """The slot of a key, if it has one."""
        slot: int = _find(self._handle, key_number(key))
        if slot == UNKNOWN_ID:
            return None
        if slot < 0:
            self._no_keys(slot)
        return slot

    def acquire_key(self, key: Key) -> int:
        """acquire on the breaker of a key. Also errors.LIMIT: every slot this key
        could have is another's."""
        ticket: int = _acquire_key(self._handle, key_number(key), self.clock())
        if -100 < ticket < 0:
            self._no_keys(ticket)
        return ticket

    def acquire_key_n(self, keys: Sequence[Key]) -> list[int]:
        """acquire_key for many keys in one call: tickets and refusals."""
        asked = keys_of(keys)
        tickets = room("q", asked.n)
        self._must(_acquire_key_n(self._handle, asked.at, asked.n, self.clock(), tickets.at))
        return tickets.array.tolist()

    # -- guarding a call --------------------------------------------------

    def call(
        self, slot: int = 0, *, key: Optional[Key] = None, ignore: Kinds = ()
    ) -> "BreakerCall":
        """``with breaker.call():`` (or ``async with``) raises CircuitOpen when
        refused, and reports a failure if the block raises an Exception that is
        not of a kind in ``ignore``. ``@breaker.call(slot)`` guards a function.
        With ``key`` it is the breaker of that key (key_idle_ms)."""
        return BreakerCall(self, slot, key, ignore)

    def __call__(self, function: F) -> F:
        """As a decorator: guards every call of the function, coroutine function
        or generator function."""
        return self.call()(function)

    # -- the rest ---------------------------------------------------------

    def set(self, state: BreakerState, slot: int = 0) -> None:
        """Puts the breaker into a state by hand; CLOSED resets it."""
        code: int = _set(self._handle, self._slot(slot), state, self.clock())
        if code < 0:
            self._wrong(code, slot)

    def peek(self, slot: int = 0) -> bool:
        """Whether a call would pass now; takes nothing."""
        code: int = _peek(self._handle, self._slot(slot), self.clock())
        if code in (OPEN, HALF_OPEN_FULL):
            return False
        if code < 0:
            self._wrong(code, slot)
        return True

    def explain(self, slot: int = 0) -> BreakerInfo:
        """State and numbers of one breaker."""
        info = _Info()
        code: int = _explain(self._handle, self._slot(slot), self.clock(), ctypes.byref(info))
        if code < 0:
            self._wrong(code, slot)
        state, *others = (getattr(info, name) for name in BreakerInfo._fields)
        return BreakerInfo(BreakerState(state), *others)

    def statistics(self) -> BreakerStats:
        """Counters of the whole table."""
        stats = _Stats()
        self._must(_statistics(self._handle, ctypes.byref(stats)))
        return BreakerStats(*(getattr(stats, name) for name in BreakerStats._fields))

    @property
    def state(self) -> BreakerState:
        """State of slot 0."""
        return self.explain().state

    def recover(self, token: int) -> int:
        """Takes back the probes of a process you know to be dead; only on a
        joined handle. How many rows were freed."""
        return self._must(_recover(self._handle, _ffi.whole(token, "token", u64)))

    def _wrong(self, code: int, slot: int) -> NoReturn:
        """Says which slots there are, if it was that."""
        capacity = self.statistics().capacity if code == RANGE else 0
        if code == RANGE and not 0 <= slot < capacity:
            fail(code, "slot: %d is not within 0..%d" % (slot, capacity - 1))
        self._fail(code)

    def _no_keys(self, code: int) -> NoReturn:
        """A misuse of a live handle by a key: the table has none."""
        if code == MISUSE and self._handle is not None and self._pid in (0, os.getpid()):
            fail(code, "this table has no keys: make it with key_idle_ms=")
        self._fail(code)

    @staticmethod
    def _slot(slot: int) -> int:
        return _ffi.whole(slot, "slot", u32)


class BreakerCall(Guard):
    """One guarded call, or the decorator that makes one of every call."""

    def __init__(self, breaker: Breaker, slot: int, key: Optional[Key], ignore: Kinds) -> None:
        super().__init__(ignore)
        self.breaker, self.slot, self.key = breaker, slot, key

    def _fresh(self) -> "BreakerCall":
        return BreakerCall(self.breaker, self.slot, self.key, self.ignore)

    def _begin(self) -> None:
        breaker, key = self.breaker, self.key
        self.ticket = breaker.acquire(self.slot) if key is None else breaker.acquire_key(key)
        if self.ticket < 0:
            slot = self.slot if key is None else breaker.find(key)
            wait = -1 if slot is None else breaker.explain(slot).retry_after_ms
            fail(self.ticket, _ffi.strerror(self.ticket), wait)

    def _end(self, outcome: Outcome) -> None:
        self.breaker.report(self.ticket, outcome)
