#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gateway demo as a test: plays it once and judges the event log it wrote,
then sends bad input to a running gateway. Nothing is asserted on the clock but
that everything ends.

usage: run_test.py [GATEWAY_BINARY] [--bad-input-only | --demo-only]
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/examples/gateway/gateway")
passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL: {what}" + (f": {detail}" if detail != "" else ""), flush=True)
    return ok


def read_log(path):
    events = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            events.append(json.loads(line))
    return events


def alive(pid):
    """Does this process live (and is no zombie)?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(what, seconds=8.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


# ---- the demo ----


class Log:
    """An event log, in the order the gateway wrote it."""

    def __init__(self, path):
        self.events = read_log(path)
        self.own = [e for e in self.events if e["kind"] != "client"]
        self.clients = [e for e in self.events if e["kind"] == "client"]
        self.config = self.of("config")[0]

    def of(self, *kinds):
        return [e for e in self.own if e["kind"] in kinds]

    def index(self, start, test):
        """Where in the log the first event at or after `start` is that passes; -1."""
        for i in range(start, len(self.own)):
            if test(self.own[i]):
                return i
        return -1

    def fault(self, what):
        """Index of the fault and of its end, and the backend it hit."""
        at = self.index(0, lambda e: e["kind"] == "fault" and e["what"] == what)
        if at < 0:
            return -1, -1, 0
        backend = self.own[at]["backend"]
        end = self.index(at + 1, lambda e: e["kind"] == "phase")
        return at, end if end >= 0 else len(self.own), backend

    def get_success(self):
        gets = [e for e in self.clients if e["method"] == "GET"]
        good = sum(1 for e in gets if 200 <= e["status"] < 500)
        return good / len(gets) if gets else 0.0


def test_killed(log):
    """After the first refused connection at most `consecutive` ordinary requests
    reach the killed backend, then only marked probes until it is fit again."""
    at, _, backend = log.fault("kill")
    if not check(at >= 0, "a backend was killed"):
        return
    mine = lambda e: e.get("backend") == backend
    died = log.index(at, lambda e: e["kind"] == "died" and mine(e))
    check(died >= 0 and log.own[died]["code"] == 9, "it died of signal 9")
    refused = log.index(at, lambda e: e["kind"] in ("report", "probe") and mine(e) and e["why"] == "refused")
    if not check(refused >= 0, "a connection to it was refused"):
        return
    ready = log.index(refused, lambda e: e["kind"] == "ready" and mine(e))
    eject = log.index(at, lambda e: e["kind"] == "eject" and mine(e))
    check(ready >= 0, "it was started again")
    check(0 <= eject < ready, "it was ejected while it was down")
    picks = [e for e in log.own[refused:ready] if e["kind"] == "pick" and mine(e)]
    ordinary = [e for e in picks if not e["probe"]]
    check(len(ordinary) <= log.config["consecutive"],
          "at most `consecutive` ordinary requests reach it after the first refusal", len(ordinary))
    later = [e for e in log.own[eject:ready] if e["kind"] == "pick" and mine(e)]
    check(all(e["probe"] for e in later), "then only marked probes")
    probes = [e for e in log.own[eject:ready] if mine(e) and
              (e["kind"] == "probe" or (e["kind"] == "pick" and e["probe"]))]
    check(len(probes) > 0, "it is probed while it is down")
    readmit = log.index(ready, lambda e: e["kind"] == "readmit" and mine(e))
    check(readmit >= 0, "it is let back in")
    again = log.index(max(readmit, 0), lambda e: e["kind"] == "report" and mine(e) and e["outcome"] == "success")
    check(again >= 0, "and serves again")


def test_slow(log, settle=100):
    """The slow backend's share of the picks falls below a third of its fair one.
    Settling is counted in requests."""
    at, end, backend = log.fault("slow")
    if not check(at >= 0, "a backend was made slow"):
        return
    picks = [e["backend"] for e in log.own[at:end] if e["kind"] == "pick"][settle:]
    ready = {e["backend"] for e in log.own[at:end] if e["kind"] == "pick"}
    if not check(len(picks) > 500, "enough requests to judge by", len(picks)):
        return
    share, fair = picks.count(backend) / len(picks), 1 / len(ready)
    check(share < fair / 3, "the slow backend's share is below a third of its fair share",
          f"{share:.3f} of {fair:.3f}")


def test_errors(log):
    at, end, backend = log.fault("errors")
    if not check(at >= 0, "a backend was made to fail half its requests"):
        return
    failures = [e for e in log.own[at:end] if e["kind"] == "report" and e["backend"] == backend
                and e["outcome"] == "failure"]
    check(len(failures) > 0, "it did fail some")
    check(any(e["kind"] == "eject" and e["backend"] == backend for e in log.own[at:end]), "it was ejected")


def test_scaling(log):
    """No scale-down within the window of a higher recommendation."""
    window = log.config["down_window_ms"]
    scale = log.of("scale")
    check(any(e["want"] > e["have"] for e in scale), "it scaled up")
    downs = [e for e in scale if e["want"] < e["have"]]
    check(len(downs) > 0, "it scaled down")
    for e in downs:
        # half a millisecond: the log is written a moment after the decision
        recent = [x["raw"] for x in scale if e["t_ms"] - window + 0.5 < x["t_ms"] <= e["t_ms"]]
        check(max(recent) <= e["want"], "no scale-down within the window of a higher recommendation", e)
    last = scale[-1]
    check(last["want"] == log.config["min_replicas"], "at the end it is back at the minimum", last)


def test_requests(log):
    """Books that must balance, whatever happened."""
    tries, open_picks, backends = {}, {}, {}
    wrong = posts_resent = twice = 0
    method = {}
    for e in log.own:
        if e["kind"] == "pick":
            req = e["req"]
            tries[req] = tries.get(req, 0) + 1
            wrong += open_picks.get(req, False)
            open_picks[req] = True
            method[req] = e["method"]
            twice += e["backend"] in backends.setdefault(req, set())
            backends[req].add(e["backend"])
        elif e["kind"] == "report":
            wrong += not open_picks.get(e["req"], False)
            open_picks[e["req"]] = False
        elif e["kind"] == "retry" and method[e["req"]] == "POST":
            posts_resent += e["why"] not in ("refused", "full")
    check(wrong == 0 and not any(open_picks.values()), "every pick is reported exactly once", wrong)
    check(posts_resent == 0, "no POST is sent again after it may have been sent", posts_resent)
    check(twice == 0, "no request tries a backend twice", twice)
    check(max(tries.values()) <= log.config["max_tries"], "tries are bounded", max(tries.values()))
    replies = [e["req"] for e in log.of("reply")]
    check(len(replies) == len(set(replies)), "every request is replied to once")
    check(set(tries) <= set(replies), "no request is forgotten")


def test_processes(log, name):
    pids = [e["pid"] for e in log.of("started")]
    check(len(pids) > 0 and not any(alive(p) for p in pids), f"{name}: all backend processes are gone")
    ends = [(e["how"], e["code"]) for e in log.of("stopped")]
    check(set(ends) <= {("exit", 0), ("signal", signal.SIGTERM)}, f"{name}: those stopped ended when asked", ends)
    end = log.of("end")
    check(len(end) == 1 and end[0]["inflight"] == 0, f"{name}: nothing was in flight at the end", end)
    check(end and end[0]["killed"] == 0, f"{name}: no backend had to be killed at the end", end)


def test_demo(binary, folder):
    out = os.path.join(folder, "demo")
    p = subprocess.run([binary, "--out", out], capture_output=True, text=True, timeout=100)
    print(p.stdout)
    if not check(p.returncode == 0, "the demo ends well", p.stderr[-500:]):
        return
    log, naive = Log(f"{out}/events-trimtab.jsonl"), Log(f"{out}/events-naive.jsonl")
    good = log.get_success()
    check(good >= 0.999, "GET success is at least 99.9 % in spite of the faults", f"{good:.5f}")
    test_killed(log)
    test_slow(log)
    test_errors(log)
    test_scaling(log)
    test_requests(log)
    test_processes(log, "trimtab")
    # The faults are real: without trimtab they show.
    check(naive.get_success() < 0.98, "without trimtab requests fail", f"{naive.get_success():.5f}")
    check(len(naive.of("eject", "retry", "probe")) == 0, "without trimtab nothing is done about it")
    test_processes(naive, "naive")
    check(len(log.clients) == len(naive.clients), "both runs got the same requests")
    check(re.search(r"^trimtab +requests", p.stdout, re.M) and re.search(r"^naive +requests", p.stdout, re.M),
          "both tables are printed")
    check("arena" in p.stdout, "the arena's statistics are printed")
    with open(f"{out}/report.html", encoding="utf-8") as f:
        page = f.read()
    check('"mode":"trimtab"' in page and '"mode":"naive"' in page, "the report holds both runs")
    check(not re.search(r"""(src|href)\s*=\s*["']|@import|url\(|https?://""", page), "the report is self-contained")


