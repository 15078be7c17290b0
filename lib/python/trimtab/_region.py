# SPDX-License-Identifier: MIT
"""Where an object's memory comes from: the process' own, or a file that all
processes of the host map. The first process to open a file makes the object in
it, the others attach; a lock on the file orders them.

Nothing here unmaps by hand: a mapping goes with its last user, so no handle can
be left pointing at memory that is gone.
"""
from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import weakref
from typing import Any, Callable

from .errors import CORRUPT, TrimtabError

_WIPEONFORK = 18  # MADV_WIPEONFORK, Linux 4.14; the mmap module does not name it


class Region:
    """A mapping, its address, and the file it is of, if any. Page-aligned, so
    aligned enough."""

    def __init__(self, memory: mmap.mmap, path: str = "") -> None:
        self.path = path
        self.size = len(memory)
        self._anchor: Any = (ctypes.c_char * self.size).from_buffer(memory)
        self.address = ctypes.addressof(self._anchor)


def anonymous(size: int) -> Region:
    """Memory of this process and of those it forks."""
    return Region(mmap.mmap(-1, size))


def shared(path: str, size: int, mode: int, make: Callable[[Region], None]) -> tuple[Region, bool]:
    """The mapping of a file; `make` is called once, for a new one. Returns the
    mapping and whether there was an object in it before."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        there = os.fstat(descriptor).st_size
        # The magic is the last word init writes: without it, whoever began
        # before us died on the way.
        complete = os.pread(descriptor, 8, 0).strip(b"\0") != b""
        if not complete:
            if there not in (0, size):  # not ours: do not write over it
                raise TrimtabError(
                    CORRUPT, "%s holds %d bytes and no object; remove it" % (path, there)
                )
            os.ftruncate(descriptor, size)
        region = Region(mmap.mmap(descriptor, there or size), path)
        if not complete:
            make(region)
        return region, complete
    finally:
        # By hand: the mapping keeps a copy of the descriptor, and with it the lock.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


_wipe_by_hand: "weakref.WeakValueDictionary[int, Any]" = weakref.WeakValueDictionary()


def private(kind: Any) -> Any:
    """A zeroed ctypes object that a forked child finds zeroed again: what it
    holds belongs to this process alone. The kernel sees to that, whoever forks."""
    memory = mmap.mmap(-1, ctypes.sizeof(kind), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    made = kind.from_buffer(memory)
    try:
        memory.madvise(_WIPEONFORK)
    except (AttributeError, OSError, ValueError):  # another system: Python's own forks at least
        _wipe_by_hand[id(made)] = made
    return made


def _wipe() -> None:
    for one in list(_wipe_by_hand.values()):
        ctypes.memset(ctypes.addressof(one), 0, ctypes.sizeof(one))


os.register_at_fork(after_in_child=_wipe)
