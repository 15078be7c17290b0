# SPDX-License-Identifier: MIT
"""Guarding a block: acquire before it, report after it, whatever happens in it.

I1  Exactly one report a ticket, on every way out of the block.
I2  One call at a time: whoever enters one that is still entered would lose a
    ticket, and is told so.
I3  An Exception is the callee's fault unless it is in `ignore`; what is none
    (KeyboardInterrupt, GeneratorExit, a cancelled asyncio task) is nobody's.
"""
from __future__ import annotations

import functools
import inspect
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Iterator, Optional, Tuple, Type, TypeVar

from ._enums import Outcome

C = TypeVar("C", bound="Call")
F = TypeVar("F", bound=Callable[..., Any])
Kinds = Tuple[Type[BaseException], ...]


class Call:
    """`with ... as call:` or `async with ... as call:`. Set `call.outcome` in the
    block to report something else than success or failure."""

    outcome: Optional[Outcome] = None
    ticket: int = -1
    _entered: bool = False

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
        self._entered = False
        self._end(outcome)
        return outcome

    def __enter__(self: C) -> C:
        if self._entered:
            raise RuntimeError("already entered: make a new one for each call")
        self._begin()
        self._entered = True
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


class Guard(Call):
    """A call, or the decorator that makes one of every call of a function."""

    def _fresh(self) -> "Guard":
        raise NotImplementedError

    def __call__(self, function: F) -> F:
        """Guards a function. A generator is guarded from its first item to its
        end; one that is left early says nothing about the callee."""

        fresh = self._fresh

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            async with fresh():
                return await function(*args, **kwargs)

        def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with fresh():
                return (yield from function(*args, **kwargs))

        async def async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with fresh():
                inner, sent = function(*args, **kwargs), None
                try:
                    while True:
                        try:
                            item = await inner.asend(sent)
                        except StopAsyncIteration:
                            return
                        sent = yield item
                finally:
                    await inner.aclose()

        def plain(*args: Any, **kwargs: Any) -> Any:
            with fresh():
                return function(*args, **kwargs)

        guarded: Any = plain
        if inspect.iscoroutinefunction(function):
            guarded = coroutine
        elif inspect.isasyncgenfunction(function):
            guarded = async_generator
        elif inspect.isgeneratorfunction(function):
            guarded = generator
        return functools.wraps(function)(guarded)  # type: ignore[no-any-return]
