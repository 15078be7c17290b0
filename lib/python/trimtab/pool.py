# SPDX-License-Identifier: MIT
"""One acquire and one report over balancer, breaker and health.

    pool = Pool(path="/dev/shm/backends", breaker={"consecutive": 3})
    mine = pool.join()
    slot = mine.add(17)
    with mine.call() as call:
        send(backends[call.slot])
    mine.tick()                                 # ten times a second or so

See include/trimtab/pool.h for how the parts work together, and every option.
"""
from __future__ import annotations

import ctypes
from typing import (
    Any,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Type,
    Union,
)

from . import _ffi
from . import balancer as _balancer
from . import breaker as _breaker
from . import health as _health
from . import limiter as _limiter
from ._call import Kinds
from ._enums import (
    BreakerState,
    Cause,
    EventKind,
    Importance,
    LimiterKind,
    Outcome,
    Probing,
    Reason,
    Status,
)
from ._ffi import i32, i64, ptr, u32, u64
from ._object import Kind, Numbers, no_outcome, room
from ._picker import Attempt, EndpointCall, Picker, Verbs
from .errors import DUPLICATE, RANGE, STALE, UNKNOWN_ID, UNSUPPORTED, TrimtabError, fail
from .limiter import LimiterInfo

__all__ = ["Event", "EventKind", "Events", "Pool", "PoolInfo", "PoolStats", "Probing"]

MAX_WEIGHT = 1000  # TTB_POOL_MAX_WEIGHT


class Config(_ffi.Struct):
    """ttb_pool_config."""

    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("threads", u32),
        ("events", u32),
        ("probing", i32),
        ("degraded_weight_ppm", i32),
        ("seed", u64),
        ("balancer", ptr),
        ("breaker", ptr),
        ("health", ptr),
        ("limits", ptr),
        ("n_limits", u32),
        ("reserved", u32),
    ]


class _Info(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("slot", u32),
        ("id", u64),
        ("weight", u32),
        ("in_flight", u32),
        ("causes", u32),
        ("status", i32),
        ("reason", i32),
        ("generation", u32),
        ("weight_64ths", u32),
        ("breaker", i32),
        ("retry_after_ms", i64),
        ("eject_left_ms", i64),
    ]


class _Stats(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("endpoints", u32),
        ("eligible", u32),
        ("joined", u32),
        ("reserved", u32),
        ("in_flight", u64),
        ("stale", u64),
        ("refused", u64),
        ("events", u64),
        ("events_dropped", u64),
        ("limited", u64),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("now_ns", u64),
        ("id", u64),
        ("slot", u32),
        ("kind", i32),
        ("value", i64),
        ("token", u64),
        ("reserved", u64),
    ]


class _Call(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("flags", u32),
        ("hash", u64),
        ("attempt", u32),
        ("importance", u32),
        ("events", u32),
        ("n_excluded", u32),
        ("refused_by", i32),
        ("n_held", u32),
        ("ticket", i64),
        ("held_0", i64),
        ("held_1", i64),
        ("held_2", i64),
        ("held_3", i64),
        ("excluded_slots", ptr),
    ]


_ffi.check_layout(Config, "pool", 0)
_ffi.check_layout(_Info, "pool", 1)
_ffi.check_layout(_Stats, "pool", 2)
_ffi.check_layout(_Event, "pool", 3)
_ffi.check_layout(_Call, "pool", 4)

KIND = Kind("pool", 512, Config)

