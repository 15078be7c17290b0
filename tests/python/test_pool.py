# SPDX-License-Identifier: MIT
"""The class Pool: out when it fails, in when it is well, and who is told."""
import pytest

from trimtab import BreakerState, Cause, EventKind, Importance, LimitExceeded, LimiterKind
from trimtab import NoEndpoint, Outcome, Pool, Probing, Reason, Status, TrimtabError, errors


@pytest.fixture
def mine(clock):
    p = Pool(capacity=8, breaker={"consecutive": 3, "open_ms": 1000}, clock=clock).join()
    assert [p.add(id) for id in (11, 22, 33)] == [0, 1, 2]
    return p


def fail_until_out(p, slot):
    others = [row.slot for row in p.explain() if row.slot != slot]
    while (ticket := p.acquire_except(others)) >= 0:
        assert p.slot_of(ticket) == slot
        p.report(ticket, Outcome.FAILURE)


def test_out_and_in_again(mine, clock):
    events = mine.events()
    assert [(e.kind, e.id, e.value) for e in events] == [
        (EventKind.ADDED, 11, 1), (EventKind.ADDED, 22, 1), (EventKind.ADDED, 33, 1)]
    fail_until_out(mine, 1)
    row = mine.inspect(1)
    assert (row.causes, row.reason, row.breaker) == (
        Cause.BREAKER, Reason.BY_BREAKER, BreakerState.OPEN)
    assert row.retry_after_ms == 1000
    tickets = mine.acquire_n(50)
    assert {mine.slot_of(t) for t in tickets} == {0, 2}
    assert mine.report_n(tickets) == [0] * 50
    assert [(e.kind, e.value) for e in events] == [
        (EventKind.CAUSES, Cause.BREAKER), (EventKind.EJECTED, 1)]

    clock.pass_ms(1000)
    assert mine.tick() == 1
    probe = mine.acquire_except([0, 2])
    assert mine.is_probe(probe) and not mine.is_probe(tickets[0])
    assert mine.acquire_except([0, 2]) < 0
    mine.report(probe)
    assert mine.inspect(1).breaker is BreakerState.CLOSED
    # In when its time is over, out while its one probe is, in for good.
    assert [(e.kind, e.value) for e in events if e.kind is EventKind.CAUSES] == [
        (EventKind.CAUSES, cause) for cause in (0, Cause.BREAKER, 0)]
    assert [e.kind for e in mine.events() if e.kind in (
        EventKind.PROBED, EventKind.READMITTED)] == [EventKind.PROBED, EventKind.READMITTED]
    assert mine.acquire_except([0, 2]) >= 0


def test_active_probing(clock):
    p = Pool(probing=Probing.ACTIVE, breaker={"consecutive": 1, "open_ms": 1000},
             health={"rise": 1, "fall": 1, "jitter_ppm": -1}, clock=clock).join()
    p.update([1, 2])
    assert sorted(p.probe_due()) == [0, 1]
    assert p.probe_due() == []
    assert p.probe_result(0, Outcome.SUCCESS, 5) is Status.HEALTHY
    assert p.probe_result(0, Outcome.SUCCESS, 5) is None
    assert p.probe_result(1, Outcome.FAILURE) is Status.UNHEALTHY
    assert p.inspect(1).causes == Cause.PROBE
    assert p.probe_result(1, Outcome.SUCCESS) is Status.HEALTHY
    fail_until_out(p, 0)
    clock.pass_ms(1000)
    p.tick()
    assert p.acquire_except([1]) < 0  # no user pays for the probe
    p.probe_result(0, Outcome.SUCCESS, 5)
    assert p.acquire_except([1]) >= 0


def test_drain_and_weight(mine):
    mine.drain(11)
    mine.set_weight(22, 0)
    assert [row.causes for row in mine.explain()] == [Cause.DRAIN, Cause.WEIGHT, Cause(0)]
    assert {mine.slot_of(t) for t in mine.acquire_n(20)} == {2}
    mine.drain(11, False)
    mine.set_weight(22, 7)
    assert [(row.causes, row.weight) for row in mine.explain()] == [
        (Cause(0), 1), (Cause(0), 7), (Cause(0), 1)]


def test_a_slow_one_gets_less(mine, clock):
    for _ in range(2):
        mine.probe_result(0, Outcome.SUCCESS, 2_000_000_000)
    mine.tick()
    row = mine.inspect(0)
    assert (row.status, row.weight, row.weight_64ths) == (Status.DEGRADED, 1, 6)


