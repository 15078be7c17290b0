# SPDX-License-Identifier: MIT
"""The class Breaker: states, numbers, batches, options, bad input, its end."""
import copy
import pickle

import pytest

import trimtab
from trimtab import Breaker, BreakerPreset, BreakerState, CircuitOpen, LimitExceeded, Outcome
from trimtab import TrimtabError, errors


def open_it(breaker, slot=0):
    while breaker.peek(slot):
        breaker.report(breaker.acquire(slot), Outcome.FAILURE)


def test_opens_probes_and_closes(clock):
    b = Breaker(consecutive=3, open_ms=100, clock=clock)
    results = [b.report(b.acquire(), Outcome.FAILURE) for _ in range(3)]
    assert results == [0, 0, 1]
    assert b.state == BreakerState.OPEN
    assert b.acquire() == errors.OPEN
    assert not b.peek()
    info = b.explain()
    assert (info.opened, info.retry_after_ms) == (1, 100)
    clock.pass_ms(100)
    probe = b.acquire()
    assert probe >= 0
    assert b.acquire() == errors.HALF_OPEN_FULL
    assert b.report(probe, Outcome.SUCCESS) == 3
    assert b.state is BreakerState.CLOSED
    assert b.report(probe, Outcome.SUCCESS) == errors.STALE
    stats = b.statistics()
    assert (stats.capacity, stats.refused, stats.stale) == (1, 2, 1)


def test_a_failed_probe_opens_it_again(clock):
    b = Breaker(consecutive=1, open_ms=50, clock=clock)
    open_it(b)
    clock.pass_ms(50)
    assert b.report(b.acquire(), Outcome.FAILURE) == 2
    assert b.state == BreakerState.OPEN


def test_the_failure_rate(clock):
    b = Breaker(consecutive=-1, failure_rate_ppm=500_000, min_calls=10, clock=clock)
    for i in range(9):
        b.report(b.acquire(), Outcome.FAILURE if i % 2 else Outcome.SUCCESS)
    assert b.explain().failure_rate_ppm == -1
    assert b.report(b.acquire(), Outcome.FAILURE) == 1


def test_slots_are_apart(clock):
    b = Breaker(capacity=4, consecutive=1, clock=clock)
    open_it(b, 2)
    assert [b.peek(slot) for slot in range(4)] == [True, True, False, True]
    b.set(BreakerState.FORCED_OPEN, 0)
    b.set(BreakerState.CLOSED, 2)
    assert [b.explain(slot).state.name for slot in range(4)] == [
        "FORCED_OPEN", "CLOSED", "CLOSED", "CLOSED"]
    assert b.explain(0).retry_after_ms == -1


def test_batches_are_the_single_calls_in_order(clock):
    one = Breaker(capacity=8, consecutive=2, clock=clock)
    many = Breaker(capacity=8, consecutive=2, clock=clock)
    slots = [1, 1, 3, 1, 7] * 3
    outcomes = [Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS, Outcome.IGNORED, Outcome.FAILURE]
    outcomes *= 3
    for _ in range(2):
        singly = [one.acquire(slot) for slot in slots]
        assert many.acquire_n(slots) == singly
        codes = [one.report(t, o) if t >= 0 else errors.MISUSE for t, o in zip(singly, outcomes)]
        assert many.report_n(singly, outcomes) == codes
        assert [many.explain(slot) for slot in range(8)] == [one.explain(slot) for slot in range(8)]
    assert many.acquire_n([]) == []
    assert many.report_n([], []) == []
    assert many.acquire_n([0, 99])[1] == errors.RANGE


def test_batches_refuse_what_does_not_fit():
    b = Breaker()
    with pytest.raises(OverflowError):
        b.acquire_n([2**32])
    with pytest.raises(OverflowError):
        b.acquire_n([-1])
    with pytest.raises(ValueError, match="as many outcomes"):
        b.report_n([1, 2], [0])


@pytest.mark.parametrize("config, words", [
    ({"open_ms": 99999999}, "open_ms: 99999999 is not within 1..3600000"),
    ({"open_ms": -1}, "open_ms: -1 is not within 1..3600000"),
    ({"consecutive": 2**40 + 5}, "consecutive: 1099511627781 is not within 1..1000000"),
    ({"consecutive": -1, "failure_rate_ppm": -1}, "consecutive|failure_rate"),
    ({"seed": 2**64}, "seed: 18446744073709551616 is not within"),
    ({"capacity": 2**21}, "capacity: 2097152"),
])
def test_a_value_out_of_range_is_named(config, words):
    with pytest.raises(TrimtabError, match=words) as caught:
        Breaker(**config)
    assert caught.value.code == errors.RANGE


def test_an_unknown_option_is_named_with_what_there_is():
    with pytest.raises(TypeError, match="consecutve - consecutive perhaps.*open_ms"):
        Breaker(consecutve=3)
    for name in ("reserved", "struct_size"):
        with pytest.raises(TypeError, match="no such option"):
            Breaker(**{name: 1})
    for value in ("5", 5.0, None, {}):
        with pytest.raises(TypeError, match="consecutive: an integer"):
            Breaker(consecutive=value)


