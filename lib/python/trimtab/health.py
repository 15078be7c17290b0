# SPDX-License-Identifier: MIT
"""What is known of the health of targets, shared by all workers of a host, and how
a service tells others of its own.

    health = Health("/dev/shm/health", capacity=3, eject=Eject.ROBUST)

    for slot in health.due():                        # some worker probes
        health.report(slot, probe(slot))
    health.observe(1, FailureCause.GATEWAY)          # and all watch their traffic
    health.tick()                                    # several times a second

    ready = health.view([Member("db", 0), Member("cache", 1, Criticality.OPTIONAL)])
    answer = ready.json()                            # .http_code, .text

Nothing is ever held by anybody, so there is nothing to join or to recover. See
include/trimtab/health.h for the rules and every option.
"""
from __future__ import annotations

import ctypes
import time
from typing import Any, Iterable, NamedTuple, NoReturn, Optional, Sequence

from . import _ffi
from ._enums import Criticality, HealthReason, Outcome, Pace, Status
from ._ffi import i32, i64, ptr, u32, u64
from ._object import Kind, Numbers, Object, no_outcome, room
from .errors import MISUSE, RANGE, TrimtabError, fail

__all__ = [
    "Health",
    "HealthInfo",
    "HealthStats",
    "HealthSummary",
    "HealthText",
    "HealthView",
    "Member",
]

EJECTED = 16  # TTB_HEALTH_EJECTED
NEVER = 2**63 - 1


class Config(_ffi.Struct):
    """ttb_health_config."""

    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("rise", u32),
        ("fall", u32),
        ("degrade_after", i32),
        ("start", i32),
        ("degraded_ms", i32),
        ("recover_ms", u32),
        ("fail_ms", i32),
        ("ttl_ms", i32),
        ("max_pause_ms", i32),
        ("interval_ms", u32),
        ("fast_interval_ms", u32),
        ("down_interval_ms", u32),
        ("jitter_ppm", i32),
        ("lease_ms", u32),
        ("passive_errors", i32),
        ("passive_action", i32),
        ("half_life_ms", u32),
        ("flags", u32),
        ("seed", u64),
        ("eject", i32),
        ("eject_interval_ms", u32),
        ("eject_base_ms", u32),
        ("eject_max_ms", u32),
        ("eject_jitter_ms", i32),
        ("eject_max_ppm", i32),
        ("eject_min_kept", i32),
        ("eject_systemic_ppm", i32),
        ("eject_errors", i32),
        ("eject_gateway", i32),
        ("eject_local", i32),
        ("eject_hosts", u32),
        ("eject_requests", u32),
        ("eject_stdev_ppm", i32),
        ("eject_failure_ppm", i32),
        ("eject_failure_hosts", u32),
        ("eject_failure_requests", u32),
        ("eject_z_ppm", i32),
        ("eject_gap_ppm", i32),
        ("enforce_errors_ppm", i32),
        ("enforce_gateway_ppm", i32),
        ("enforce_local_ppm", i32),
        ("enforce_rate_ppm", i32),
        ("enforce_failure_ppm", i32),
    ]


class _Info(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("status", i32),
        ("reason", i32),
        ("enabled", i32),
        ("generation", u32),
        ("passes", u32),
        ("failures", u32),
        ("counter", u32),
        ("errors", u32),
        ("pace", i32),
        ("changes", u32),
        ("reserved", u32),
        ("since_ms", i64),
        ("age_ms", i64),
        ("next_due_ms", i64),
        ("latency_ns", u64),
        ("latency_avg_ns", u64),
        ("ejected", i32),
        ("ejections", u32),
        ("eject_left_ms", i64),
        ("calls", u32),
        ("call_failures", u32),
    ]


class _Stats(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("capacity", u32),
        ("enabled", u32),
        ("unknown", u32),
        ("healthy", u32),
        ("degraded", u32),
        ("unhealthy", u32),
        ("stale", u32),
        ("changes", u64),
        ("late", u64),
        ("pauses", u64),
        ("clock_adoptions", u64),
        ("ejected", u32),
        ("judged", u32),
        ("sweeps", u64),
        ("detected", u64),
        ("enforced", u64),
        ("overflows", u64),
        ("systemic", u64),
        ("mean_ppm", i32),
        ("threshold_ppm", i32),
    ]


class _Member(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("slot", u32),
        ("criticality", i32),
        ("reserved", u32),
        ("name", ptr),
        ("measurement", ptr),
        ("id", ptr),
        ("type", ptr),
        ("output", ptr),
    ]


class _View(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("count", u32),
        ("at_least", i32),
        ("degraded_as", i32),
        ("unknown_as", i32),
        ("stale_as", i32),
        ("http_pass", i32),
        ("http_warn", i32),
        ("http_fail", i32),
        ("reserved", u32),
        ("wall_ms", u64),
        ("members", ptr),
        ("service_id", ptr),
        ("version", ptr),
        ("description", ptr),
    ]