_recover = KIND.declare("recover", i32, u64, u64)
_add = KIND.declare("add", i32, ptr, u64)
_remove = KIND.declare("remove", i32, u64, u64)
_drain = KIND.declare("drain", i32, u64, i32, u64)
_set_weight = KIND.declare("set_weight", i32, u64, u32)
_tick = KIND.declare("tick", i32, u64)
_probe_due = KIND.declare("probe_due", i32, u64, ptr, u32)
_probe_result = KIND.declare("probe_result", i32, u32, i32, u64, u64)
_events = KIND.declare("events", i32, ptr, ptr, u32, ptr)
_explain = KIND.declare("explain", i32, u64, ptr, u32, u64, ptr, u32)
_inspect = KIND.declare("inspect", i32, u32, u64, ptr)
_statistics = KIND.declare("statistics", i32, ptr)
_acquire_ordinary = KIND.declare("acquire_ordinary", i64, u64, ptr, u32, u64)
_begin = KIND.declare("begin", i64, ptr, u64)
_end = KIND.declare("end", i32, ptr, i32, u64, u64)
_limit = KIND.declare("limit", i32, u32, u32, u64, ptr)
_is_probe = _ffi.declare("ttb_pool_is_probe", i32, i64)

_PARTS: Mapping[str, tuple[Type[_ffi.Struct], Any]] = {
    "balancer": (_balancer.Config, _balancer.KIND.check),
    "breaker": (_breaker.Config, _breaker.KIND.check),
    "health": (_health.Config, _health.KIND.check),
}


