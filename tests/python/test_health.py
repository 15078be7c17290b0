# SPDX-License-Identifier: MIT
"""The class Health: statuses, probes, outliers, views, bad input."""
import json

import pytest

from trimtab import Criticality, Eject, FailureCause, Health, HealthFlag, HealthReason, HealthStart
from trimtab import HealthText, Member, Outcome, Pace, PassiveAction, Status, TrimtabError
from trimtab import errors, health

S, F = Outcome.SUCCESS, Outcome.FAILURE
MS = 1_000_000


@pytest.fixture
def h(clock):
    return Health(capacity=4, clock=clock)


# ---- probes ----


def test_a_result_and_what_it_changes(h, clock):
    assert h.status(0) is Status.UNKNOWN
    first = h.report(0, S, 5 * MS)
    assert first is Status.HEALTHY
    assert h.report(0, S, 5 * MS) == 0
    assert h.report(0, S, 1500 * MS) is Status.DEGRADED
    assert h.report(0, Outcome.SLOW) == 0
    assert h.report(0, F) is Status.UNHEALTHY
    info = h.explain(0)
    assert (info.status, info.reason, info.enabled) == (
        Status.UNHEALTHY, HealthReason.BY_FAILURES, True)
    assert (info.failures, info.changes, info.pace) == (1, 3, Pace.DOWN)
    assert h.status_n() == [Status.UNHEALTHY, 0, 0, 0]
    assert h.status_n([1, 0, 99]) == [0, Status.UNHEALTHY, errors.RANGE]
    s = h.statistics()
    assert (s.capacity, s.enabled, s.unknown, s.unhealthy, s.changes) == (4, 4, 3, 1, 3)


def test_rise_fall_and_start(clock):
    h = Health(rise=2, fall=3, start=HealthStart.FULLY_UP, clock=clock)
    assert h.status() is Status.HEALTHY
    assert [h.report(0, F) for _ in range(3)] == [0, 0, Status.UNHEALTHY]
    assert [h.report(0, S) for _ in range(2)] == [0, Status.HEALTHY]


def test_batches_are_the_single_calls_in_order(clock):
    one, many = (Health(capacity=4, fall=2, clock=clock) for _ in range(2))
    slots, outcomes, took = [0, 1, 0, 3, 0], [S, F, F, Outcome.SLOW, F], [1, 2, 3, 4, 5]
    singly = [one.report(*row) for row in zip(slots, outcomes, took)]
    assert many.report_n(slots, outcomes, took) == singly
    assert [many.explain(i) for i in range(4)] == [one.explain(i) for i in range(4)]
    assert many.report_n([9, 0], [S, 9]) == [errors.RANGE, errors.RANGE]
    assert many.report_n([], []) == [] and many.status_n([]) == []
    for wrong in (([0], []), ([0], [S], [])):
        with pytest.raises(ValueError, match="as many outcomes"):
            many.report_n(*wrong)


def test_who_is_due(h, clock):
    assert sorted(h.due()) == [0, 1, 2, 3]
    assert h.due() == []  # leased
    for slot in range(4):
        h.report(slot, S)
    assert 1700 <= h.next_due_ms() <= 2000
    clock.pass_ms(2000)
    assert h.next_due_ms() == 0
    assert len(h.due(3)) == 3 and len(h.due()) == 1
    clock.pass_ms(5000)  # nobody reported: the leases end
    assert len(h.due()) == 4


def test_silence(clock):
    h = Health(capacity=3, ttl_ms=1000, max_pause_ms=-1, clock=clock)
    h.report_n([0, 1, 2], [S, S, F])
    assert h.tick() == []
    clock.pass_ms(1001)
    assert h.status(1) is Status.STALE
    assert len(h.tick(2)) == 2 and len(h.tick()) == 1 and h.tick() == []
    assert h.explain(0).reason is HealthReason.BY_SILENCE
    assert h.statistics().stale == 3


def test_slots_in_and_out_of_use(clock):
    h = Health(capacity=2, flags=HealthFlag.DISABLED, clock=clock)
    assert h.next_due_ms() is None and h.due() == []
    assert h.report(0, S) == h.observe(0, F) == errors.STALE
    assert h.explain(0).pace in (None, *Pace) and not h.explain(0).enabled
    h.enable(0)
    assert h.due() == [0]
    assert h.report(0, S) is Status.HEALTHY
    h.disable(0)
    assert h.status(0) is Status.UNKNOWN
    assert h.set(Status.HEALTHY, 0) == errors.STALE
    assert h.statistics().late == 3