def test_options_are_the_librarys():
    there = {option.name: option for option in Breaker.options()}
    assert there["open_ms"] == ("open_ms", 5000, 1, 3600000, "ms")
    assert set(there) == {
        "capacity", "consecutive", "failure_rate_ppm", "window_ms", "min_calls", "open_ms",
        "half_open_probes", "half_open_successes", "lease_ms", "threads", "flags", "seed",
        "slow_rate_ppm", "half_open_calls", "half_open_rate_ppm", "open_growth_ppm", "open_max_ms",
        "open_jitter_ppm", "open_decay_ms", "window_calls", "ramp_ms", "ramp_start_ppm",
        "cusum_healthy_ppm", "cusum_bad_ppm", "cusum_calls", "key_idle_ms", "slow_ms",
        "average_success_ppm", "average_calls", "open_steps", "stripes", "tickets"}


def test_slow_calls_and_a_growing_open_time():
    now = [10**12]
    b = Breaker(consecutive=-1, failure_rate_ppm=-1, slow_rate_ppm=500000, window_calls=4,
                open_ms=1000, open_growth_ppm=2000000, open_max_ms=3000, clock=lambda: now[0])
    for _ in range(4):
        b.report(b.acquire(), Outcome.SLOW)
    info = b.explain()
    assert info.state == BreakerState.OPEN
    assert (info.slow, info.slow_rate_ppm, info.retry_after_ms) == (4, 1000000, 1000)
    for wait in (2000, 3000, 3000):
        now[0] += b.explain().retry_after_ms * 10**6
        assert b.report(b.acquire(), Outcome.SLOW) == 2
        assert b.explain().retry_after_ms == wait
    assert b.explain().open_step == 2


def test_bad_arguments():
    b = Breaker(capacity=2)
    for slot in (2, 2**31, 2**32, 2**32 + 1, -1, -2**32):
        with pytest.raises(TrimtabError) as caught:
            b.acquire(slot)
        assert caught.value.code == errors.RANGE
        for look in (b.peek, b.explain):
            with pytest.raises(TrimtabError):
                look(slot)
    with pytest.raises(TrimtabError, match="-104 is no ticket but a refusal .TTB_OPEN."):
        b.report(errors.OPEN)
    for outcome in (7, -1, 2**32):
        with pytest.raises(TrimtabError):
            b.report(b.acquire(), outcome)
    with pytest.raises(TypeError, match="True would be a FAILURE"):
        b.report(b.acquire(), True)
    with pytest.raises(TrimtabError):
        b.set(9)
    with pytest.raises(TrimtabError, match="join"):
        b.recover(12345)
    for token in (0, 2**40, -1, 2**64):
        with pytest.raises(TrimtabError):
            b.join(token)


def test_close_twice_and_use_after_close():
    b = Breaker(capacity=2)
    ticket = b.acquire()
    b.close()
    b.close()
    for use in (b.acquire, b.explain, b.peek, b.statistics, b.join, lambda: b.report(ticket),
                lambda: b.acquire_n([0]), lambda: b.report_n([ticket], [0]), lambda: b.state):
        with pytest.raises(TrimtabError, match="this Breaker is closed") as caught:
            use()
        assert caught.value.code == errors.MISUSE


def test_a_joined_handle_outlives_the_one_it_came_from():
    b = Breaker(consecutive=1)
    mine = b.join()
    b.close()
    del b
    mine.report(mine.acquire(), Outcome.FAILURE)
    assert mine.state == BreakerState.OPEN
    mine.close()


def test_rows_are_given_back():
    b = Breaker(threads=2)
    first = b.join()
    with b.join() as second:
        assert b.statistics().joined == 2
        assert first.joined and second.joined and not b.joined
        with pytest.raises(TrimtabError, match="raise threads=") as caught:
            b.join()
        assert caught.value.code == errors.NOSPACE
    assert b.statistics().joined == 1
    del first  # forgotten, not closed
    assert b.statistics().joined == 0


def test_cannot_be_copied_or_sent():
    b = Breaker()
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="open its path"):
            way(b)


def test_exceptions_can_be_sent():
    for error in (CircuitOpen(errors.OPEN, "open", 17), TrimtabError(errors.RANGE, "no")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error) and again.code == error.code
    assert pickle.loads(pickle.dumps(CircuitOpen(errors.OPEN, "open", 17))).retry_after_ms == 17


def test_a_wild_clock_holds_nothing_open(clock):
    b = Breaker(consecutive=1, open_ms=1000, clock=clock)
    open_it(b)
    clock.now = 1  # a new clock: known as such after a second
    waited = 0
    while b.acquire() == errors.OPEN:
        clock.pass_ms(100)
        waited += 100
        assert waited <= 2100
    assert b.state == BreakerState.HALF_OPEN
    assert b.statistics().clock_adoptions == 1


def test_the_module_says_its_version():
    assert trimtab.__version__.count(".") == 2


