# SPDX-License-Identifier: MIT
"""What all objects have in common: options, memory, the handle and its end; and
for those that count per process, joining.

I1  A handle that is closed, or joined and then inherited by a forked child, is
    NULL or zeros to the library, which refuses it: hot calls check nothing here.
I2  A handle has room beyond the size this package knows, and what a library of
    another version writes there is noticed.
I3  Every handle holds its mapping; a mapping goes with its last handle.
"""
from __future__ import annotations

import array
import ctypes
import os
import time
import weakref
from typing import (
    Any,
    Callable,
    ClassVar,
    Mapping,
    NoReturn,
    Optional,
    Sequence,
    Type,
    TypeVar,
    Union,
)

from . import _ffi, _region
from ._ffi import i32, i64, ptr, u64
from .errors import MISUSE, NOSPACE, RANGE, VERSION, TrimtabError, fail

O = TypeVar("O", bound="Object")
J = TypeVar("J", bound="Joinable")
S = TypeVar("S", bound=_ffi.Struct)

SPARE = 64  # words behind a handle


class Kind:
    """One module of the library: the functions every module has."""

    def __init__(
        self, name: str, words: int, config: Type[_ffi.Struct], joins: bool = True
    ) -> None:
        self.name = name
        self.config = config
        self.words = words
        self.Handle: Any = u64 * (words + SPARE)
        self.pointer: Any = ctypes.POINTER(self.Handle)
        self.check = _ffi.declare("ttb_%s_check" % name, i32, ptr, ptr)
        self.size = _ffi.declare("ttb_%s_size" % name, i64, ptr)
        self.init = self.declare("init", i32, ptr, u64, ptr)
        self.attach = self.declare("attach", i32, ptr, u64)
        if joins:
            self.join = self.declare("join", i32, u64, self.pointer)
        self.free = self.declare("free", None)

    def declare(self, verb: str, result: Any, *arguments: Any) -> Any:
        """A function of the module that takes a handle first. Returns the
        library's function; None is a NULL handle."""
        return _ffi.declare("ttb_%s_%s" % (self.name, verb), result, self.pointer, *arguments)

    def checked(self, wanted: S, of: str = "") -> S:
        """The configuration, if the library takes it; else what is wrong with it."""
        detail = _ffi.Detail()
        code = self.check(ctypes.byref(wanted), ctypes.byref(detail))
        if code < 0:
            raise TrimtabError(code, of + str(detail))
        return wanted


class Object:
    """A region and a handle to it; see :class:`Health` and :class:`Joinable`."""

    _kind: ClassVar[Kind]
    clock: Callable[[], int]

    def __init__(
        self,
        path: Optional[str] = None,
        *,
        mode: int = 0o600,
        clock: Callable[[], int] = time.monotonic_ns,
        **config: Union[int, Mapping[str, int], Sequence[Mapping[str, int]], None],
    ) -> None:
        kind = self._kind
        wanted = kind.checked(self._config(config))
        _ffi.whole(clock(), "clock (nanoseconds)", u64)
        size = self._must(kind.size(ctypes.byref(wanted)))
        handle = kind.Handle()

        def make(region: _region.Region) -> None:
            code = kind.init(handle, region.address, region.size, ctypes.byref(wanted))
            if code < 0:
                fail(code, _ffi.strerror(code))

        if path is None:
            region = _region.anonymous(size)
            make(region)
        else:
            region, there = _region.shared(os.fspath(path), size, mode, make)
            code = kind.attach(handle, region.address, region.size) if there else 0
            if code < 0:
                fail(code, "%s: %s" % (path, _ffi.strerror(code)))
        if any(handle[kind.words :]):
            raise TrimtabError(
                VERSION,
                "the library's handle of a %s is larger than this package knows: "
                "they are of two versions" % kind.name,
            )
        self._take(handle, region, clock, joined=False)

    def _config(self, values: Mapping[str, Any]) -> _ffi.Struct:
        return _ffi.fill(self._kind.config, values)

    @classmethod
    def options(cls) -> list[_ffi.Option]:
        """The keyword arguments there are: name, default, range and unit."""
        return _ffi.options(cls._kind.config)

    def __repr__(self) -> str:
        where = "closed" if self._region is None else self._region.path or "in this process"
        return "<%s %s>" % (type(self).__name__, where)

    # -- the handle -------------------------------------------------------

    def _take(
        self, handle: Any, region: _region.Region, clock: Callable[[], int], joined: bool
    ) -> None:
        self._handle = handle
        self._region: Optional[_region.Region] = region
        self._pid = os.getpid() if joined else 0
        self.clock = clock
        self._end = weakref.finalize(self, _free, self._kind.free, handle, region)

    def close(self) -> None:
        """Ends the handle: a joined one gives up its row and what is in flight
        on it. A shared file stays. Closing twice is allowed."""
        self._end()
        self._handle = None
        self._region = None

    def __enter__(self: O) -> O:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a %s cannot be copied or sent: open its path in the other process"
            % type(self).__name__
        )

    # -- results ----------------------------------------------------------

    def _must(self, code: int) -> int:
        if code < 0:
            self._fail(code)
        return code

    def _fail(self, code: int, ticket: int = 0) -> NoReturn:
        """Raises what a code means, a misuse in words of what was misused."""
        text = _ffi.strerror(code)
        if code == MISUSE:
            name = type(self).__name__
            if self._handle is None:
                text = "this %s is closed" % name
            elif self._pid not in (0, os.getpid()):
                text = "this %s was joined before fork and belongs to the parent: join anew" % name
            elif ticket < 0:
                text = "%d is no ticket but a refusal (%s)" % (ticket, _ffi.errname(ticket))
            elif isinstance(self, Joinable) and not self.joined:
                text = "%s; perhaps it takes a handle made by join()" % text
        fail(code, text)