def test_update(mine):
    mine.set_weight(22, 0)
    mine.update({22: 1, 33: 5, 44: 2})
    rows = {row.id: (row.slot, row.weight, row.causes) for row in mine.explain()}
    assert rows == {22: (1, 1, Cause(0)), 33: (2, 5, Cause(0)), 44: (rows[44][0], 2, Cause(0))}
    before = mine.explain()
    mine.update({22: 1, 33: 5, 44: 2})
    assert mine.explain() == before
    mine.update([])
    assert mine.acquire() == errors.NO_ENDPOINT


def test_update_while_others_do_the_same(mine):
    rows = mine.explain()
    mine.explain = lambda: []  # nobody was there when we looked
    mine.update([11, 22, 33])
    mine.explain = lambda: [row._replace(id=row.id + 1) for row in rows]  # and these were
    mine.update({12: 7})
    with pytest.raises(TrimtabError) as caught:
        mine.update(range(100, 110))
    assert caught.value.code == errors.NOSPACE
    del mine.explain
    assert [row.id for row in mine.explain()][:3] == [11, 22, 33]


def test_events_have_a_reader_each(mine, clock):
    first, second = mine.events(), mine.events()
    assert next(iter(first)).id == 11
    assert [e.id for e in first] == [22, 33]
    assert [e.id for e in second.read(2)] == [11, 22]
    assert [e.id for e in mine.events(second.cursor)] == [33]
    assert list(first) == [] and (first.lost, second.lost) == (0, 0)
    for _ in range(400):
        mine.drain(11, True)
        mine.drain(11, False)
    kept = list(first)
    assert all(e.kind is EventKind.CAUSES and e.now_ns == clock.now for e in kept)
    assert len(kept) + first.lost == 800
    assert len(kept) <= 256


# ---- limits ----


def limited(clock, *limits, **options):
    pool = Pool(capacity=4, limits=list(limits), clock=clock, **options).join()
    pool.update([1, 2, 3])
    return pool


def test_a_pool_with_limits(clock):
    pool = limited(clock, {"kind": LimiterKind.RATE, "rate": 1, "burst": 6},
                   {"permits": 3, "reserve_3": 1})
    with pool.call(importance=Importance.SHEDDABLE) as one:
        with pool.call(importance=Importance.SHEDDABLE):
            assert (pool.limit(1).in_use, pool.limit(0).available) == (2, 4)
            with pytest.raises(LimitExceeded, match=r"limits\[1\], BULKHEAD: limit") as caught:
                with pool.call(importance=Importance.SHEDDABLE):
                    raise AssertionError
            assert (caught.value.code, caught.value.retry_after_ms) == (errors.LIMIT, -1)
            assert pool.limit(0).available == 4  # the event is given back
            with pool.call(events=4):
                assert pool.limit(1).available == 0
        clock.pass_ms(3)
    assert one.latency_ns == 3_000_000
    with pytest.raises(LimitExceeded, match=r"limits\[0\], RATE") as caught:
        with pool.call(events=2):
            raise AssertionError
    assert caught.value.retry_after_ms == 1997
    s = pool.statistics()
    assert (s.in_flight, s.limited, pool.limit(1).in_use) == (0, 2, 0)
    with pytest.raises(TrimtabError):
        pool.limit(2)


def test_a_retry_budget_for_all_attempts(clock):
    pool = limited(clock, {"kind": LimiterKind.RETRY, "ratio_ppm": 500_000, "per_second": -1})
    made = []

    def run(times, failures):
        made.clear()
        for attempt in pool.attempts(times, retry_on=(OSError,)):
            with attempt as call:
                made.append(call.slot)
                if len(made) <= failures:
                    raise OSError(len(made))

    with pytest.raises(LimitExceeded) as caught:
        run(3, 9)
    assert str(caught.value.__cause__) == "1" and len(made) == 1
    run(3, 1)  # two calls have earned one
    assert len(set(made)) == 2
    assert (pool.limit().requests, pool.limit().accepts) == (2, 1)
    assert pool.statistics().in_flight == 0


def test_what_limits_hold_goes_back_if_nobody_is_there(clock):
    pool = limited(clock, {"permits": 2})
    with pytest.raises(NoEndpoint):
        with pool.call(exclude=[0, 1, 2]):
            raise AssertionError
    pool.update([])
    with pytest.raises(NoEndpoint):
        with pool.call():
            raise AssertionError
    assert pool.limit().in_use == 0