def test_by_hand(h):
    assert h.set(Status.UNHEALTHY, 2) is Status.UNHEALTHY
    assert h.set(Status.UNHEALTHY, 2) == 0
    assert h.status(2) is Status.UNHEALTHY
    assert h.explain(2).reason is HealthReason.BY_HAND
    h.set(Status.UNKNOWN, 2)
    assert h.report(2, S) is Status.HEALTHY


# ---- traffic and outliers ----


def test_traffic_can_take_a_target_down(clock):
    h = Health(passive_errors=3, passive_action=PassiveAction.MARK_DOWN, clock=clock)
    h.report(0, S)
    assert [h.observe(0, o) for o in (F, F, S, F, F)] == [0] * 5
    assert h.observe(0, F) is Status.UNHEALTHY
    assert h.explain().reason is HealthReason.BY_TRAFFIC


def test_a_row_of_errors_ejects(clock):
    h = Health(capacity=10, eject=Eject.ENVOY, passive_errors=-1, eject_max_ppm=500_000,
               clock=clock)
    assert [h.observe(3, FailureCause.GATEWAY) for _ in range(5)] == [0] * 4 + [health.EJECTED]
    assert h.ejected(3) and not h.ejected(4)
    info = h.explain(3)
    assert (info.ejected, info.ejections) == (True, 1) and 29_000 <= info.eject_left_ms <= 30_000
    for _ in range(4):
        clock.pass_ms(10_000)
        h.tick()
    assert not h.ejected(3)


def test_an_outlier_is_found(clock):
    h = Health(capacity=10, eject=Eject.ROBUST, passive_errors=-1, clock=clock)
    h.tick()
    for slot in range(10):
        for n in range(100):
            h.observe(slot, F if slot == 7 and n % 2 else S)
    clock.pass_ms(10_000)
    h.tick()
    assert [slot for slot in range(10) if h.ejected(slot)] == [7]
    s = h.statistics()
    assert (s.ejected, s.judged, s.detected, s.enforced, s.sweeps >= 1) == (1, 10, 1, 1, True)
    info = h.explain(7)
    assert (info.calls, info.call_failures) == (100, 50)
    assert h.status(7) is Status.UNKNOWN  # that is another question


# ---- views ----


def test_a_view(h, clock):
    view = h.view([Member("db", 0, type="datastore", output="down"),
                   Member("cache", 1, Criticality.OPTIONAL)],
                  version="1", service_id="shop", description="café")
    h.report_n([0, 1], [S, S], [3 * MS, 2 * MS])
    assert view.overall()[:2] == (Status.HEALTHY, 200)
    h.report(1, F)
    summary = view.overall()
    assert (summary.status, summary.http_code) == (Status.DEGRADED, 200)
    assert (summary.healthy, summary.unhealthy) == (1, 1)
    h.report(0, F)
    answer = view.json(wall_ms=0)
    assert isinstance(answer, HealthText)
    assert (answer.status, answer.http_code) == (Status.UNHEALTHY, 503)
    said = json.loads(answer.text)
    assert (said["status"], said["version"], said["serviceId"]) == ("fail", "1", "shop")
    assert said["description"] == "café"
    row = said["checks"]["db:responseTime"][0]
    assert (row["componentType"], row["output"], row["status"]) == ("datastore", "down", "fail")
    assert "time" not in row
    assert said["checks"]["cache:responseTime"][0]["status"] in ("warn", "fail")
    assert json.loads(view.json(1_700_000_000_000).text)["checks"]["db:responseTime"][0][
        "time"].startswith("2023-11-14")
    assert "time" in view.json().text


def test_k_of_n_and_codes(h):
    members = [Member("node-%d" % slot, slot) for slot in range(4)]
    view = h.view(members, at_least=3, http_fail=500, unknown_as=Status.UNHEALTHY)
    h.report_n([0, 1], [S, S])
    assert view.overall()[:2] == (Status.UNHEALTHY, 500)
    h.report(2, S)
    assert view.overall().status is Status.HEALTHY


def test_large_and_odd_texts(clock):
    h = Health(capacity=200, clock=clock)
    long = "x" * 3000
    view = h.view([Member("a\"b\\%d" % i, i, output=long) for i in range(200)])
    h.report_n(range(200), [F] * 200)
    said = json.loads(view.json().text)
    assert len(said["checks"]) == 200
    assert said["checks"]["a\"b\\7:responseTime"][0]["output"] == long
    h.report(0, F)
    odd = h.view([Member("lone \udcff", 0)])
    assert "\ufffd" in odd.json().text
    assert json.loads(h.view([]).json().text)["status"] == "pass"