def test_a_breaker_a_key():
    breaker = Breaker(capacity=4, key_idle_ms=1000, consecutive=1, failure_rate_ppm=-1)
    assert breaker.find(17) is None
    slot = breaker.claim(17)
    assert breaker.find(17) == slot and breaker.explain(slot).key == 17
    assert breaker.report(breaker.acquire_key(17), Outcome.SLOW_FAILURE) == 1
    tickets = breaker.acquire_key_n([17, 18, 19])
    assert tickets[0] == -104 and min(tickets[1:]) >= 0
    with pytest.raises(TrimtabError, match="key: 0 is nobody's"):
        breaker.claim(0)
    with pytest.raises(TrimtabError):
        breaker.claim(2**64 - 1)
    with pytest.raises(TrimtabError):
        Breaker().claim(1)


def test_keys_are_texts_too(clock):
    b = Breaker(capacity=64, key_idle_ms=1000, consecutive=1, open_ms=100, clock=clock)
    assert b.report(b.acquire_key("/cart"), Outcome.FAILURE) == 1
    assert b.acquire_key(b"/cart") == errors.OPEN
    assert b.acquire_key(trimtab.key_hash(b"/cart")) == errors.OPEN
    assert b.find("/cart") == b.claim(b"/cart") is not None and b.find("/home") is None
    tickets = b.acquire_key_n(["/cart", "/home", 5])
    assert tickets[0] == errors.OPEN and min(tickets[1:]) >= 0
    for key in (None, 1.5, ["/cart"]):
        with pytest.raises(TypeError, match="key: an integer"):
            b.acquire_key(key)
    with pytest.raises(TypeError, match="a list of keys"):
        b.acquire_key_n("/cart")


def test_a_guarded_call_of_a_key(clock):
    b = Breaker(capacity=2, key_idle_ms=10000, consecutive=1, open_ms=100, clock=clock)

    @b.call(key="/cart", ignore=(KeyError,))
    def cart(error=None):
        if error:
            raise error

    with pytest.raises(KeyError):
        cart(KeyError())
    cart()
    with pytest.raises(OSError):
        cart(OSError())
    with pytest.raises(CircuitOpen) as caught:
        cart()
    assert caught.value.retry_after_ms == 100
    with b.call(key="/home"):
        pass
    with pytest.raises(LimitExceeded) as caught:  # no slot is left
        with b.call(key="/third"):
            raise AssertionError
    assert (caught.value.code, caught.value.retry_after_ms) == (errors.LIMIT, -1)


# ---- what a stranger runs into ----


def test_a_preset_is_options(clock):
    options = Breaker.preset(BreakerPreset.DATABASE)
    assert (options["consecutive"], options["open_ms"], options["slow_rate_ppm"]) == (5, 2000, 800000)
    assert "struct_size" not in options and 0 not in options.values()
    b = Breaker(**{**Breaker.preset(BreakerPreset.PLAIN), "open_ms": 1234}, clock=clock)
    for _ in range(5):
        b.report(b.acquire(), Outcome.FAILURE)
    assert b.explain().retry_after_ms == 1234
    for preset in BreakerPreset:  # the library takes them all, and knows no more
        Breaker(**Breaker.preset(preset))
    with pytest.raises(TrimtabError, match=r"preset: 12 is not within 1\.\.11"):
        Breaker.preset(max(BreakerPreset) + 1)


def test_errors_name_what_is_wrong(tmp_path, clock):
    b = Breaker(str(tmp_path / "b"), capacity=3, clock=clock)
    for wrong in (b.acquire, b.peek, b.explain, lambda slot: b.set(BreakerState.OPEN, slot)):
        with pytest.raises(TrimtabError, match=r"slot: 3 is not within 0\.\.2"):
            wrong(3)
    with pytest.raises(TrimtabError, match="outcome: 6 is none"):
        b.report(b.acquire(), 6)
    for wrong in (b.acquire_key, b.claim, b.find):
        with pytest.raises(TrimtabError, match="no keys: make it with key_idle_ms="):
            wrong("a")
    assert repr(b) == "<Breaker %s>" % (tmp_path / "b")
    b.close()
    assert repr(b) == "<Breaker closed>"
    with pytest.raises(TrimtabError, match="closed"):
        b.acquire_key("a")
    assert repr(Breaker()) == "<Breaker in this process>"


def test_a_refusal_says_when_to_come_back(clock):
    b = Breaker(consecutive=1, open_ms=700, clock=clock)
    open_it(b)
    with pytest.raises(CircuitOpen, match="again in 700 ms$") as refused:
        with b.call():
            pass
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    b.set(BreakerState.FORCED_OPEN)
    with pytest.raises(CircuitOpen, match="without a try$"):  # nobody can tell
        with b.call():
            pass


def test_a_clock_of_seconds_is_refused_at_once():
    with pytest.raises(TypeError, match=r"clock \(nanoseconds\): an integer, please, not 12\.5"):
        Breaker(clock=lambda: 12.5)
    with pytest.raises(TrimtabError, match=r"clock \(nanoseconds\): -1 is not"):
        Breaker(clock=lambda: -1)
