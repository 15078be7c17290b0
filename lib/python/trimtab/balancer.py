# SPDX-License-Identifier: MIT
"""Which endpoint gets the next call: one choice shared by all workers of a host.

    balancer = Balancer(path="/dev/shm/backends", capacity=16)
    mine = balancer.join()
    mine.update({17: 1, 18: 2})                 # id: weight
    with mine.call() as call:
        send(backends[call.slot])

See include/trimtab/balancer.h for the algorithms and every option.
"""
from __future__ import annotations

import ctypes
from typing import Iterable, Mapping, NamedTuple, Sequence, Union

from . import _ffi
from ._enums import Algorithm, BalancerFlag, Cause, Outcome, Reason, Status
from ._ffi import i32, i64, ptr, u32, u64
from ._object import Kind, Numbers, no_outcome, room
from ._picker import EndpointCall, Picker, Verbs
from .errors import AGAIN, NOSPACE, RANGE, TrimtabError

__all__ = [
    "Algorithm",
    "Balancer",
    "BalancerFlag",
    "BalancerStats",
    "Cause",
    "EndpointCall",
    "EndpointInfo",
    "Reason",
    "Status",
]


class Config(_ffi.Struct):
    """ttb_balancer_config."""

    _fields_ = [
        ("struct_size", u32),
        ("algorithm", u32),
        ("capacity", u32),
        ("threads", u32),
        ("flags", u32),
        ("table_size", u32),
        ("wrr_order", u32),
        ("lease", u32),
        ("tickets", u32),
        ("bounded_ppm", i32),
        ("seed", u64),
        ("residency", u64),
        ("decay_ms", u32),
        ("choices", u32),
        ("exact", u32),
        ("bias_ppm", i32),
        ("zone", u32),
        ("zone_min", u32),
        ("overprovisioning_ppm", u32),
        ("panic_ppm", i32),
        ("slow_start_ms", u32),
        ("slow_start_rule", u32),
        ("slow_start_aggression_ppm", u32),
        ("slow_start_min_ppm", u32),
        ("probe_rate_ppm", u32),
        ("probe_age_ms", u32),
        ("rif_quantile_ppm", u32),
        ("error_penalty_ppm", u32),
        ("load_blackout_ms", i32),
        ("load_expiry_ms", i32),
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
        ("zone", u32),
        ("priority", u32),
        ("flags", u32),
        ("max_inflight", u32),
        ("tags", u64),
    ]


class _Stats(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("endpoints", u32),
        ("eligible", u32),
        ("joined", u32),
        ("table_length", u32),
        ("in_flight", u64),
        ("stale", u64),
        ("rebuilds", u64),
        ("weight_error_ppm", i32),
        ("reserved", u32),
        ("panics", u64),
    ]


class Endpoint(_ffi.Struct):
    """ttb_endpoint."""

    _fields_ = [
        ("struct_size", u32),
        ("weight", u32),
        ("id", u64),
        ("zone", u32),
        ("priority", u32),
        ("flags", u32),
        ("max_inflight", u32),
        ("tags", u64),
    ]


_ffi.check_layout(Config, "balancer", 0)
_ffi.check_layout(_Info, "balancer", 1)
_ffi.check_layout(_Stats, "balancer", 2)
_ffi.check_layout(Endpoint, "balancer", 3)

KIND = Kind("balancer", 96, Config)

_endpoint_check = _ffi.declare("ttb_balancer_endpoint_check", i32, ptr, ptr)
_recover = KIND.declare("recover", i32, u64)
_add = KIND.declare("add", i32, ptr)
_remove = KIND.declare("remove", i32, u64)
_set_weight = KIND.declare("set_weight", i32, u64, u32)
_update = KIND.declare("update", i32, ptr, u32, ptr)
_mark = KIND.declare("mark", i32, u32, u32, i32)
_set_status = KIND.declare("set_status", i32, u64, i32)
_set_status_n = KIND.declare("set_status_n", i32, ptr, ptr, u32, ptr)
_next = KIND.declare("next", i64, i64, i32, u64, u64, u64)
_explain = KIND.declare("explain", i32, u64, ptr, u32, ptr, u32)
_inspect = KIND.declare("inspect", i32, u32, ptr)
_statistics = KIND.declare("statistics", i32, ptr)


class EndpointInfo(NamedTuple):
    """One endpoint, and why it is not the next one (ttb_balancer_info)."""

    slot: int
    id: int
    weight: int
    in_flight: int
    causes: Cause
    status: Status
    reason: Reason
    generation: int


class BalancerStats(NamedTuple):
    """Numbers of the whole balancer (ttb_balancer_stats)."""

    capacity: int
    endpoints: int
    eligible: int
    joined: int
    table_length: int
    in_flight: int
    stale: int
    rebuilds: int
    weight_error_ppm: int


def checked_endpoint(id: int, weight: int) -> Endpoint:
    """An endpoint the library takes, or an error that says why not."""
    endpoint = _ffi.fill(Endpoint, {"id": id, "weight": weight})
    detail = _ffi.Detail()
    code = _endpoint_check(ctypes.byref(endpoint), ctypes.byref(detail))
    if code < 0:
        raise TrimtabError(code, str(detail))
    return endpoint


