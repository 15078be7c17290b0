# SPDX-License-Identifier: MIT
"""Several processes on one object: by fork, by path, and killed at any moment."""
import ctypes
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import finish, fork

from trimtab import AdaptiveLimit, Balancer, Breaker, BreakerState, Bulkhead, Eject, EventKind
from trimtab import FailureCause, Health, LimiterFlag, LimiterKind, Outcome, Pool, RateLimit
from trimtab import RetryBudget, Status, TrimtabError, _region, errors, health

KINDS = [Breaker, Bulkhead, Balancer, Pool]


def python(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *arguments], timeout=50,
                          capture_output=True, text=True)


# ---- one object, two processes ----


def test_two_processes_open_one_path(path):
    b = Breaker(path, consecutive=3, open_ms=3600000)
    done = python("""if True:
        import sys
        from trimtab import Breaker, Outcome
        b = Breaker(sys.argv[1], consecutive=7)  # the file's own configuration holds
        print([b.report(b.acquire(), Outcome.FAILURE) for _ in range(3)], b.state.name)
        """, path)
    assert (done.stdout, done.stderr) == ("[0, 0, 1] OPEN\n", "")
    assert b.state == BreakerState.OPEN
    assert b.acquire() == errors.OPEN


def test_what_forked_children_share(tmp_path):
    for path in (None, str(tmp_path / "region")):
        b = Breaker(path, consecutive=1, open_ms=3600000)

        def child():
            b.report(b.acquire(), Outcome.FAILURE)
            assert b.state == BreakerState.OPEN

        assert finish(fork(child)) == 0
        assert b.state == BreakerState.OPEN


def test_a_pool_for_all_workers(path):
    def worker():
        with Pool(path, capacity=4, events=16) as p, p.join() as mine:
            mine.update([1, 2, 3])
            for _ in range(200):
                with mine.call():
                    pass

    children = [fork(worker) for _ in range(6)]
    assert [finish(pid) for pid in children] == [0] * 6
    p = Pool(path)
    s = p.statistics()
    assert (s.capacity, s.endpoints, s.eligible, s.joined) == (4, 3, 3, 0)
    assert (s.in_flight, s.stale) == (0, 0)


def test_one_rate_for_all_workers(path):
    """10 at once and none to come: 10 in all, of 3 workers that ask 20 times each."""
    RateLimit(path, rate=1, period_ms=86400000, burst=10, capacity=64, flags=LimiterFlag.KEYED)
    reader, writer = os.pipe()

    def worker():
        limit = RateLimit(path)
        granted = sum(limit.acquire_key("alice") >= 0 for _ in range(20))
        assert limit.acquire_key(str(os.getpid())) >= 0  # one's own
        os.write(writer, bytes([granted]))

    children = [fork(worker) for _ in range(3)]
    assert [finish(pid) for pid in children] == [0] * 3
    assert sum(os.read(reader, 3)) == 10
    assert RateLimit(path).statistics().refused == 50


def test_one_bulkhead_for_all_workers(path):
    """Never more than 3 at once, counted where everybody sees it."""
    reader, writer = os.pipe()

    def worker():
        with Bulkhead(path, permits=3).join() as mine:
            done = 0
            while done < 300:
                ticket = mine.acquire()
                if ticket < 0:
                    continue
                os.write(writer, b"+")
                os.write(writer, b"-")
                mine.report(ticket)
                done += 1

    children = [fork(worker) for _ in range(5)]
    inside = most = seen = 0
    while seen < 5 * 300 * 2:
        for sign in os.read(reader, 4096):
            inside += 1 if sign == ord("+") else -1
            most = max(most, inside)
            seen += 1
        assert 0 <= inside <= 3
    assert [finish(pid) for pid in children] == [0] * 5
    b = Bulkhead(path)
    assert most >= 1 and b.explain().in_use == 0
    assert (b.statistics().joined, b.statistics().stale) == (0, 0)


def test_one_retry_budget_for_all_workers(path):
    RetryBudget(path, ratio_ppm=100_000, per_second=-1, window_ms=86400000)
    reader, writer = os.pipe()

    def worker():
        budget, made = RetryBudget(path), 0
        for _ in range(50):
            try:
                for attempt in budget.attempts(2, backoff=lambda attempt, previous: 0):
                    with attempt:
                        made += attempt.number
                        raise OSError
            except OSError:
                pass
        os.write(writer, bytes([made]))

    children = [fork(worker) for _ in range(4)]
    assert [finish(pid) for pid in children] == [0] * 4
    assert sum(os.read(reader, 4)) == 20  # a tenth of 200


