# SPDX-License-Identifier: MIT
"""The class Balancer: the set, picks, causes, batches, rows, bad input."""
import array
from collections import Counter

import pytest

from trimtab import Algorithm, Balancer, BalancerFlag, Cause, Outcome, Reason, Status
from trimtab import Refused, TrimtabError, errors, key_hash


@pytest.fixture
def mine(clock):
    b = Balancer(capacity=8, algorithm=Algorithm.ROUND_ROBIN, lease=1, clock=clock).join()
    assert [b.add(id) for id in (11, 22, 33)] == [0, 1, 2]
    return b


def picked(b, n):
    slots = []
    for _ in range(n):
        ticket = b.acquire()
        slots.append(b.slot_of(ticket))
        assert b.report(ticket) == 0
    return slots


def test_round_robin_and_a_cause(mine):
    assert picked(mine, 6) == [0, 1, 2, 0, 1, 2]
    assert mine.mark(1, Cause.ADMIN) is True
    assert mine.mark(1, Cause.ADMIN) is False
    assert set(picked(mine, 6)) == {0, 2}
    row = mine.inspect(1)
    assert (row.id, row.causes, row.reason) == (22, Cause.ADMIN, Reason.BY_ADMIN)
    mine.mark(1, Cause.ADMIN | Cause.DRAIN, False)
    assert Counter(picked(mine, 6)) == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_counts_and_explains(algorithm, clock):
    options = {"table_size": 101} if algorithm is Algorithm.MAGLEV else {}
    b = Balancer(capacity=8, algorithm=algorithm, flags=BalancerFlag.TRACK, clock=clock,
                 **options).join()
    b.update({1: 1, 2: 2, 3: 3})
    for turn in range(50):
        rows = b.explain(hash=turn)
        chosen = [row.slot for row in rows if row.reason is Reason.CHOSEN]
        ticket = b.acquire(turn)
        assert chosen == [b.slot_of(ticket)]
        assert sum(row.in_flight for row in b.explain()) == 1
        assert b.report(ticket, Outcome.SUCCESS, 1000) == 0
    assert b.statistics().in_flight == 0


def test_weights_are_kept_exactly(clock):
    b = Balancer(algorithm=Algorithm.WEIGHTED_ROUND_ROBIN, lease=1, clock=clock).join()
    b.update({1: 5, 2: 3, 3: 2})
    assert Counter(picked(b, 100)) == {0: 50, 1: 30, 2: 20}
    b.set_weight(1, 0)
    assert b.inspect(0).causes == Cause.WEIGHT
    assert Counter(picked(b, 100))[0] == 0
    b.set_weight(1, 5)
    assert Counter(picked(b, 100)) == {0: 50, 1: 30, 2: 20}


def test_keys_stay_where_they_are(clock):
    b = Balancer(algorithm=Algorithm.MAGLEV, clock=clock).join()
    b.update(range(1, 11))
    hashes = [key_hash(b"user:%d" % i) for i in range(1000)]
    assert all(0 <= h < 2**64 for h in hashes)

    def homes():
        tickets = b.acquire_n(len(hashes), hashes)
        b.report_n(tickets)
        return [b.inspect(b.slot_of(t)).id for t in tickets]

    before = homes()
    assert homes() == before
    b.remove(5)
    moved = sum(x != y for x, y in zip(before, homes()))
    assert before.count(5) <= moved < before.count(5) + 50
    b.acquire(-1)  # any int: its low 64 bits count
    assert key_hash(b"") == 0xEF46DB3751D8E999  # XXH64 of nothing


