# SPDX-License-Identifier: MIT
"""What a balancer and a pool have in common: the two verbs, their batch twins,
guarded calls and retries. All of it takes a joined handle."""
from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Iterator, Optional, Sequence, Tuple, Type

from . import _ffi
from ._call import Call, Kinds
from ._enums import Outcome
from ._ffi import i32, i64, ptr, u32, u64
from ._object import Joinable, Kind, Numbers, no_outcome, room
from .errors import AGAIN, fail

ticket_slot = _ffi.declare("ttb_ticket_slot", i32, i64)


class Verbs:
    """The functions of one module that Picker calls."""

    def __init__(self, kind: Kind) -> None:
        self.acquire = kind.declare("acquire", i64, u64, u64)
        self.acquire_except = kind.declare("acquire_except", i64, u64, ptr, u32, u64)
        self.acquire_n = kind.declare("acquire_n", i32, ptr, u32, u64, ptr)
        self.report = kind.declare("report", i32, i64, i32, u64, u64)
        self.report_n = kind.declare("report_n", i32, ptr, ptr, ptr, u32, u64, ptr)
        self.find = kind.declare("find", i32, u64)


class Picker(Joinable):
    """A set of endpoints, one of which gets the next call."""

    _verbs: Verbs
    patience: float = 1.0
    """Seconds that add, remove, set_weight and update wait for another writer."""

    # -- the two verbs ----------------------------------------------------

    def acquire(self, hash: int = 0) -> int:
        """A ticket (0 or more; `slot_of(ticket)` is the endpoint), or a negative
        outcome: errors.NO_ENDPOINT, errors.LIMIT. `hash` is the key's, for the
        algorithms by hash (`key_hash` makes one)."""
        ticket: int = self._verbs.acquire(self._handle, hash, self.clock())
        if -100 < ticket < 0:
            self._fail(ticket)
        return ticket

    def acquire_except(self, excluded_slots: Sequence[int], hash: int = 0) -> int:
        """acquire, but none of these slots: for a retry elsewhere. Also
        errors.ALL_EXCLUDED."""
        no = Numbers("I", excluded_slots)
        ticket: int = self._verbs.acquire_except(self._handle, hash, no.at, no.n, self.clock())
        if -100 < ticket < 0:
            self._fail(ticket)
        return ticket

    def report(
        self, ticket: int, outcome: int = Outcome.SUCCESS, latency_ns: int = 0
    ) -> int:
        """Says how the call of a ticket ended: 0, or errors.STALE (nothing
        changed)."""
        if outcome is True or outcome is False or outcome >> 8:
            no_outcome(outcome)
        if latency_ns < 0:
            raise ValueError("latency_ns: %d is negative" % latency_ns)
        code: int = self._verbs.report(self._handle, ticket, outcome, latency_ns, self.clock())
        if -100 < code < 0:
            self._fail(code, ticket)
        return code

    def acquire_n(self, n: int, hashes: Optional[Sequence[int]] = None) -> list[int]:
        """n acquires in one call: tickets and refusals."""
        keys = None if hashes is None else Numbers("Q", hashes)
        if keys is not None and keys.n != n:
            raise ValueError("as many hashes as calls, please")
        tickets = room("q", _ffi.whole(n, "n", u32))
        at = keys.at if keys else None
        self._must(self._verbs.acquire_n(self._handle, at, n, self.clock(), tickets.at))
        return tickets.array.tolist()

    def report_n(
        self,
        tickets: Sequence[int],
        outcomes: Optional[Sequence[int]] = None,
        latencies_ns: Optional[Sequence[int]] = None,
    ) -> list[int]:
        """report for many tickets in one call; without outcomes all succeeded.
        Refusals among the tickets are passed over and come back as errors.MISUSE."""
        given = Numbers("q", tickets)
        how = None if outcomes is None else Numbers("i", outcomes)
        long = None if latencies_ns is None else Numbers("Q", latencies_ns)
        if (how and how.n != given.n) or (long and long.n != given.n):
            raise ValueError("as many outcomes and latencies as tickets, please")
        codes = room("i", given.n)
        self._must(
            self._verbs.report_n(
                self._handle,
                given.at,
                how.at if how else None,
                long.at if long else None,
                given.n,
                self.clock(),
                codes.at,
            )
        )
        return codes.array.tolist()

    @staticmethod
    def slot_of(ticket: int) -> int:
        """The endpoint a ticket belongs to: by it callers index their own lists."""
        slot: int = ticket_slot(ticket)
        if slot < 0:
            fail(slot, "%d is no ticket but a refusal (%s)" % (ticket, _ffi.errname(ticket)))
        return slot

    def find(self, id: int) -> int:
        """The slot of an endpoint."""
        return self._must(self._verbs.find(self._handle, _ffi.whole(id, "id", u64)))

    # -- guarding a call --------------------------------------------------

    def call(
        self, hash: int = 0, *, exclude: Sequence[int] = (), ignore: Kinds = ()
    ) -> "EndpointCall":
        """``with x.call() as call:`` (or ``async with``) picks `call.slot`, raises
        NoEndpoint if there is none, measures the block by the clock and reports a
        failure if it raises an Exception that is not of a kind in ``ignore``."""
        return EndpointCall(self, hash, exclude, ignore)

    def _open(self, call: "EndpointCall") -> int:
        """Begins a guarded call: a ticket, or raises."""
        if call.exclude:
            ticket = self.acquire_except(call.exclude, call.hash)
        else:
            ticket = self.acquire(call.hash)
        if ticket < 0:
            fail(ticket, _ffi.strerror(ticket))
        return ticket

    def _shut(self, call: "EndpointCall", outcome: int) -> None:
        """Ends it."""
        self.report(call.ticket, outcome, call.latency_ns)

    def attempts(
        self,
        times: int = 3,
        *,
        retry_on: Kinds = (Exception,),
        hash: int = 0,
        ignore: Kinds = (),
    ) -> Iterator["Attempt"]:
        """For what may be done again: each attempt goes to another endpoint.

            for attempt in x.attempts(3, retry_on=(ConnectionError,)):
                with attempt as call:
                    answer = get(backends[call.slot])

        The loop ends with the first block that succeeds. The last one's exception
        comes through, and any that is not of a kind in ``retry_on``. If no other
        endpoint is left, NoEndpoint comes, with the former exception as its cause.
        """
        return self._attempts(times, Attempt(self, hash, [], ignore, retry_on))

    def _attempts(self, times: int, attempt: "Attempt") -> Iterator["Attempt"]:
        for number in range(times):
            if number == times - 1:
                attempt.retry_on = ()
            yield attempt
            if attempt.error is None:
                return
            attempt = attempt._another()

    # -- for the modules --------------------------------------------------

    def _write(self, function: Any, *arguments: Any) -> int:
        """Calls a writer; waits a little while another is at work."""
        end = time.monotonic() + self.patience
        while True:
            code: int = function(self._handle, *arguments)
            if code != AGAIN or time.monotonic() >= end:
                return self._must(code)
            time.sleep(0.001)