def _numbered(limits: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The dicts of a list, each with what it is called in errors."""
    if limits is None:
        return
    if isinstance(limits, (str, bytes, Mapping)) or not isinstance(limits, Sequence):
        raise TypeError("limits: a list of dicts of options, please, not %r" % (limits,))
    for number, given in enumerate(limits):
        if not isinstance(given, Mapping):
            raise TypeError("limits[%d]: a dict of options, please, not %r" % (number, given))
        yield "limits[%d]." % number, given


class PoolInfo(NamedTuple):
    """One endpoint as the pool sees it (ttb_pool_info)."""

    slot: int
    id: int
    weight: int
    in_flight: int
    causes: Cause
    status: Status
    reason: Reason
    generation: int
    weight_64ths: int
    breaker: BreakerState
    retry_after_ms: int
    eject_left_ms: int


class PoolStats(NamedTuple):
    """Numbers of the whole pool (ttb_pool_stats)."""

    capacity: int
    endpoints: int
    eligible: int
    joined: int
    in_flight: int
    stale: int
    refused: int
    events: int
    events_dropped: int
    limited: int


class Event(NamedTuple):
    """What happened to whom (ttb_pool_event)."""

    now_ns: int
    id: int
    slot: int
    kind: EventKind
    value: int
    token: int


def _info_of(row: _Info) -> PoolInfo:
    return PoolInfo(
        row.slot,
        row.id,
        row.weight,
        row.in_flight,
        Cause(row.causes),
        Status(row.status),
        Reason(row.reason),
        row.generation,
        row.weight_64ths,
        BreakerState(row.breaker),
        row.retry_after_ms,
        row.eject_left_ms,
    )


class Pool(Picker):
    """Endpoints that are taken out when they fail and probed back in.

    ``path`` names a file to share (in /dev/shm for memory); without one the pool
    belongs to this process and to those it forks later. Other arguments are
    fields of ttb_pool_config (`Pool.options()` lists them); ``balancer``,
    ``breaker`` and ``health`` take a dict of the part's options each, ``limits`` a
    list of up to four dicts of a `Limiter`'s. Everything but looking takes a handle
    made by `join`.

    Limits hold for all calls of the pool together. What a call holds of them is
    more than a ticket can say: such a pool is used by `call` and `attempts` only.
    """

    _kind = KIND
    _verbs = Verbs(KIND)

    def _config(self, values: Mapping[str, Any]) -> _ffi.Struct:
        parts_of = ("limits", *_PARTS)
        own = {name: value for name, value in values.items() if name not in parts_of}
        config = _ffi.fill(Config, own)
        parts = []  # the configuration points to them
        for name, (struct, check) in _PARTS.items():
            given = values.get(name)
            if given is None:
                continue
            if not isinstance(given, Mapping):
                raise TypeError("%s: a dict of options, please, not %r" % (name, given))
            part = _ffi.fill(struct, given, name + ".")
            detail = _ffi.Detail()
            code = check(ctypes.byref(part), ctypes.byref(detail))
            if code < 0:
                raise TrimtabError(code, "%s.%s" % (name, detail))
            setattr(config, name, ctypes.addressof(part))
            parts.append(part)
        limits = [
            _limiter.KIND.checked(_limiter.configured(given, of=of), of)
            for of, given in _numbered(values.get("limits"))
        ]
        rows = (_limiter.Config * len(limits))(*limits)
        if limits:
            config.limits, config.n_limits = ctypes.addressof(rows), len(limits)
        config.parts = [*parts, rows]
        return config

    def _take(self, handle: Any, *others: Any, **more: Any) -> None:
        super()._take(handle, *others, **more)
        there = _limit(handle, 0, 0, self.clock(), ctypes.byref(_limiter.Info()))
        self._limited: bool = there >= 0

    def _fail(self, code: int, ticket: int = 0) -> NoReturn:
        if code == UNSUPPORTED and self._limited:
            fail(code, "this pool has limits: use call() or attempts()")
        super()._fail(code, ticket)

    # -- guarding a call --------------------------------------------------

    def call(
        self,
        hash: int = 0,
        *,
        exclude: Sequence[int] = (),
        ignore: Kinds = (),
        importance: int = Importance.CRITICAL_PLUS,
        events: int = 0,
    ) -> EndpointCall:
        """``with pool.call() as call:`` (or ``async with``) picks `call.slot`, raises
        NoEndpoint if there is none and LimitExceeded if a limit refuses, measures
        the block by the clock and reports a failure if it raises an Exception that
        is not of a kind in ``ignore``. A bulkhead among the limits is asked for
        ``importance``, a rate for ``events`` (0 means 1)."""
        call = EndpointCall(self, hash, exclude, ignore)
        call.asks = (importance, events)
        return call

    def attempts(
        self,
        times: int = 3,
        *,
        retry_on: Kinds = (Exception,),
        hash: int = 0,
        ignore: Kinds = (),
        importance: int = Importance.CRITICAL_PLUS,
        events: int = 0,
    ) -> Iterator[Attempt]:
        """For what may be done again: each attempt goes to another endpoint.

            for attempt in pool.attempts(3, retry_on=(ConnectionError,)):
                with attempt as call:
                    answer = get(backends[call.slot])

        The loop ends with the first block that succeeds. The last one's exception
        comes through, and any that is not of a kind in ``retry_on``. If no other
        endpoint is left, NoEndpoint comes, and if a limit (a retry budget, say)
        refuses, LimitExceeded, with the former exception as its cause.
        """
        first = Attempt(self, hash, (), ignore, retry_on)
        first.asks = (importance, events)
        return self._attempts(times, first)

    def _open(self, call: EndpointCall) -> int:
        if not self._limited:
            return super()._open(call)
        no = Numbers("I", call.exclude)
        importance, events = call.asks
        held = _Call(
            hash=call.hash & (2**64 - 1),
            attempt=call.number,
            importance=_ffi.whole(importance, "importance", u32),
            events=_ffi.whole(events, "events", u32),
            n_excluded=no.n,
            excluded_slots=no.at,
        )
        ticket: int = _begin(self._handle, ctypes.byref(held), self.clock())
        if ticket == RANGE:
            fail(RANGE, "importance: %d, events: %d, or too many to exclude: %d"
                 % (importance, events, no.n))
        if ticket < 0:
            if held.refused_by < 0 or ticket > -100:
                self._must(ticket)
            self._refused(ticket, held)
        call.held = held
        return ticket

    def _refused(self, code: int, held: _Call) -> NoReturn:
        """Says which limit it was, and when to come back."""
        row = self.limit(held.refused_by)
        asked = {LimiterKind.BULKHEAD: held.importance, LimiterKind.RATE: held.events}
        wait = -1  # a throttle draws, a retry budget's first attempts are no measure
        if row.kind in (*asked, LimiterKind.ADAPTIVE):
            wait = self.limit(held.refused_by, asked.get(row.kind, 0)).retry_after_ms
        fail(code, "limits[%d], %s: %s" % (held.refused_by, row.kind.name, _ffi.strerror(code)),
             wait)

    def _shut(self, call: EndpointCall, outcome: int) -> None:
        if call.held is None:
            super()._shut(call, outcome)
            return
        held, call.held = call.held, None
        code: int = _end(self._handle, ctypes.byref(held), outcome, call.latency_ns, self.clock())
        if code != STALE:
            self._must(code)

    def limit(self, number: int = 0, ask: int = 0) -> LimiterInfo:
        """State and numbers of one of the pool's limits."""
        info = _limiter.Info()
        at, want = _ffi.whole(number, "number", u32), _ffi.whole(ask, "ask", u32)
        self._must(_limit(self._handle, at, want, self.clock(), ctypes.byref(info)))
        return _limiter.info_of(info)

    # -- the set ----------------------------------------------------------

    def add(self, id: int, weight: int = 1) -> int:
        """Adds an endpoint of weight 1..1000; its slot."""
        endpoint = _balancer.checked_endpoint(id, weight)
        if endpoint.weight > MAX_WEIGHT:
            raise TrimtabError(RANGE, "weight: %d is not within 1..%d" % (weight, MAX_WEIGHT))
        return self._write(_add, ctypes.byref(endpoint), self.clock())

    def remove(self, id: int) -> None:
        """Removes one; calls in flight on it are reported as ever."""
        self._write(_remove, _ffi.whole(id, "id", u64), self.clock())

    def set_weight(self, id: int, weight: int) -> None:
        """Sets a weight; 0 means no new calls until another is set."""
        number = _ffi.whole(weight, "weight", u32, 0, MAX_WEIGHT)
        self._write(_set_weight, _ffi.whole(id, "id", u64), number)

    def update(self, endpoints: Union[Mapping[int, int], Iterable[int]]) -> None:
        """Makes the set equal to this one, one step after the other: ids with
        weights, or ids alone (weight 1). All workers may do so with one list."""
        wanted = endpoints if isinstance(endpoints, Mapping) else dict.fromkeys(endpoints, 1)
        there = {row.id: row for row in self.explain()}
        for id in there.keys() - wanted.keys():
            self._unless(UNKNOWN_ID, self.remove, id)
        for id, weight in wanted.items():
            if id not in there:
                self._unless(DUPLICATE, self.add, id, weight)
            elif weight != there[id].weight or Cause.WEIGHT in there[id].causes:
                self._unless(UNKNOWN_ID, self.set_weight, id, weight)

    @staticmethod
    def _unless(code: int, function: Callable[..., object], *arguments: int) -> None:
        """Another worker may have done it just before."""
        try:
            function(*arguments)
        except TrimtabError as error:
            if error.code != code:
                raise

    def drain(self, id: int, on: bool = True) -> None:
        """Begins or ends a drain: no new calls, those in flight go on."""
        self._must(_drain(self._handle, _ffi.whole(id, "id", u64), 1 if on else 0, self.clock()))

    # -- what somebody has to do now and then -----------------------------

    def tick(self) -> int:
        """Brings everything up to time; several times a second, by one worker or
        all. How many endpoints changed."""
        return self._must(_tick(self._handle, self.clock()))

    def probe_due(self, n: int = 64) -> list[int]:
        """Up to n slots that should be probed now, each handed to one caller."""
        slots = room("I", _ffi.whole(n, "n", u32))
        got = self._must(_probe_due(self._handle, self.clock(), slots.at, n))
        return slots.array[:got].tolist()

    def probe_result(
        self, slot: int, outcome: int = Outcome.SUCCESS, latency_ns: int = 0
    ) -> Optional[Status]:
        """Says how a probe ended. The new status if this changed it."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        at = _ffi.whole(slot, "slot", u32)
        took = _ffi.whole(latency_ns, "latency_ns", u64)
        code: int = _probe_result(self._handle, at, outcome, took, self.clock())
        if code != STALE:  # nobody lives there any more: nothing to say
            self._must(code)
        return Status(code) if code > 0 else None

    def recover(self, token: int) -> int:
        """Takes back what a process you know to be dead held: calls in flight,
        breaker probes, a write it had begun. How many rows were freed."""
        name = _ffi.whole(token, "token", u64)
        return self._must(_recover(self._handle, name, self.clock()))

    # -- looking ----------------------------------------------------------

    def acquire_ordinary(self, excluded_slots: Sequence[int] = (), hash: int = 0) -> int:
        """acquire_except, but never a probe: for calls that cannot be done again."""
        no = Numbers("I", excluded_slots)
        ticket: int = _acquire_ordinary(self._handle, hash, no.at, no.n, self.clock())
        if -100 < ticket < 0:
            self._fail(ticket)
        return ticket

    @staticmethod
    def is_probe(ticket: int) -> bool:
        """Whether a ticket is a probe for an endpoint's breaker: send along only
        what can be done again."""
        return bool(_is_probe(ticket) == 1)

    def events(self, cursor: int = 0) -> "Events":
        """The events, for one reader, from the oldest kept."""
        return Events(self, cursor)

    def explain(self, hash: int = 0, excluded_slots: Sequence[int] = ()) -> list[PoolInfo]:
        """One row an endpoint: what is known of it and why it is not the next one.
        Takes nothing. A handle that has not joined cannot tell the next one."""
        no = Numbers("I", excluded_slots)
        room_for = 16
        while True:
            rows = (_Info * room_for)()
            rows[0].struct_size = ctypes.sizeof(_Info)
            now = self.clock()
            n = self._must(_explain(self._handle, hash, no.at, no.n, now, rows, room_for))
            if n <= room_for:
                return [_info_of(row) for row in rows[:n]]
            room_for = n

    def inspect(self, slot: int) -> PoolInfo:
        """One endpoint by its slot."""
        row = _Info()
        at = _ffi.whole(slot, "slot", u32)
        self._must(_inspect(self._handle, at, self.clock(), ctypes.byref(row)))
        return _info_of(row)

    def statistics(self) -> PoolStats:
        """Numbers of the whole pool."""
        stats = _Stats()
        self._must(_statistics(self._handle, ctypes.byref(stats)))
        return PoolStats(*(getattr(stats, name) for name in PoolStats._fields))


class Events:
    """A reader of a pool's events. Each `for` goes on where the last one ended and
    ends where nothing new is left; `lost` counts what was overwritten unread."""

    def __init__(self, pool: Pool, cursor: int) -> None:
        self.pool = pool
        self._cursor = u64(cursor)
        self._lost = u64(0)

    @property
    def cursor(self) -> int:
        """Where this reader is; `pool.events(cursor)` goes on from there."""
        return int(self._cursor.value)

    @property
    def lost(self) -> int:
        """Events that this reader came too late for."""
        return int(self._lost.value)

    def read(self, n: int = 64) -> list[Event]:
        """Up to n events."""
        rows = (_Event * _ffi.whole(n, "n", u32))()
        cursor, lost = ctypes.byref(self._cursor), ctypes.byref(self._lost)
        got = self.pool._must(_events(self.pool._handle, cursor, rows, n, lost))
        return [
            Event(e.now_ns, e.id, e.slot, EventKind(e.kind), e.value, e.token) for e in rows[:got]
        ]

    def __iter__(self) -> Iterator[Event]:
        # One at a time: whoever breaks off the loop has lost nothing.
        while True:
            one = self.read(1)
            if not one:
                return
            yield one[0]