def test_batches_are_the_single_calls_in_order(clock):
    one, many = (Balancer(capacity=8, seed=7, clock=clock).join() for _ in range(2))
    for b in (one, many):
        b.update({1: 1, 2: 2, 3: 3})
    singly = [one.acquire() for _ in range(20)]
    assert many.acquire_n(20) == singly
    assert many.report_n(singly[:10], [Outcome.FAILURE] * 10, [5] * 10) == [0] * 10
    assert many.report_n(array.array("q", singly[10:])) == [0] * 10
    assert many.report_n([errors.NO_ENDPOINT]) == [errors.MISUSE]
    assert many.statistics().in_flight == 0
    assert many.acquire_n(0) == [] and many.report_n([]) == []
    with pytest.raises(ValueError, match="as many hashes"):
        many.acquire_n(2, [1])
    with pytest.raises(ValueError, match="as many outcomes"):
        many.report_n([1, 2], [0])
    with pytest.raises(TrimtabError):
        many.acquire_n(-1)


def test_next_is_report_and_acquire(mine):
    ticket, slots = -1, []
    for _ in range(6):
        ticket = mine.next(ticket)
        slots.append(mine.slot_of(ticket))
    assert slots == [0, 1, 2, 0, 1, 2]


def test_exclusion(mine):
    assert mine.slot_of(mine.acquire_except([0, 2])) == 1
    assert mine.acquire_except([0, 1, 2]) == errors.ALL_EXCLUDED
    rows = mine.explain(excluded_slots=(0, 2))
    assert [row.reason for row in rows] == [Reason.EXCLUDED, Reason.CHOSEN, Reason.EXCLUDED]
    assert mine.acquire_except([99, 1, 2]) >= 0
    with pytest.raises(OverflowError):
        mine.acquire_except([-1])


def test_update_keeps_who_stays(mine, clock):
    ticket = mine.acquire()
    stays = mine.slot_of(ticket)
    mine.update({11: 4, 22: 1, 44: 1})
    assert mine.find(11) == 0 and mine.inspect(0).weight == 4
    with pytest.raises(TrimtabError, match="id") as caught:
        mine.find(33)
    assert caught.value.code == errors.UNKNOWN_ID
    assert mine.inspect(stays).id == 11
    assert mine.report(ticket) == 0
    mine.update([])
    assert mine.acquire() == errors.NO_ENDPOINT
    assert mine.explain() == []


def test_a_late_report_of_one_that_is_gone(mine):
    ticket = mine.acquire()
    mine.remove(11)
    mine.report(ticket)
    mine.add(44)
    assert mine.report(ticket) == errors.STALE
    assert mine.statistics().stale == 1


def test_status(mine):
    mine.set_status(11, Status.UNHEALTHY)
    assert mine.inspect(0).reason is Reason.BY_PROBE
    assert mine.set_status_n([11, 22, 99], [Status.HEALTHY, Status.DRAINING, Status.HEALTHY]) == [
        0, 0, errors.UNKNOWN_ID]
    assert [row.causes for row in mine.explain()] == [Cause(0), Cause.DRAIN, Cause(0)]
    with pytest.raises(ValueError):
        mine.set_status_n([11], [])


def test_many_rows(clock):
    b = Balancer(capacity=200, clock=clock).join()
    b.update(range(1, 151))
    rows = b.explain()
    assert [row.id for row in rows] == list(range(1, 151))
    assert sum(row.reason is Reason.CHOSEN for row in rows) == 1