class EndpointCall(Call):
    """One call to an endpoint: `slot`, `ticket` and, once it is over, `latency_ns`."""

    slot: int = -1
    latency_ns: int = 0
    number: int = 0  # attempts made before
    asks: Tuple[int, int] = (0, 0)  # of limits: importance, events
    held: Any = None  # what a pool with limits keeps of it
    _begun: int = 0

    def __init__(self, owner: Picker, hash: int, exclude: Sequence[int], ignore: Kinds) -> None:
        super().__init__(ignore)
        self.owner, self.hash, self.exclude = owner, hash, exclude

    def _begin(self) -> None:
        owner = self.owner
        self.ticket = owner._open(self)
        self.slot = owner.slot_of(self.ticket)
        self._begun = owner.clock()

    def _end(self, outcome: Outcome) -> None:
        self.latency_ns = max(0, self.owner.clock() - self._begun)
        self.owner._shut(self, outcome)


class Attempt(EndpointCall):
    """One of several tries; swallows what the next one may mend."""

    def __init__(
        self,
        owner: Picker,
        hash: int,
        exclude: Sequence[int],
        ignore: Kinds,
        retry_on: Kinds,
    ) -> None:
        super().__init__(owner, hash, exclude, ignore)
        self.retry_on = retry_on
        self.former: Optional[BaseException] = None
        self.error: Optional[BaseException] = None

    def _another(self) -> "Attempt":
        """The next one, elsewhere."""
        tried = [*self.exclude, self.slot]
        other = Attempt(self.owner, self.hash, tried, self.ignore, self.retry_on)
        other.asks, other.number, other.former = self.asks, self.number + 1, self.error
        return other

    def _begin(self) -> None:
        try:
            super()._begin()
        except Exception as error:
            raise error from self.former

    def __exit__(  # type: ignore[override]
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> bool:
        self._finish(error)
        self.error = error
        return isinstance(error, self.retry_on)

    async def __aexit__(  # type: ignore[override]
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> bool:
        return self.__exit__(kind, error, trace)