class _Summary(_ffi.Struct):
    _fields_ = [
        ("struct_size", u32),
        ("status", i32),
        ("http_code", i32),
        ("healthy", u32),
        ("degraded", u32),
        ("unhealthy", u32),
        ("unknown", u32),
        ("stale", u32),
    ]


for _number, _struct in enumerate((Config, _Info, _Stats, _Member, _View, _Summary)):
    _ffi.check_layout(_struct, "health", _number)

KIND = Kind("health", 48, Config, joins=False)

_enable = KIND.declare("enable", i32, u32, u64)
_disable = KIND.declare("disable", i32, u32, u64)
_report = KIND.declare("report", i32, u32, i32, u64, u64)
_report_n = KIND.declare("report_n", i32, ptr, ptr, ptr, u32, u64, ptr)
_observe = KIND.declare("observe", i32, u32, i32, u64)
_ejected = KIND.declare("ejected", i32, u32)
_set = KIND.declare("set", i32, u32, i32, u64)
_status = KIND.declare("status", i32, u32, u64)
_status_n = KIND.declare("status_n", i32, ptr, u32, u64, ptr)
_tick = KIND.declare("tick", i32, u64, ptr, u32)
_due = KIND.declare("due", i32, u64, ptr, u32)
_next_due_ms = KIND.declare("next_due_ms", i64, u64)
_view_check = KIND.declare("view_check", i32, ptr, ptr)
_overall = KIND.declare("overall", i32, ptr, u64, ptr)
_json = KIND.declare("json", i64, ptr, u64, ptr, u64, ptr)
_explain = KIND.declare("explain", i32, u32, u64, ptr)
_statistics = KIND.declare("statistics", i32, u64, ptr)


class HealthInfo(NamedTuple):
    """One target's status and the numbers behind it (ttb_health_info)."""

    status: Status
    reason: HealthReason
    enabled: bool
    generation: int
    passes: int
    failures: int
    counter: int
    errors: int
    pace: Optional[Pace]
    changes: int
    since_ms: int
    age_ms: int
    next_due_ms: int
    latency_ns: int
    latency_avg_ns: int
    ejected: bool
    ejections: int
    eject_left_ms: int
    calls: int
    call_failures: int


class HealthStats(NamedTuple):
    """Counts and counters of the whole table (ttb_health_stats)."""

    capacity: int
    enabled: int
    unknown: int
    healthy: int
    degraded: int
    unhealthy: int
    stale: int
    changes: int
    late: int
    pauses: int
    clock_adoptions: int
    ejected: int
    judged: int
    sweeps: int
    detected: int
    enforced: int
    overflows: int
    systemic: int
    mean_ppm: int
    threshold_ppm: int


class HealthSummary(NamedTuple):
    """What a view comes to (ttb_health_summary): HEALTHY is a pass, DEGRADED a
    warning, UNHEALTHY a failure."""

    status: Status
    http_code: int
    healthy: int
    degraded: int
    unhealthy: int
    unknown: int
    stale: int


class HealthText(NamedTuple):
    """A view as application/health+json, and the code to send it with."""

    status: Status
    http_code: int
    text: str


class Member(NamedTuple):
    """A target as a view names it (ttb_health_member). ``output`` is shown unless
    it passes: an error's text; without one the reason is."""

    name: str
    slot: int
    criticality: Criticality = Criticality.REQUIRED
    measurement: Optional[str] = None
    id: Optional[str] = None
    type: Optional[str] = None
    output: Optional[str] = None


def _change(code: int) -> int:
    """What report and observe return, the statuses by their names."""
    return Status(code) if 0 < code < EJECTED else code