# ---- bad input ----


class Gateway:
    """A gateway that runs with no load of its own."""

    def __init__(self, binary, folder, *more):
        self.out = folder
        self.p = subprocess.Popen([binary, "--serve", "--idle", "--out", folder, *more],
                                  stdout=subprocess.PIPE, text=True)
        self.port = self.admin = 0
        for line in self.p.stdout:
            if m := re.search(r"gateway on http://127.0.0.1:(\d+)/", line):
                self.port = int(m[1])
            if m := re.search(r"live page on http://127.0.0.1:(\d+)/", line):
                self.admin = int(m[1])
                break

    def log(self, *kinds):
        return [e for e in read_log(f"{self.out}/events-trimtab.jsonl") if e["kind"] in kinds]

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.port), timeout=5)

    def raw(self, data, port=None, close_write=False):
        """Sends bytes and reads until the end (or 5 s); b'' if it was only closed."""
        got = b""
        try:
            with self.connect(port) as s:
                s.sendall(data)
                if close_write:
                    s.shutdown(socket.SHUT_WR)
                while chunk := s.recv(65536):
                    got += chunk
        except OSError:
            pass
        return got

    def status(self, data, port=None):
        m = re.match(rb"HTTP/1\.[01] (\d+)", self.raw(data, port))
        return int(m[1]) if m else 0

    def get(self, path="/", method="GET", head="", body=b""):
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return self.status(f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}{length}\r\n".encode() + body)

    def hurt(self, backend, what, head="X-Trimtab: 1\r\n", host="127.0.0.1"):
        return self.status(f"POST /_trimtab/fault?backend={backend}&what={what} HTTP/1.1\r\nHost: {host}\r\n"
                           f"Connection: close\r\nContent-Length: 0\r\n{head}\r\n".encode(), self.admin)

    def backends(self):
        """Ids of those the gateway has now."""
        ids = {}
        for e in self.log("state"):
            ids[e["backend"]] = e["state"]
        return sorted(b for b, s in ids.items() if s != "gone")

    def states(self):
        ids = {}
        for e in self.log("state"):
            ids[e["backend"]] = e["state"]
        return {b: s for b, s in ids.items() if s != "gone"}

    def recovered(self):
        """From now on every backend passes a health check and serves a request,
        and all are healthy in the gateway's eyes."""
        begin = len(read_log(f"{self.out}/events-trimtab.jsonl"))

        def fit():
            self.get()
            events = read_log(f"{self.out}/events-trimtab.jsonl")[begin:]
            checked = {e["backend"] for e in events if e["kind"] == "probe" and e["ok"]}
            served = {e["backend"] for e in events if e["kind"] == "report" and e["outcome"] == "success"}
            states = self.states()
            return set(states) <= checked & served and all(s == "healthy" for s in states.values())

        return wait_until(fit, 20)

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        try:
            return self.p.wait(15)
        except subprocess.TimeoutExpired:
            self.p.kill()
            return None
        finally:
            self.p.stdout.close()