class Joinable(Object):
    """An object in which each process has something of its own, which a survivor
    can take back; see :class:`Breaker`, :class:`Limiter`, :class:`Balancer` and
    :class:`Pool`."""

    def join(self: J, token: Optional[int] = None) -> J:
        """A handle of this thread's own (see `docs/python.md` for when one per
        process is enough). `token` names the process, for `recover`; it is
        os.getpid() unless you say otherwise. A forked child joins anew."""
        name = os.getpid() if token is None else _ffi.whole(token, "token", u64)
        handle = _region.private(self._kind.Handle)
        code = self._kind.join(self._handle, name, handle)
        if code == NOSPACE:
            fail(code, "every row is taken: raise threads=, or recover() the dead")
        self._must(code)
        assert self._region is not None
        joined = object.__new__(type(self))
        joined._take(handle, self._region, self.clock, joined=True)
        return joined

    @property
    def joined(self) -> bool:
        """Whether this is a handle made by join."""
        return self._pid != 0


def _free(free: Any, handle: Any, region: _region.Region) -> None:
    """The end of a handle; its mapping is held till then."""
    free(handle)


class Numbers:
    """A C array for a batch call, of checked numbers; an array.array of the right
    type is taken as it is."""

    def __init__(self, typecode: str, items: Sequence[int]) -> None:
        if isinstance(items, array.array) and items.typecode == typecode:
            self.array: "array.array[int]" = items
        else:
            self.array = array.array(typecode, items)
        self.at, self.n = self.array.buffer_info()


def no_outcome(outcome: int) -> NoReturn:
    """Says what is wrong with an outcome that is a bool, or that ctypes would cut."""
    if isinstance(outcome, bool):
        raise TypeError("outcome: an Outcome, please (True would be a FAILURE)")
    fail(RANGE, "outcome: %d is none" % outcome)


def keys_of(keys: Sequence[_ffi.Key]) -> Numbers:
    """A C array of the tables' numbers of many keys."""
    if isinstance(keys, (str, bytes)):  # sequences, but of what nobody means
        raise TypeError("keys: a list of keys, please, not one")
    try:
        return Numbers("Q", keys)  # type: ignore[arg-type]
    except TypeError:
        len(keys)  # an iterator would be used up by now
        return Numbers("Q", [_ffi.key_number(key) for key in keys])


def room(typecode: str, n: int) -> Numbers:
    """A C array of n zeros."""
    return Numbers(typecode, array.array(typecode, (0,)) * n)