class Health(Object):
    """A table of targets.

    ``path`` names a file to share (in /dev/shm for memory); without one the table
    belongs to this process and to those it forks later. All other arguments are
    fields of ttb_health_config (`Health.options()` lists them): 0 is the default,
    -1 is off. For a file that is there already its own configuration holds. Any
    number of threads and processes may use one handle.
    """

    _kind = KIND

    # -- telling ----------------------------------------------------------

    def report(self, slot: int, outcome: int = Outcome.SUCCESS, latency_ns: int = 0) -> int:
        """Says how a probe ended: 0, the new `Status` if this changed it (to exactly
        one caller), or errors.STALE (slot not in use)."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        at = _ffi.whole(slot, "slot", u32)
        took = _ffi.whole(latency_ns, "latency_ns", u64)
        code: int = _report(self._handle, at, outcome, took, self.clock())
        if -100 < code < 0:
            self._wrong(code, slot, "outcome: %d is none of a probe" % outcome)
        return _change(code)

    def report_n(
        self,
        slots: Sequence[int],
        outcomes: Sequence[int],
        latencies_ns: Optional[Sequence[int]] = None,
    ) -> list[int]:
        """report for many targets in one call; errors are among the results."""
        of, how = Numbers("I", slots), Numbers("i", outcomes)
        long = None if latencies_ns is None else Numbers("Q", latencies_ns)
        if how.n != of.n or (long and long.n != of.n):
            raise ValueError("as many outcomes and latencies as slots, please")
        codes = room("i", of.n)
        at = long.at if long else None
        self._must(_report_n(self._handle, of.at, how.at, at, of.n, self.clock(), codes.at))
        return codes.array.tolist()

    def observe(self, slot: int, outcome: int = Outcome.SUCCESS) -> int:
        """Says how an ordinary call to the target ended: an Outcome or a
        FailureCause. 0, the new `Status` if this changed it, health.EJECTED if it
        ejected the target (to exactly one caller each), or errors.STALE."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        if slot >> 32:  # ctypes would cut it
            self._wrong(RANGE, slot)
        code: int = _observe(self._handle, slot, outcome, self.clock())
        if -100 < code < 0:
            self._wrong(code, slot, "outcome: %d is none" % outcome)
        return _change(code)

    def set(self, status: Status, slot: int = 0) -> int:
        """Puts a target into a status by hand: HEALTHY, UNHEALTHY, or UNKNOWN (the
        next result decides). 0, the new `Status` if it was another before, or
        errors.STALE."""
        to = _ffi.whole(status, "status", i32)
        code: int = _set(self._handle, _ffi.whole(slot, "slot", u32), to, self.clock())
        if -100 < code < 0:
            self._wrong(code, slot, "status: %d cannot be set" % to)
        return _change(code)

    def enable(self, slot: int) -> None:
        """Starts a slot for a (new) target, or one anew."""
        code: int = _enable(self._handle, _ffi.whole(slot, "slot", u32), self.clock())
        if code < 0:
            self._wrong(code, slot)

    def disable(self, slot: int) -> None:
        """Takes a slot out of use: never due, reports for it are errors.STALE."""
        code: int = _disable(self._handle, _ffi.whole(slot, "slot", u32), self.clock())
        if code < 0:
            self._wrong(code, slot)

    # -- what somebody has to do now and then -----------------------------

    def due(self, n: int = 64) -> list[int]:
        """Up to n slots that should be probed now, each handed to one caller."""
        slots = room("I", _ffi.whole(n, "n", u32))
        got = self._must(_due(self._handle, self.clock(), slots.at, n))
        return slots.array[:got].tolist()

    def next_due_ms(self) -> Optional[int]:
        """How long a probing loop may sleep; None if no slot is in use."""
        left = self._must(_next_due_ms(self._handle, self.clock()))
        return None if left == NEVER else left

    def tick(self, n: int = 64) -> list[int]:
        """Finds who is stale and, every `eject_interval_ms`, who is an outlier;
        several times a second, by one worker or all. Up to n slots that became
        stale; the next call brings the others."""
        slots = room("I", _ffi.whole(n, "n", u32))
        got = self._must(_tick(self._handle, self.clock(), slots.at, n))
        return slots.array[:got].tolist()

    # -- looking ----------------------------------------------------------

    def status(self, slot: int = 0) -> Status:
        """A target's status now."""
        code: int = _status(self._handle, _ffi.whole(slot, "slot", u32), self.clock())
        if code < 0:
            self._wrong(code, slot)
        return Status(code)

    def status_n(self, slots: Optional[Sequence[int]] = None) -> list[int]:
        """The numbers of many targets' statuses, of all without `slots`; errors are
        among the results."""
        of = None if slots is None else Numbers("I", slots)
        n = of.n if of else self.statistics().capacity
        found = room("i", n)
        at = of.at if of else None
        self._must(_status_n(self._handle, at, n, self.clock(), found.at))
        return found.array.tolist()

    def ejected(self, slot: int = 0) -> bool:
        """Whether a target is ejected as an outlier."""
        code: int = _ejected(self._handle, _ffi.whole(slot, "slot", u32))
        if code < 0:
            self._wrong(code, slot)
        return code == 1

    def explain(self, slot: int = 0) -> HealthInfo:
        """A target's status and the numbers behind it."""
        info = _Info()
        at = _ffi.whole(slot, "slot", u32)
        code: int = _explain(self._handle, at, self.clock(), ctypes.byref(info))
        if code < 0:
            self._wrong(code, slot)
        values = {name: getattr(info, name) for name in HealthInfo._fields}
        values.update(
            status=Status(info.status),
            reason=HealthReason(info.reason),
            enabled=bool(info.enabled),
            pace=Pace(info.pace) if info.pace else None,
            ejected=bool(info.ejected),
        )
        return HealthInfo(**values)

    def statistics(self) -> HealthStats:
        """Counts and counters of the whole table."""
        stats = _Stats()
        self._must(_statistics(self._handle, self.clock(), ctypes.byref(stats)))
        return HealthStats(*(getattr(stats, name) for name in HealthStats._fields))

    def view(
        self,
        members: Iterable[Member],
        *,
        at_least: int = 0,
        degraded_as: Status = Status.UNKNOWN,
        unknown_as: Status = Status.UNKNOWN,
        stale_as: Status = Status.UNKNOWN,
        http_pass: int = 0,
        http_warn: int = 0,
        http_fail: int = 0,
        service_id: Optional[str] = None,
        version: Optional[str] = None,
        description: Optional[str] = None,
    ) -> "HealthView":
        """Some targets judged together: the worst decides, or with `at_least` k of
        n (-1: 0 of n). Numbers are those of ttb_health_view, 0 (UNKNOWN) being the
        default."""
        numbers = {
            "at_least": at_least,
            "degraded_as": degraded_as,
            "unknown_as": unknown_as,
            "stale_as": stale_as,
            "http_pass": http_pass,
            "http_warn": http_warn,
            "http_fail": http_fail,
        }
        texts = {"service_id": service_id, "version": version, "description": description}
        return HealthView(self, list(members), numbers, texts)

    # -- within -----------------------------------------------------------

    def _wrong(self, code: int, slot: int, else_text: str = "") -> NoReturn:
        """Says which of the arguments is wrong."""
        if code == RANGE:
            capacity = self.statistics().capacity
            if not 0 <= slot < capacity:
                fail(code, "slot: %d is not within 0..%d" % (slot, capacity - 1))
            fail(code, else_text or _ffi.strerror(code))
        self._fail(code)


