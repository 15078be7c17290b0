# SPDX-License-Identifier: MIT
"""Files and mappings: who makes the object, and what is not an object."""
import fcntl
import gc
import os
import random
import select

import pytest
from conftest import finish, fork

from trimtab import Balancer, Breaker, Eject, Health, Limiter, LimiterKind, Member, Pool
from trimtab import Refused, TrimtabError, errors

KINDS = [Breaker, Balancer, Pool, Limiter, Health]


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("kind", KINDS)
def test_no_lock_is_left_on_the_file(kind, path):
    """The mapping keeps a copy of the descriptor, and would keep its lock."""
    for _ in range(2):  # made, attached
        one = kind(path)
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
        kind(path).close()
        assert one.statistics().capacity >= 1


def test_nor_after_a_failure(path):
    with open(path, "wb") as file:
        file.write(b"something else entirely, and longer than a header" * 10)
    for kind in KINDS:
        with pytest.raises(TrimtabError):
            kind(path)
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert file.read(9) == b"something"


def test_whoever_makes_it_keeps_others_waiting(path):
    """Nobody sees a file that somebody else is just making an object in."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    reader, writer = os.pipe()

    def worker():
        Breaker(path)
        os.write(writer, b"!")

    pid = fork(worker)
    assert select.select([reader], [], [], 0.3)[0] == []
    assert os.fstat(descriptor).st_size == 0
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # the child has a copy: closing would not do
    os.close(descriptor)
    assert select.select([reader], [], [], 40)[0] == [reader]
    assert finish(pid) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_object(kind, path):
    def code_of(content):
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(TrimtabError) as caught:
            kind(path)
        assert path in str(caught.value)
        return caught.value.code

    good = bytes(kind()._region._anchor)
    assert code_of(b"#!/bin/sh\n" * 100) == errors.CORRUPT
    assert code_of(good[: len(good) // 2]) == errors.NOSPACE
    assert code_of(good[:20]) == errors.NOSPACE
    assert code_of(good[:8] + b"\xff" * 8 + good[16:]) == errors.VERSION
    assert code_of(good[7::-1] + good[8:]) == errors.VERSION  # the other byte order
    assert code_of(b"\0" * 100) == errors.CORRUPT
    other = KINDS[KINDS.index(kind) - 1]
    assert code_of(bytes(other()._region._anchor)) == errors.MISMATCH


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_died_while_making_it(kind, path):
    size = kind()._region.size
    for left in (b"", b"\0" * size, b"\0" * 8 + b"\1" * (size - 8)):
        with open(path, "wb") as file:
            file.write(left)
        assert kind(path).statistics().capacity >= 1
        os.unlink(path)


@pytest.mark.parametrize("make, uses", [
    (lambda: Breaker(capacity=8), ["acquire", "explain", "statistics", "peek"]),
    *((lambda kind=kind: Limiter(kind=kind, capacity=8, flags=1),
       ["acquire", "explain", "statistics", "peek"]) for kind in LimiterKind),
    *((lambda eject=eject: Health(capacity=8, eject=eject),
       ["due", "tick", "explain", "statistics", "status", "status_n", "next_due_ms", "ejected"])
      for eject in (0, *Eject)),
])
def test_a_neighbour_that_scribbles(make, uses):
    """Decisions may be bad; what comes out is an answer or one of our errors."""
    draw = random.Random(1)
    one = make()
    good = bytes(one._region._anchor)
    calls = [getattr(one, name) for name in uses]
    if isinstance(one, Health):
        calls += [lambda: one.report(3, draw.randrange(5)), lambda: one.observe(3, 1),
                  one.view([Member("%d" % slot, slot) for slot in range(8)]).json]
    else:
        calls += [lambda: one.report(max(one.acquire(3), 0), draw.randrange(5))]
        calls += [lambda: one.acquire_key("x")] if isinstance(one, Limiter) else []
    answers = 0
    for turn in range(300):
        if turn % 50 == 0:
            one._region._anchor.raw = good
        at = draw.randrange(one._region.size - 8)
        one._region._anchor[at:at + 8] = draw.randbytes(8)
        for call in calls:
            try:
                call()
                answers += 1
            except (Refused, TrimtabError):
                pass
    assert answers > 1000


def test_who_may_open_it(path):
    Breaker(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.unlink(path)
    old = os.umask(0o007)
    try:
        Breaker(path, mode=0o666)
    finally:
        os.umask(old)
    assert os.stat(path).st_mode & 0o777 == 0o660
    with pytest.raises(OSError):
        Breaker("/nowhere/at/all")


def test_paths_are_pathlike(tmp_path):
    Breaker(tmp_path / "b").close()
    assert (tmp_path / "b").exists()


def test_nothing_is_left_open(path):
    Breaker(path)
    gc.collect()
    before = open_files()
    for _ in range(20):
        for kind in (Breaker,):
            with kind(path) as one, one.join() as mine:
                mine.acquire()
    assert open_files() == before
    for _ in range(20):  # forgotten, not closed
        Breaker(path).join()
    gc.collect()
    assert open_files() == before


def test_an_old_file_goes_on(path):
    with Breaker(path, consecutive=2, open_ms=3600000) as b:
        b.report(b.acquire(), 1)
    with Breaker(path) as b:
        assert b.report(b.acquire(), 1) == 1
    with Breaker(path) as b:
        assert not b.peek()