def test_clients(g):
    ok = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    check(g.status(ok) == 200, "a good request")
    check(g.get(method="HEAD") == 200, "HEAD")
    check(g.get(method="POST", body=b"x" * 1000) == 200, "POST")
    check(g.get(method="PUT", body=b"x" * 1000) == 200, "PUT")
    check(g.get(method="DELETE") == 200, "DELETE")
    two = g.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + ok)
    check(two.count(b"HTTP/1.1 200") == 2, "two requests on one connection, sent at once")
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    check(g.status(chunked + b"3\r\nabc\r\n0\r\n\r\n") == 200, "a chunked body")
    echo = g.raw(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n"
                 b"Proxy-Authorization: x\r\nUpgrade: h2c\r\nX-Plain: 2\r\n\r\n")
    seen = echo.split(b"\r\n\r\n", 1)[-1].lower()
    check(b"x-plain: 2" in seen and b"via: 1.1 gateway" in seen and b"x-forwarded-for: 127.0.0.1" in seen,
          "end-to-end fields are passed on", seen)
    check(not re.search(rb"^(x-secret|te|proxy-authorization|upgrade|connection: close)", seen, re.M),
          "hop-by-hop fields are not", seen)
    head = g.raw(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    check(head.endswith(b"\r\n\r\n") and b"ontent-Length: " in head, "HEAD has a length and no body", head)

    bad = {
        "no request line": b"\x00\x01\x02\r\n\r\n",
        "no version": b"GET /\r\n\r\n",
        "a version of its own": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "a control character in the target": b"GET /a\x07b HTTP/1.1\r\nHost: a\r\n\r\n",
        "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
        "no Host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "a space before the colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "length and chunked": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a negative length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "a length with a sign": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "oversized header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
        "too many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        "an oversized request line": b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    }
    for what, data in bad.items():
        # A refusal may be lost when the gateway closes on bytes it did not read.
        status = g.status(data)
        check(status in (400, 413, 431) or (status == 0 and len(data) > 10000), f"{what} is refused", status)
        check(g.status(ok) == 200, f"and the gateway goes on after {what}")
    check(g.status(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n") in (400, 501), "an unknown method is refused")
    check(g.status(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n") in (400, 501), "CONNECT is refused")
    check(g.status(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n") in (400, 501), "an unknown encoding is refused")
    huge = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
    check(g.status(huge) == 413, "a huge body is refused before it comes")
    check(g.status(huge + b"x" * 1000000) in (0, 413), "or while it comes")
    check(g.status(chunked + b"fffffff\r\n" + b"x" * 1000) in (0, 413), "chunked as well")

    for part in (b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"):
        for _ in range(20):
            with g.connect() as s:
                s.sendall(part)
        check(g.status(ok) == 200, "clients that hang up within a request")
    before = len(g.log("reply"))
    for _ in range(20):
        with g.connect() as s:
            s.sendall(ok)  # and gone before the answer
    check(wait_until(lambda: len(g.log("reply")) >= before + 20), "clients that hang up before the reply")
    check(sum(e["gone"] for e in g.log("reply")) > 0, "it was noticed that they had gone")
    check(g.status(ok) == 200, "the gateway goes on")


def test_backends(g):
    """All backends misbehave, so that no retry can hide it."""
    check(g.hurt(1, "slow", "") == 403, "the live page's commands need their header")
    check(g.hurt(1, "slow", host="evil.example") == 403, "and our own name")
    check(g.hurt(99, "slow") == 404, "an unknown backend")
    check(g.hurt(1, "explode") == 400, "an unknown fault")
    for what, status in (("garbage", (502, 503)), ("close", (502, 503)), ("short", (502, 503)), ("hang", (504, 503))):
        ids = g.backends()
        for b in ids:
            g.hurt(b, what)
        time.sleep(0.1)
        first = g.get()
        check(first == status[0], f"all backends: {what}", first)
        post = g.get(method="POST", body=b"x")
        check(post in status, f"all backends: {what}, POST", post)
        for b in ids:
            g.hurt(b, "none")
        check(g.recovered(), f"fit again after {what}", g.states())
    posts = {e["req"] for e in g.log("pick") if e["method"] == "POST"}
    resent = [e for e in g.log("retry") if e["req"] in posts and e["why"] not in ("refused", "full")]
    check(not resent, "no POST was sent again", resent[:2])

    ids = g.backends()
    for b in ids:
        g.hurt(b, "kill")
    time.sleep(0.1)
    answers = [g.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") for _ in range(20)]
    check(all(re.match(rb"HTTP/1.1 50[23]", a) for a in answers), "all backends killed")
    none = [a for a in answers if a.startswith(b"HTTP/1.1 503")]
    check(len(none) > 0 and all(b"Retry-After: " in a for a in none), "503 says when to come again", answers[-1:])
    check(g.recovered(), "fit again when they were started again", g.states())


def test_bad_input(binary, folder):
    g = Gateway(binary, os.path.join(folder, "bad"))
    try:
        if not check(g.port != 0 and g.admin != 0, "the gateway serves"):
            return
        page = g.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", g.admin)
        check(page.startswith(b"HTTP/1.1 200") and b"</html>" in page, "the live page")
        state = g.raw(b"GET /_trimtab/state HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", g.admin)
        check(json.loads(state.split(b"\r\n\r\n", 1)[1])["live"] is True, "its data")
        test_clients(g)
        test_backends(g)
    finally:
        code = g.stop()
    check(code == 0, "it ends when asked", code)
    test_processes(Log(f"{g.out}/events-trimtab.jsonl"), "bad input")
    test_requests(Log(f"{g.out}/events-trimtab.jsonl"))

    g = Gateway(binary, os.path.join(folder, "killed"))
    pids = [e["pid"] for e in g.log("started")]
    g.stop(signal.SIGKILL)
    check(pids and wait_until(lambda: not any(alive(p) for p in pids)), "backends do not outlive a gateway killed -9")
    for arguments in (["--nonsense"], ["--port", "99999"], ["--out"], ["--idle"]):
        p = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=10)
        check(p.returncode == 2 and p.stderr, f"{arguments} is wrong usage", p.returncode)
    p = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=10)
    check(p.returncode == 0 and "usage:" in p.stdout, "--help")


def main():
    arguments = sys.argv[1:]
    only = [a for a in arguments if a.startswith("--")]
    rest = [a for a in arguments if not a.startswith("--")]
    if len(rest) > 1 or any(a not in ("--demo-only", "--bad-input-only") for a in only):
        print(__doc__)
        return 2
    binary = os.path.abspath(rest[0]) if rest else BUILT
    if not os.access(binary, os.X_OK):
        print(f"{binary} is not there (libevent-dev, libjemalloc-dev?)\n0 passed, 1 failed")
        return 1
    folder = tempfile.mkdtemp(prefix="gateway-test-")
    try:
        if "--bad-input-only" not in only:
            test_demo(binary, folder)
        if "--demo-only" not in only:
            test_bad_input(binary, folder)
    finally:
        if failed and os.environ.get("KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