class HealthView:
    """Some targets of a table, judged together (`Health.view`). Making one is cheap:
    make another where an `output` has changed."""

    def __init__(
        self,
        health: Health,
        members: list[Member],
        numbers: dict[str, int],
        texts: dict[str, Optional[str]],
    ) -> None:
        self.health = health
        self._kept: list[Any] = []  # the structs point to them
        rows = (_Member * len(members))()
        for row, member in zip(rows, members):
            row.struct_size = ctypes.sizeof(_Member)
            row.slot = _ffi.whole(member.slot, "slot", u32)
            row.criticality = _ffi.whole(member.criticality, "criticality", i32)
            if not member.name or ":" in member.name:
                raise TrimtabError(MISUSE, "name: %r is empty or holds a ':'" % member.name)
            for name in ("name", "measurement", "id", "type", "output"):
                setattr(row, name, self._text(name, getattr(member, name)))
        view = _View(count=len(members), members=ctypes.addressof(rows))
        for name, number in numbers.items():
            setattr(view, name, _ffi.whole(number, name, i32))
        for name, text in texts.items():
            setattr(view, name, self._text(name, text))
        self._rows, self._view = rows, view
        if health._handle is None:
            health._fail(MISUSE)
        detail = _ffi.Detail()
        code = _view_check(health._handle, ctypes.byref(view), ctypes.byref(detail))
        if code < 0:
            raise TrimtabError(code, str(detail))

    def _text(self, name: str, text: Optional[str]) -> Optional[int]:
        """Where a text lies in memory."""
        if text is None:
            return None
        if "\0" in text:  # it would end there
            raise ValueError("%s: no NUL, please: %r" % (name, text))
        self._kept.append(ctypes.create_string_buffer(text.encode("utf-8", "surrogatepass")))
        return ctypes.addressof(self._kept[-1])

    def overall(self) -> HealthSummary:
        """What the view comes to now."""
        health, summary = self.health, _Summary()
        at = ctypes.byref(summary)
        health._must(_overall(health._handle, ctypes.byref(self._view), health.clock(), at))
        counts = (getattr(summary, name) for name in HealthSummary._fields[1:])
        return HealthSummary(Status(summary.status), *counts)

    def json(self, wall_ms: Optional[int] = None) -> HealthText:
        """The view as application/health+json, and the code an HTTP endpoint should
        answer. ``wall_ms`` is the Unix time in ms, now by default; 0 leaves it out."""
        health, summary = self.health, _Summary()
        now = time.time_ns() // 1_000_000 if wall_ms is None else wall_ms
        self._view.wall_ms = _ffi.whole(now, "wall_ms", u64)
        view, at = ctypes.byref(self._view), ctypes.byref(summary)
        size = 256 * (1 + len(self._rows))
        while True:
            text = ctypes.create_string_buffer(size)
            length = health._must(_json(health._handle, view, health.clock(), text, size, at))
            if length < size:
                break
            size = length + 64  # it may grow until the next look
        return HealthText(Status(summary.status), summary.http_code, text.value.decode())