@pytest.mark.parametrize("members, options, error, words", [
    ([Member("db", 4)], {}, TrimtabError, r"slot\[0\]: 4 is not within 0\.\.3"),
    ([Member("db", 0), Member("db", -1)], {}, TrimtabError, "slot: -1"),
    ([Member("db", 0, 3)], {}, TrimtabError, r"criticality\[0\]: 3 is not within 0\.\.2"),
    ([Member("", 0)], {}, TrimtabError, "name: '' is empty"),
    ([Member("a:b", 0)], {}, TrimtabError, "name: 'a:b' is empty or holds a ':'"),
    ([Member("a\0b", 0)], {}, ValueError, "name: no NUL"),
    ([Member("a", 0, output="x\0")], {}, ValueError, "output: no NUL"),
    ([], {"version": "1\0"}, ValueError, "version: no NUL"),
    ([], {"http_fail": 200}, TrimtabError, "http_fail: 200 is not within 400..599"),
    ([], {"degraded_as": 9}, TrimtabError, "degraded_as: 9"),
    ([], {"at_least": 2**31}, TrimtabError, "at_least: 2147483648"),
])
def test_wrong_views(h, members, options, error, words):
    with pytest.raises(error, match=words):
        h.view(members, **options)


# ---- bad input ----


@pytest.mark.parametrize("use", [
    lambda h, slot: h.report(slot, S), lambda h, slot: h.observe(slot, S),
    lambda h, slot: h.status(slot), lambda h, slot: h.ejected(slot),
    lambda h, slot: h.explain(slot), lambda h, slot: h.enable(slot),
    lambda h, slot: h.disable(slot), lambda h, slot: h.set(Status.HEALTHY, slot)])
def test_slots_out_of_range(h, use):
    for slot in (4, -1, 2**32, 2**32 + 1):
        with pytest.raises(TrimtabError, match="slot: %d is not within" % slot) as caught:
            use(h, slot)
        assert caught.value.code == errors.RANGE
    assert h.statistics().changes == 0


def test_what_is_no_outcome_and_no_status(h):
    for use in (h.report, h.observe):
        with pytest.raises(TypeError, match="True would be a FAILURE"):
            use(0, True)
        for outcome in (99, -1, 2**32):
            with pytest.raises(TrimtabError, match="outcome: %d is none" % outcome):
                use(0, outcome)
    with pytest.raises(TrimtabError, match="outcome: 17 is none of a probe"):
        h.report(0, FailureCause.LOCAL)
    with pytest.raises(TrimtabError, match="status: 4 cannot be set"):
        h.set(Status.STALE, 0)
    with pytest.raises(TrimtabError, match="status: 4294967297 is not within"):
        h.set(2**32 + 1, 0)
    with pytest.raises(TrimtabError, match="latency_ns: -1"):
        h.report(0, S, -1)
    assert h.statistics().changes == 0


def test_wrong_options():
    with pytest.raises(TypeError, match="ejekt - eject perhaps"):
        Health(ejekt=1)
    with pytest.raises(TrimtabError, match="eject: 4 is not within"):
        Health(eject=4)
    with pytest.raises(TrimtabError, match="recover_ms"):
        Health(degraded_ms=10, recover_ms=20)
    assert {"rise", "eject_gap_ppm"} < {option.name for option in Health.options()}


def test_close(h):
    view = h.view([Member("db", 0)])
    h.close()
    h.close()
    for use in (h.due, h.tick, h.statistics, h.next_due_ms, h.status, h.status_n, h.explain,
                lambda: h.report(0), lambda: h.report(9), lambda: h.observe(0), h.ejected,
                lambda: h.report_n([0], [S]), lambda: h.set(Status.HEALTHY, 0), view.overall,
                view.json, lambda: h.view([Member("db", 0)])):
        with pytest.raises(TrimtabError, match="this Health is closed") as caught:
            use()
        assert caught.value.code == errors.MISUSE


def test_two_handles_of_a_file(path, clock):
    mine, theirs = (Health(path, capacity=2, clock=clock) for _ in range(2))
    assert sorted(mine.due(1) + theirs.due()) == [0, 1]
    assert mine.report(0, F) is Status.UNHEALTHY
    assert theirs.report(0, F) == 0 and theirs.status(0) is Status.UNHEALTHY
