# SPDX-License-Identifier: MIT
"""What the tests of the package share: a clock, children, and an end to all waiting."""
import faulthandler
import os
import signal
import sys
import traceback

import pytest

MS = 1_000_000


@pytest.fixture(autouse=True)
def _bounded():
    """A test that hangs, in Python or in C, ends the run with its traceback."""
    faulthandler.dump_traceback_later(60, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


class Clock:
    """Time that moves when a test says so."""

    def __init__(self):
        self.now = 1_000_000_000_000

    def __call__(self):
        return self.now

    def pass_ms(self, ms):
        self.now += ms * MS


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "region")


def fork(function):
    """Runs function in a forked child; its pid. The child exits with 0 if the
    function returns, with 1 if it raises."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(50)  # not faulthandler: its thread stayed with the parent
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    return pid


def finish(pid):
    """Waits for a child; its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