def test_tickets_alone_are_not_for_pools_with_limits(clock, path):
    first = Pool(path, capacity=4, limits=[{"permits": 2}], clock=clock)
    mine = Pool(path, clock=clock).join()  # learns it from the file
    mine.update([1])
    for use in (mine.acquire, mine.acquire_ordinary, lambda: mine.acquire_except([])):
        with pytest.raises(TrimtabError, match="has limits: use call.. or attempts") as caught:
            use()
        assert caught.value.code == errors.UNSUPPORTED
    with mine.call():
        assert first.limit().in_use == 1
    for bad in ({"importance": 4}, {"importance": 2**32}, {"events": -1}):
        with pytest.raises(TrimtabError) as caught:
            with mine.call(**bad):
                raise AssertionError
        assert caught.value.code == errors.RANGE
    with pytest.raises(TrimtabError):
        Pool(clock=clock).limit()


@pytest.mark.parametrize("limits, error, words", [
    ([{"permits": 0x10000}], TrimtabError, r"limits\[0\]\.permits: 65536 is not within 1"),
    ([{}, {"permit": 3}], TypeError, r"limits\[1\]\.no such option: permit - permits"),
    ([{"rate": 3}], TypeError, r"limits\[0\]\.rate: no option of kind BULKHEAD"),
    ([{"kind": 9}], TrimtabError, r"limits\[0\]\.kind: 9 is none of"),
    ([{}] * 5, TrimtabError, "n_limits: 5 is not within 0..4"),
    ([{"capacity": 2}], TrimtabError, "limits.*capacity"),
    ([3], TypeError, r"limits\[0\]: a dict of options"),
    ({"permits": 3}, TypeError, "limits: a list of dicts"),
    ("x", TypeError, "limits: a list of dicts"),
])
def test_wrong_limits(limits, error, words):
    with pytest.raises(error, match=words):
        Pool(limits=limits)


def test_statistics(mine):
    mine.acquire_n(4)
    s = mine.statistics()
    assert (s.capacity, s.endpoints, s.eligible, s.joined, s.in_flight) == (8, 3, 3, 1, 4)


@pytest.mark.parametrize("options, words", [
    ({"breaker": {"open_ms": -1}}, r"breaker\.open_ms: -1 is not within"),
    ({"breaker": {"open_ms": 3600001}}, r"breaker\.open_ms: 3600001 is not within"),
    ({"health": {"rise": 101}}, r"health\.rise: 101 is not within 1\.\.100"),
    ({"balancer": {"flags": 4}}, r"balancer\.flags"),
    ({"capacity": 8, "breaker": {"capacity": 9}}, r"breaker\.capacity: 9"),
    ({"events": 100}, "events: 100"),
])
def test_wrong_values_of_parts_are_named(options, words):
    with pytest.raises(TrimtabError, match=words) as caught:
        Pool(**options)
    assert caught.value.code == errors.RANGE


def test_wrong_names_of_parts_are_named():
    with pytest.raises(TypeError, match="breaker.no such option: consecutve - consecutive"):
        Pool(breaker={"consecutve": 3})
    with pytest.raises(TypeError, match="no such option: braker - breaker perhaps"):
        Pool(braker={})
    with pytest.raises(TypeError, match="breaker: a dict of options"):
        Pool(breaker=3)


@pytest.mark.parametrize("use, code, words", [
    (lambda p: p.add(11), errors.DUPLICATE, ""),
    (lambda p: p.add(0), errors.RANGE, "id: 0"),
    (lambda p: p.add(5, 1001), errors.RANGE, "weight: 1001 is not within 1..1000"),
    (lambda p: p.set_weight(11, 1001), errors.RANGE, ""),
    (lambda p: p.remove(5), errors.UNKNOWN_ID, ""),
    (lambda p: p.drain(5), errors.UNKNOWN_ID, ""),
    (lambda p: p.inspect(7), errors.UNKNOWN_ID, ""),
    (lambda p: p.probe_result(99), errors.RANGE, ""),
    (lambda p: p.report(errors.NO_ENDPOINT), errors.MISUSE, "no ticket but a refusal"),
])
def test_bad_input_changes_nothing(mine, use, code, words):
    before = mine.explain()
    with pytest.raises(TrimtabError, match=words) as caught:
        use(mine)
    assert caught.value.code == code
    assert [row[:3] for row in mine.explain()] == [row[:3] for row in before]


def test_nobody_lives_there(mine):
    assert mine.probe_result(7) is None


def test_close(mine):
    events = mine.events()
    mine.close()
    mine.close()
    for use in (mine.acquire, mine.tick, mine.explain, mine.probe_due, lambda: list(events),
                lambda: mine.update([1]), lambda: mine.drain(11)):
        with pytest.raises(TrimtabError, match="this Pool is closed"):
            use()
