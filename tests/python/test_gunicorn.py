# SPDX-License-Identifier: MIT
"""A real pre-fork server: gunicorn's workers share a bulkhead and a rate, are killed
while they hold permits, and the master takes these back (docs/python.md)."""
import http.client
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import trimtab
from trimtab import Bulkhead, RateLimit

pytest.importorskip("gunicorn")

CONF = """
import os
import trimtab

bind, workers, timeout = "unix:socket", 2, 15

def on_starting(server):
    for path in ("bulkhead", "rate"):
        if os.path.exists(path):
            os.unlink(path)

def when_ready(server):
    server.db = trimtab.Bulkhead("bulkhead", permits=3).join()
    trimtab.RateLimit("rate", rate=1, period_ms=86400000, burst=5, capacity=64,
                      flags=trimtab.LimiterFlag.KEYED)

def post_fork(server, worker):
    worker.app.db = trimtab.Bulkhead("bulkhead").join()

def post_worker_init(worker):
    worker.app.callable.db = worker.app.db

def child_exit(server, worker):
    server.db.recover(worker.pid)

def worker_exit(server, worker):
    if os.getpid() == server.pid:
        server.db.recover(worker.pid)
"""
# The first worker dies before gunicorn has noted its pid: no child_exit.
EARLY = """
import signal
import time

timeout = 3
slow = [1]
os.register_at_fork(after_in_parent=lambda: slow and time.sleep(slow.pop()))
join = post_fork

def post_fork(server, worker):
    join(server, worker)
    if worker.age == 1:
        assert min(worker.app.db.acquire_n([0, 0])) >= 0
        os.kill(os.getpid(), signal.SIGKILL)

leave = worker_exit

def worker_exit(server, worker):
    if os.getpid() == server.pid:
        server.log.info("missed worker %d", worker.age)
    leave(server, worker)
"""
APP = """
import os
import signal
import trimtab

class App:
    rate = None

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        if path == "/die":
            assert self.db.acquire() >= 0 and self.db.acquire() >= 0
            os.kill(os.getpid(), signal.SIGKILL)
        self.rate = self.rate or trimtab.RateLimit("rate")
        body = str(os.getpid()).encode()
        try:
            with self.db.hold(), self.rate.hold(key=path):
                assert self.db.explain().in_use >= 1
        except trimtab.LimitExceeded as refused:
            start("429 Too Many Requests", [("Retry-After", str(refused.retry_after_ms // 1000))])
            return [body]
        start("200 OK", [])
        return [body]

app = App()
"""


class Server:
    def __init__(self, folder, *options, conf=CONF):
        (folder / "conf.py").write_text(conf)
        (folder / "app.py").write_text(APP)
        self.log = open(folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "conf.py", *options, "app:app"],
            cwd=folder, stdout=self.log, stderr=subprocess.STDOUT)

    def get(self, path):
        """Status and body; None if the worker died over it."""
        connection = http.client.HTTPConnection("unix", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        try:
            connection.sock.connect("socket")
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait(self, true):
        end = time.monotonic() + 30
        while not true():
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    """In a folder of its own, with the package that is tested."""
    package = os.path.dirname(os.path.abspath(trimtab.__file__))
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(package))
    if "TRIMTAB_LIBRARY" in os.environ:
        monkeypatch.setenv("TRIMTAB_LIBRARY", os.path.abspath(os.environ["TRIMTAB_LIBRARY"]))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("options", [[], ["--preload"]])
def test_workers_share_and_the_master_recovers(tmp_path, options):
    server = Server(tmp_path, *options)
    try:
        server.wait(lambda: (server.get("/up") or [0])[0] in (200, 429))
        answers = [server.get("/alice") for _ in range(12)]
        assert [status for status, _ in answers] == [200] * 5 + [429] * 7, server.said()
        db = Bulkhead("bulkhead")
        server.wait(lambda: db.statistics().joined == 3)
        for _ in range(4):  # each holds two of the three permits
            assert server.get("/die") is None
            server.wait(lambda: db.explain().in_use == 0)
            server.wait(lambda: db.statistics().joined == 3)  # the master and two workers
        assert server.get("/bob")[0] == 200
        assert not RateLimit("rate").peek(key="/alice")
    finally:
        server.end()
    assert "Traceback" not in (tmp_path / "log").read_text()
    s = Bulkhead("bulkhead").statistics()
    assert (s.refused, s.stale) == (0, 0)


def test_a_death_that_gunicorn_misses(tmp_path):
    server = Server(tmp_path, conf=CONF + EARLY)
    try:
        server.wait(lambda: os.path.exists("bulkhead") and os.path.getsize("bulkhead") > 0)
        db = Bulkhead("bulkhead")
        server.wait(lambda: "missed worker 1" in server.said())
        server.wait(lambda: db.explain().in_use == 0)
        server.wait(lambda: db.statistics().joined == 3)
    finally:
        server.end()
    assert "Traceback" not in (tmp_path / "log").read_text()