@pytest.mark.parametrize("use, code, words", [
    (lambda b: b.add(0), errors.RANGE, "id: 0"),
    (lambda b: b.add(2**64), errors.RANGE, "id: 18446744073709551616"),
    (lambda b: b.add(-1), errors.RANGE, "id: -1"),
    (lambda b: b.add(5, 65536), errors.RANGE, "weight: 65536 is not within 1..65535"),
    (lambda b: b.add(5, 2**32 + 1), errors.RANGE, "weight: 4294967297"),
    (lambda b: b.add(11), errors.DUPLICATE, "already"),
    (lambda b: b.remove(99), errors.UNKNOWN_ID, "id"),
    (lambda b: b.remove(2**64 + 11), errors.RANGE, "id: 18446744073709551627"),
    (lambda b: b.set_weight(11, 65536), errors.RANGE, ""),
    (lambda b: b.update({5: 70000}), errors.RANGE, "weight: 70000"),
    (lambda b: b.update(range(1, 10)), errors.NOSPACE, ""),
    (lambda b: b.mark(0, Cause.WEIGHT), errors.RANGE, ""),
    (lambda b: b.mark(8, Cause.ADMIN), errors.RANGE, ""),
    (lambda b: b.mark(7, Cause.ADMIN), errors.UNKNOWN_ID, ""),
    (lambda b: b.inspect(7), errors.UNKNOWN_ID, ""),
    (lambda b: b.set_status(11, 17), errors.RANGE, ""),
    (lambda b: b.report(errors.NO_ENDPOINT), errors.MISUSE, "no ticket but a refusal .TTB_NO_END"),
    (lambda b: b.report(b.acquire(), 9), errors.RANGE, ""),
    (lambda b: b.report(b.acquire(), 2**32), errors.RANGE, "outcome: 4294967296 is none"),
    (lambda b: b.next(b.acquire(), -2), errors.RANGE, "outcome: -2 is none"),
    (lambda b: b.slot_of(-1), errors.MISUSE, "no ticket"),
])
def test_bad_input_changes_nothing(mine, use, code, words):
    before = mine.explain()
    with pytest.raises(TrimtabError, match=words) as caught:
        use(mine)
    assert caught.value.code == code
    assert [row[:3] for row in mine.explain()] == [row[:3] for row in before]


def test_what_looks_like_an_outcome(mine):
    for use in (mine.report, mine.next):
        with pytest.raises(TypeError, match="True would be a FAILURE"):
            use(mine.acquire(), True)
        with pytest.raises(ValueError, match="negative"):
            use(mine.acquire(), Outcome.SUCCESS, -1)


def test_picking_takes_a_joined_handle(clock):
    b = Balancer(clock=clock)
    for use in (b.acquire, lambda: b.add(1), lambda: b.update([1]), lambda: b.recover(1),
                lambda: b.acquire_n(1), lambda: b.acquire_except([])):
        with pytest.raises(TrimtabError, match="join") as caught:
            use()
        assert caught.value.code == errors.MISUSE
    b.join().add(7)
    assert b.find(7) == 0 and b.mark(0, Cause.ADMIN) and b.statistics().endpoints == 1
    assert b.explain()[0].reason is Reason.BY_ADMIN


def test_writers_wait_a_little_for_one_another(mine):
    codes = [5, errors.AGAIN, errors.AGAIN]
    assert mine._write(lambda handle: codes.pop()) == 5
    mine.patience = 0
    with pytest.raises(Refused, match="changed by another") as caught:
        mine._write(lambda handle: errors.AGAIN)
    assert caught.value.code == errors.AGAIN
    assert mine._write(lambda handle: 0) == 0


def test_wrong_options(clock):
    with pytest.raises(TypeError, match="algoritm - algorithm perhaps"):
        Balancer(algoritm=1)
    with pytest.raises(TrimtabError, match="algorithm: 99 is not within 1"):
        Balancer(algorithm=99)
    with pytest.raises(TrimtabError, match="table_size"):
        Balancer(algorithm=Algorithm.MAGLEV, table_size=100)


def test_close(mine):
    ticket = mine.acquire()
    mine.close()
    mine.close()
    for use in (mine.acquire, mine.explain, mine.statistics, lambda: mine.report(ticket),
                lambda: mine.acquire_n(2), lambda: mine.update([1]), lambda: mine.next(ticket)):
        with pytest.raises(TrimtabError, match="this Balancer is closed"):
            use()


def test_close_gives_back_what_is_in_flight(clock):
    shared = Balancer(clock=clock)
    with shared.join() as first:
        first.update([1, 2])
        first.acquire_n(5)
        assert shared.statistics().in_flight == 5
    assert shared.statistics().in_flight == 0
