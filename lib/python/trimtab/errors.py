# SPDX-License-Identifier: MIT
"""Codes of the library as Python exceptions.

Errors (the call was wrong) raise :class:`TrimtabError`. Outcomes (the call was
right and the answer is no) raise :class:`Refused` where a call has to say so by
an exception, such as ``with breaker.call()``; the plain calls return them as
negative numbers, as in C.
"""
from __future__ import annotations

from typing import NoReturn

OK = 0
MISUSE, NOMEM, RANGE, NOSPACE, UNSUPPORTED = -1, -2, -3, -4, -5
CORRUPT, VERSION, MISMATCH, UNKNOWN_ID, DUPLICATE = -6, -7, -8, -9, -10
AGAIN, STALE, NO_ENDPOINT, ALL_EXCLUDED = -100, -101, -102, -103
OPEN, HALF_OPEN_FULL, LIMIT, THROTTLED = -104, -105, -106, -107
NO_PRIMARY, TOO_STALE, LOST_WRITE = -108, -109, -110
NOT_ELIGIBLE, FORGED = -111, -112


class _Coded(Exception):
    # All arguments go to Exception, so that pickle (multiprocessing) can make
    # the same exception again.
    def __init__(self, code: int, text: str, *more: int) -> None:
        super().__init__(code, text, *more)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


class TrimtabError(_Coded):
    """A call was wrong; nothing happened. ``code`` is the library's."""


class Refused(_Coded):
    """The answer is no. ``code`` says why; ``retry_after_ms`` when to try again
    (-1: not known, or not until somebody acts)."""

    def __init__(self, code: int, text: str, retry_after_ms: int = -1) -> None:
        super().__init__(code, text, retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        text = super().__str__()
        return "%s; again in %d ms" % (text, self.retry_after_ms) if self.retry_after_ms > 0 else text


class CircuitOpen(Refused):
    """A breaker refused the call."""


class LimitExceeded(Refused):
    """A limit refused the call: errors.LIMIT, errors.THROTTLED, or errors.NOSPACE
    (every place this key could have is another's)."""


class NoEndpoint(Refused):
    """A balancer or pool has nobody to send the call to."""


def fail(code: int, text: str, retry_after_ms: int = -1) -> NoReturn:
    """Raises what a negative code means."""
    if code in (OPEN, HALF_OPEN_FULL):
        raise CircuitOpen(code, text, retry_after_ms)
    if code in (NO_ENDPOINT, ALL_EXCLUDED):
        raise NoEndpoint(code, text, retry_after_ms)
    if code in (LIMIT, THROTTLED):
        raise LimitExceeded(code, text, retry_after_ms)
    if code <= -100:
        raise Refused(code, text, retry_after_ms)
    raise TrimtabError(code, text)