def test_one_of_all_workers_learns_of_it(path):
    """An ejection and a status: announced to one caller, seen by all."""
    Health(path, capacity=10, eject=Eject.ENVOY, eject_max_ppm=500_000, passive_errors=4)
    reader, writer = os.pipe()

    def worker():
        h = Health(path)
        said = [h.observe(3, FailureCause.GATEWAY) for _ in range(50)]
        said += [h.report(3, Outcome.FAILURE) for _ in range(5)]
        os.write(writer, bytes([said.count(health.EJECTED), said.count(Status.UNHEALTHY)]))

    children = [fork(worker) for _ in range(4)]
    assert [finish(pid) for pid in children] == [0] * 4
    told = os.read(reader, 8)
    h = Health(path)
    assert h.ejected(3) and h.status(3) is Status.UNHEALTHY
    assert sum(told[1::2]) == 1 and sum(told[0::2]) <= 1
    assert h.explain(3).ejections == 1


def send(path, pipe):
    with Balancer(path).join() as mine:
        pipe.send(mine.acquire())
        pipe.recv()


def test_multiprocessing_spawn(path):
    b = Balancer(path)
    b.join().update([5])
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=send, args=(path, theirs))
    process.start()
    assert ours.poll(40)
    assert b.slot_of(ours.recv()) == 0
    assert b.statistics().in_flight == 1
    ours.send("end")
    process.join(40)
    assert process.exitcode == 0
    assert b.statistics().in_flight == 0


# ---- fork ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [True, False])
def test_a_joined_handle_stays_with_the_parent(kind, kernel, monkeypatch):
    if not kernel:  # as on a system without MADV_WIPEONFORK
        monkeypatch.setattr(_region, "_WIPEONFORK", 0x7FFF)
    shared = kind(capacity=4)
    mine = shared.join()
    if kind in (Balancer, Pool):
        mine.update([1, 2])
    ticket = mine.acquire()

    def child():
        for use in (mine.acquire, lambda: mine.report(ticket), mine.statistics, mine.join):
            with pytest.raises(TrimtabError, match="joined before fork.*join anew") as caught:
                use()
            assert caught.value.code == errors.MISUSE
        mine.close()
        with shared.join() as own:
            assert own.statistics().joined == 2
            own.report(own.acquire())

    assert finish(fork(child)) == 0
    assert shared.statistics().joined == 1
    assert mine.report(ticket) == 0
    mine.close()
    assert shared.statistics().joined == 0


def test_a_child_that_exits_gives_up_nothing_of_its_parents():
    done = python("""if True:
        import os, sys
        from trimtab import Balancer
        b = Balancer()
        mine = b.join()
        mine.add(1)
        mine.acquire()
        pid = os.fork()
        if pid == 0:
            sys.exit()  # with all finalizers
        os.waitpid(pid, 0)
        print(b.statistics().joined, b.statistics().in_flight)
        """)
    assert (done.stdout, done.stderr) == ("1 1\n", "")


def test_a_fork_that_python_does_not_see():
    """As uwsgi does."""
    b = Balancer()
    mine = b.join()
    mine.add(1)
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        try:
            mine.acquire()
        except TrimtabError as error:
            os._exit(0 if "joined before fork" in str(error) else 2)
        os._exit(3)
    assert finish(pid) == 0
    assert mine.acquire() >= 0


# ---- kill -9 ----


def killed(function):
    """Runs function in a child until it says so; kills the child."""
    reader, writer = os.pipe()

    def child():
        function()
        os.write(writer, b"!")
        time.sleep(50)

    pid = fork(child)
    os.close(writer)
    assert os.read(reader, 1) == b"!"
    os.close(reader)
    os.kill(pid, signal.SIGKILL)
    assert finish(pid) == -signal.SIGKILL
    return pid


@pytest.mark.parametrize("kind", [Balancer, Pool])
def test_calls_of_a_killed_worker_come_back(kind, path):
    shared = kind(path, capacity=4)
    mine = shared.join()
    mine.update([1, 2])
    kept = []

    def work():
        kept.append(kind(path).join())  # else it is given back at once
        kept[0].acquire_n(10)

    pid = killed(work)
    s = shared.statistics()
    assert (s.joined, s.in_flight) == (2, 10)
    events = mine.events() if kind is Pool else None
    if events:
        list(events)
    assert mine.recover(pid) == 1
    assert mine.recover(pid) == 0
    s = shared.statistics()
    assert (s.joined, s.in_flight) == (1, 0)
    if events:
        assert [(e.kind, e.id, e.value) for e in events] == [(EventKind.RECOVERED, pid, 1)]
    with pytest.raises(TrimtabError):
        mine.recover(os.getpid())


def test_a_probe_of_a_killed_worker_comes_back(path):
    b = Breaker(path, open_ms=1, lease_ms=3600000)
    mine = b.join()
    b.set(BreakerState.OPEN)
    time.sleep(0.002)
    kept = []

    def probe():
        kept.append(Breaker(path).join())
        assert kept[0].acquire() >= 0

    pid = killed(probe)
    assert b.acquire() == errors.HALF_OPEN_FULL
    assert mine.recover(pid) == 1
    assert b.report(b.acquire()) == 3
    assert b.state == BreakerState.CLOSED


