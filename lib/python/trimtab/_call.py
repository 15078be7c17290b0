# SPDX-License-Identifier: MIT
"""Guarding a block: acquire before it, report after it, whatever happens in it.

I1  Exactly one report a ticket, on every way out of the block.
I2  An Exception is the callee's fault unless it is in `ignore`; what is none
    (KeyboardInterrupt, GeneratorExit, a cancelled asyncio task) is nobody's.
"""
from __future__ import annotations

from types import TracebackType
from typing import Optional, Tuple, Type, TypeVar

from ._enums import Outcome

C = TypeVar("C", bound="Call")
Kinds = Tuple[Type[BaseException], ...]


class Call:
    """`with ... as call:` or `async with ... as call:`. Set `call.outcome` in the
    block to report something else than success or failure."""

    outcome: Optional[Outcome] = None
    ticket: int = -1

    def __init__(self, ignore: Kinds) -> None:
        self.ignore = ignore

    def _begin(self) -> None:
        raise NotImplementedError

    def _end(self, outcome: Outcome) -> None:
        raise NotImplementedError

    def _finish(self, error: Optional[BaseException]) -> Outcome:
        outcome = self.outcome
        if outcome is None:
            if error is None:
                outcome = Outcome.SUCCESS
            elif isinstance(error, Exception) and not isinstance(error, self.ignore):
                outcome = Outcome.FAILURE
            else:
                outcome = Outcome.IGNORED
        self._end(outcome)
        return outcome

    def __enter__(self: C) -> C:
        self._begin()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._finish(error)

    async def __aenter__(self: C) -> C:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, error, trace)
