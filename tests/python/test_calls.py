# SPDX-License-Identifier: MIT
"""with, async with and decorators: one report a ticket, on every way out."""
import asyncio
import inspect

import pytest

from trimtab import Balancer, Breaker, BreakerState, CircuitOpen, NoEndpoint, Outcome, Pool, errors


@pytest.fixture
def breaker(clock):
    return Breaker(consecutive=2, open_ms=100, clock=clock)


def failures(breaker):
    return breaker.explain().failures


def calls(breaker):
    return breaker.explain().calls


def test_success_and_failure(breaker):
    with breaker.call() as call:
        assert call.ticket >= 0
    assert (calls(breaker), failures(breaker)) == (1, 0)
    with pytest.raises(KeyError):
        with breaker.call():
            raise KeyError
    assert (calls(breaker), failures(breaker)) == (2, 1)


def test_refused(breaker, clock):
    breaker.set(BreakerState.OPEN)
    clock.pass_ms(40)
    ran = []
    with pytest.raises(CircuitOpen, match="open") as caught:
        with breaker.call():
            ran.append(1)
    assert not ran
    assert (caught.value.code, caught.value.retry_after_ms) == (errors.OPEN, 60)


def test_what_is_nobodys_fault(breaker):
    for error in (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
        with pytest.raises(error):
            with breaker.call():
                raise error
    with pytest.raises(LookupError):
        with breaker.call(ignore=(LookupError,)):
            raise LookupError
    assert (calls(breaker), failures(breaker)) == (0, 0)


def test_the_block_may_say_it_itself(breaker):
    for _ in range(2):
        with breaker.call() as call:
            call.outcome = Outcome.FAILURE
    assert breaker.state == BreakerState.OPEN


def test_a_call_is_entered_once_at_a_time(breaker):
    call = breaker.call()
    with call:
        with pytest.raises(RuntimeError, match="already entered"):
            with call:
                raise AssertionError
    with call:
        pass
    assert (calls(breaker), failures(breaker)) == (2, 0)


def test_a_cancelled_probe_makes_room(breaker, clock):
    breaker.set(BreakerState.OPEN)
    clock.pass_ms(100)
    with pytest.raises(asyncio.CancelledError):
        with breaker.call():
            assert not breaker.peek()
            raise asyncio.CancelledError
    assert breaker.peek()
    with breaker.call():
        pass
    assert breaker.state == BreakerState.CLOSED


def test_decorator(breaker):
    @breaker
    def half(n):
        """Halves."""
        return n / 2

    assert (half.__name__, half.__doc__) == ("half", "Halves.")
    assert half(6) == 3
    for _ in range(2):
        with pytest.raises(TypeError):
            half("x")
    with pytest.raises(CircuitOpen):
        half(6)


def test_decorator_of_a_slot_and_a_method(clock):
    b = Breaker(capacity=2, consecutive=1, clock=clock)

    class Client:
        @b.call(1, ignore=(KeyError,))
        def get(self, what):
            return {"a": self}[what]

    client = Client()
    assert client.get("a") is client
    with pytest.raises(KeyError):
        client.get("b")
    with pytest.raises(TypeError):
        client.get([])
    with pytest.raises(CircuitOpen):
        client.get("a")
    assert b.peek(0)


def test_recursion_has_a_ticket_each(breaker):
    @breaker
    def down(n):
        return n and down(n - 1)

    down(5)
    assert calls(breaker) == 6


def test_generators(breaker):
    @breaker
    def count(n):
        for i in range(n):
            got = yield i
            if got:
                raise got
        return "end"

    assert inspect.isgeneratorfunction(count)
    items = count(2)
    assert calls(breaker) == 0  # nothing has run
    assert list(items) == [0, 1]
    assert (calls(breaker), failures(breaker)) == (1, 0)

    def whole():
        return (yield from count(1))

    run = whole()
    next(run)
    with pytest.raises(StopIteration) as stop:
        next(run)
    assert stop.value.value == "end"

    early = count(5)
    next(early)
    early.close()
    assert (calls(breaker), failures(breaker)) == (2, 0)

    bad = count(5)
    next(bad)
    with pytest.raises(OSError):
        bad.send(OSError())
    assert failures(breaker) == 1
    thrown = count(5)
    next(thrown)
    with pytest.raises(OSError):
        thrown.throw(OSError())
    assert breaker.state == BreakerState.OPEN
    with pytest.raises(CircuitOpen):
        next(count(1))


def test_async(breaker):
    @breaker
    async def fetch(n):
        await asyncio.sleep(0)
        return 1 / n

    async def main():
        assert asyncio.iscoroutinefunction(fetch)
        coroutine = fetch(1)
        assert calls(breaker) == 0
        assert await coroutine == 1
        async with breaker.call() as call:
            assert call.ticket >= 0
        assert await asyncio.gather(*(fetch(n) for n in (1, 2, 4))) == [1, 0.5, 0.25]
        assert (calls(breaker), failures(breaker)) == (5, 0)

        @breaker
        async def forever():
            await asyncio.Event().wait()

        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (calls(breaker), failures(breaker)) == (5, 0)

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await fetch(0)
        with pytest.raises(CircuitOpen):
            await fetch(1)
        with pytest.raises(CircuitOpen):
            async with breaker.call():
                pass

    asyncio.run(main())


def test_async_generators(breaker):
    ended = []

    @breaker
    async def count(n):
        try:
            for i in range(n):
                got = yield i
                if got:
                    raise got
        finally:
            ended.append(n)

    async def main():
        assert inspect.isasyncgenfunction(count)
        assert [i async for i in count(3)] == [0, 1, 2]
        assert (calls(breaker), failures(breaker)) == (1, 0)
        early = count(4)
        assert await early.asend(None) == 0
        await early.aclose()
        assert ended == [3, 4]
        assert (calls(breaker), failures(breaker)) == (1, 0)
        bad = count(5)
        await bad.asend(None)
        with pytest.raises(OSError):
            await bad.asend(OSError())
        assert failures(breaker) == 1

    asyncio.run(main())


# ---- endpoints ----


@pytest.fixture(params=[Balancer, Pool])
def picker(request, clock):
    mine = request.param(capacity=4, clock=clock).join()
    mine.update([1, 2, 3])
    return mine


def in_flight(picker):
    return picker.statistics().in_flight


def test_a_call_has_a_slot_and_a_latency(picker, clock):
    with picker.call() as call:
        assert call.slot == picker.slot_of(call.ticket)
        assert in_flight(picker) == 1
        clock.pass_ms(7)
    assert call.latency_ns == 7_000_000
    assert in_flight(picker) == 0
    with pytest.raises(KeyError):
        with picker.call(exclude=[0, 1]) as call:
            assert call.slot == 2
            clock.now -= 5  # latency is never negative
            raise KeyError
    assert (in_flight(picker), call.latency_ns) == (0, 0)


def test_nobody_there(picker):
    with pytest.raises(NoEndpoint) as caught:
        with picker.call(exclude=[0, 1, 2]):
            raise AssertionError
    assert caught.value.code == errors.ALL_EXCLUDED
    picker.update([])
    with pytest.raises(NoEndpoint) as caught:
        with picker.call():
            raise AssertionError
    assert caught.value.code == errors.NO_ENDPOINT


def test_attempts_go_elsewhere(picker):
    tried = []

    def run(times, fail_first, error=OSError):
        tried.clear()
        for attempt in picker.attempts(times, retry_on=(OSError,)):
            with attempt as call:
                tried.append(call.slot)
                if len(tried) <= fail_first:
                    raise error(len(tried))
        assert in_flight(picker) == 0

    run(3, 0)
    assert len(tried) == 1
    run(3, 2)
    assert sorted(tried) == [0, 1, 2]
    with pytest.raises(OSError, match="3"):
        run(3, 3)
    assert sorted(tried) == [0, 1, 2]
    with pytest.raises(ValueError, match="1"):
        run(3, 1, ValueError)
    assert len(tried) == 1
    with pytest.raises(NoEndpoint) as caught:
        run(9, 9)
    assert str(caught.value.__cause__) == "3"
    assert in_flight(picker) == 0


def test_async_attempts(picker):
    async def main():
        tried = []
        for attempt in picker.attempts(2):
            async with attempt as call:
                await asyncio.sleep(0)
                tried.append(call.slot)
                if len(tried) == 1:
                    raise OSError
        assert len(set(tried)) == 2

        async def forever():
            for attempt in picker.attempts(2):
                async with attempt:
                    await asyncio.Event().wait()

        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        assert in_flight(picker) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert in_flight(picker) == 0

    asyncio.run(main())