def _info_of(row: _Info) -> EndpointInfo:
    return EndpointInfo(
        row.slot,
        row.id,
        row.weight,
        row.in_flight,
        Cause(row.causes),
        Status(row.status),
        Reason(row.reason),
        row.generation,
    )


class Balancer(Picker):
    """A table of endpoints and an algorithm that chooses among them.

    ``path`` names a file to share (in /dev/shm for memory); without one the
    balancer belongs to this process and to those it forks later. All other
    arguments are fields of ttb_balancer_config (`Balancer.options()` lists them).
    Picking, reporting and changing the set take a handle made by `join`.
    """

    _kind = KIND
    _verbs = Verbs(KIND)

    # -- the set ----------------------------------------------------------

    def add(self, id: int, weight: int = 1) -> int:
        """Adds an endpoint; its slot."""
        return self._write(_add, ctypes.byref(checked_endpoint(id, weight)))

    def remove(self, id: int) -> None:
        """Removes one; calls in flight on it are reported as ever."""
        self._write(_remove, _ffi.whole(id, "id", u64))

    def set_weight(self, id: int, weight: int) -> None:
        """Sets a weight; 0 means no new calls until another is set."""
        number = _ffi.whole(weight, "weight", u32, 0, 65535)
        self._write(_set_weight, _ffi.whole(id, "id", u64), number)

    def update(self, endpoints: Union[Mapping[int, int], Iterable[int]]) -> None:
        """Makes the set equal to this one: ids with weights, or ids alone (weight
        1). Who stays keeps its slot and its calls in flight."""
        wanted = endpoints if isinstance(endpoints, Mapping) else dict.fromkeys(endpoints, 1)
        rows = (Endpoint * len(wanted))()
        for i, (id, weight) in enumerate(wanted.items()):
            rows[i] = checked_endpoint(id, weight)
        detail = _ffi.Detail()
        try:
            self._write(_update, rows, len(wanted), ctypes.byref(detail))
        except TrimtabError as error:
            if error.code in (RANGE, NOSPACE) and detail.code == error.code:
                raise TrimtabError(error.code, str(detail)) from None
            raise

    # -- eligibility ------------------------------------------------------

    def mark(self, slot: int, causes: Cause, on: bool = True) -> bool:
        """Sets or clears causes of one endpoint; whether that changed anything."""
        code = _mark(self._handle, _ffi.whole(slot, "slot", u32), causes, 1 if on else 0)
        return self._must(code) == 1

    def set_status(self, id: int, status: Status) -> None:
        """Says what is known of an endpoint's health."""
        self._must(_set_status(self._handle, _ffi.whole(id, "id", u64), status))

    def set_status_n(self, ids: Sequence[int], statuses: Sequence[int]) -> list[int]:
        """set_status for many endpoints in one call; a code for each."""
        who, what = Numbers("Q", ids), Numbers("i", statuses)
        if who.n != what.n:
            raise ValueError("as many statuses as ids, please")
        codes = room("i", who.n)
        self._must(_set_status_n(self._handle, who.at, what.at, who.n, codes.at))
        return codes.array.tolist()

    # -- more ways to pick ------------------------------------------------

    def next(
        self,
        ticket: int,
        outcome: int = Outcome.SUCCESS,
        latency_ns: int = 0,
        hash: int = 0,
    ) -> int:
        """Reports the last ticket and acquires the next in one call; the first
        time with ticket -1."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        if latency_ns < 0:
            raise ValueError("latency_ns: %d is negative" % latency_ns)
        taken: int = _next(self._handle, ticket, outcome, latency_ns, hash, self.clock())
        if -100 < taken < 0:
            self._fail(taken)
        return taken

    # -- the rest ---------------------------------------------------------

    def explain(self, hash: int = 0, excluded_slots: Sequence[int] = ()) -> list[EndpointInfo]:
        """One row an endpoint: what is known of it and why it is not the next one.
        Takes nothing. A handle that has not joined cannot tell the next one."""
        no = Numbers("I", excluded_slots)
        room_for = 16
        while True:
            rows = (_Info * room_for)()
            rows[0].struct_size = ctypes.sizeof(_Info)
            n = self._must(_explain(self._handle, hash, no.at, no.n, rows, room_for))
            if n <= room_for:
                return [_info_of(row) for row in rows[:n]]
            room_for = n

    def inspect(self, slot: int) -> EndpointInfo:
        """One endpoint by its slot."""
        row = _Info()
        self._must(_inspect(self._handle, _ffi.whole(slot, "slot", u32), ctypes.byref(row)))
        return _info_of(row)

    def statistics(self) -> BalancerStats:
        """Numbers of the whole balancer."""
        stats = _Stats()
        self._must(_statistics(self._handle, ctypes.byref(stats)))
        return BalancerStats(*(getattr(stats, name) for name in BalancerStats._fields))

    def recover(self, token: int) -> int:
        """Takes back what a process you know to be dead held: its calls in flight
        and a write it had begun. How many rows were freed."""
        return self._must(_recover(self._handle, _ffi.whole(token, "token", u64)))