@pytest.mark.parametrize("make", [
    lambda path: Bulkhead(path, permits=12),
    lambda path: AdaptiveLimit(path, initial_limit=20, max_limit=40),
    lambda path: RetryBudget(path, kind=LimiterKind.RETRY_CONCURRENT)])
def test_permits_of_a_killed_worker_come_back(make, path):
    shared = make(path)
    mine = shared.join()
    ours = mine.acquire_n([0] * 3)
    kept = []

    def work():
        kept.append(make(path).join())
        assert min(kept[0].acquire_n([0] * 8)) >= 0

    def out():
        info = shared.explain()
        return info.in_use

    pid = killed(work)
    assert (shared.statistics().joined, out()) == (2, 11)
    assert (mine.recover(pid), mine.recover(pid)) == (1, 0)
    assert (shared.statistics().joined, out()) == (1, 3)
    assert mine.report_n(ours) == [0] * 3 and out() == 0
    for use in (lambda: mine.recover(os.getpid()), lambda: shared.recover(pid)):
        with pytest.raises(TrimtabError):
            use()


def test_what_a_killed_worker_held_of_a_pools_limits_comes_back(path):
    shared = Pool(path, capacity=4, limits=[{"permits": 5}])
    mine = shared.join()
    mine.update([1, 2])
    kept = []

    def work():
        kept.append(Pool(path).join())
        for _ in range(3):
            kept.append(kept[0].call())
            kept[-1].__enter__()

    pid = killed(work)
    with mine.call():
        assert (shared.statistics().in_flight, shared.limit().in_use) == (4, 4)
        assert mine.recover(pid) == 1
        assert (shared.statistics().in_flight, shared.limit().in_use) == (1, 1)
    assert (shared.statistics().in_flight, shared.limit().in_use) == (0, 0)


def test_a_permit_that_nobody_recovers_lapses(path):
    shared = Bulkhead(path, permits=1, lease_ms=200)
    kept = []

    def work():
        kept.append(Bulkhead(path))  # has not even joined
        assert kept[0].acquire() >= 0

    killed(work)
    end = time.monotonic() + 20
    while not shared.peek() and time.monotonic() < end:
        time.sleep(0.01)
    assert shared.acquire() >= 0


def test_permit_holders_killed_at_random(path):
    """What a limit has lost to kills is found again, exactly."""
    shared = Bulkhead(path, permits=20, reserve_3=5)
    mine = shared.join()
    draw = random.Random(2)

    def work():
        own = Bulkhead(path).join()
        while True:
            tickets = own.acquire_n([0] * 12, [0, 1, 2, 3] * 3)
            own.report_n(tickets)
            with own.hold():
                pass

    for _ in range(25):
        ours = mine.acquire_n([0] * draw.randrange(8))
        pids = [fork(work), fork(work)]
        time.sleep(0.01 + draw.random() * 0.02)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            finish(pid)
        assert shared.explain().in_use <= 20
        for pid in pids:
            assert mine.recover(pid) in (0, 1)
        assert (shared.statistics().joined, shared.explain().in_use) == (1, len(ours))
        assert mine.report_n(ours) == [0] * len(ours)
    tickets = mine.acquire_n([0] * 21)
    assert min(tickets[:20]) >= 0 and tickets[20] == errors.LIMIT


def test_killed_at_random(path):
    """Readers and writers killed wherever they are; nothing is left of them."""
    shared = Balancer(path, capacity=8)
    mine = shared.join()
    mine.update([1, 2, 3])
    draw = random.Random(1)

    def work():
        own = Balancer(path).join()
        while True:
            tickets = own.acquire_n(5)
            own.update({1: 1, 2: 2, 3: 3, 4: 4})
            own.report_n(tickets)
            own.update([1, 2, 3])

    for _ in range(25):
        pid = fork(work)
        time.sleep(0.01 + draw.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        assert finish(pid) == -signal.SIGKILL
        assert mine.recover(pid) in (0, 1)
        s = shared.statistics()
        assert (s.joined, s.in_flight) == (1, 0)
        mine.update([1, 2, 3])  # the lock is free
        assert sorted(row.id for row in mine.explain()) == [1, 2, 3]
    ticket = mine.acquire()
    assert mine.report(ticket) == 0


# ---- the file ----


def test_workers_that_start_together_make_one_object(path):
    def start():
        b = Breaker(path, capacity=100, consecutive=1000000, failure_rate_ppm=-1)
        for slot in range(100):
            b.report(b.acquire(slot), Outcome.FAILURE)

    children = [fork(start) for _ in range(8)]
    assert [finish(pid) for pid in children] == [0] * 8
    b = Breaker(path)
    assert {b.explain(slot).consecutive for slot in range(100)} == {8}
