#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The backtest command as a test: what it reads, refuses, computes and writes.

usage: run_test.py [BACKTEST_BINARY]
"""
import html.parser
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                         os.path.join(HERE, "../../build/examples/backtest/backtest"))
EXAMPLE = os.path.join(HERE, "../../examples/backtest")
passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL: {what}" + (f": {detail}" if detail != "" else ""), flush=True)
    return ok


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120)


def document(folder, hpa, trace, *more):
    out = os.path.join(folder, "out.json")
    r = run("--hpa", hpa, "--trace", trace, "--json", out, *more)
    if not check(r.returncode == 0, "a replay ends well", r.stderr):
        return None
    with open(out, encoding="utf-8") as f:
        return json.load(f)


def figures(doc, policy):
    return next(p["figures"] for p in doc["policies"] if p["name"] == policy)


def told(doc, key):
    return [v for k, v in doc["how"] if k == key]


MANIFEST = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: t}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: t}
  minReplicas: 1
  maxReplicas: 100
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
"""


def constant(folder):
    """Exact: a load of 70 on replicas of 10 is 10 replicas at 70 %; 8 violate nothing."""
    hpa = write(folder, "t.yaml", MANIFEST)
    trace = write(folder, "c.csv", "time,load\n" + "".join(f"{60 * i},70\n" for i in range(600)))
    doc = document(folder, hpa, trace, "--capacity", "10", "--policy", "hpa", "--policy", "clairvoyant")
    if doc is None:
        return
    f = figures(doc, "hpa")
    check(f["violation"] == 0 and f["dropped"] == 0 and f["actions_a_day"] == 0, "nothing happens", f)
    check(abs(f["cost"] - 10 / 8) < 1e-9 and f["mean_replicas"] == 10, "10 replicas against 8", f)
    check(abs(f["replica_hours"] - 100) < 1e-9, "10 hours of 10 replicas", f)
    f = figures(doc, "clairvoyant")
    check(abs(f["mean_replicas"] - 8) < 0.01 and f["violation"] == 0, "the clairvoyant has 8", f)


def step(folder):
    """A load that doubles at once: the queue waits a start-up time, and the page says why."""
    hpa = write(folder, "t.yaml", MANIFEST)
    rows = [70] * 60 + [140] * 60
    trace = write(folder, "s.csv", "# step_s=60\n" + "".join(f"{v}\n" for v in rows))
    late = document(folder, hpa, trace, "--capacity", "10", "--policy", "hpa", "--startup", "120")
    soon = document(folder, hpa, trace, "--capacity", "10", "--policy", "hpa", "--startup", "0")
    if late is None or soon is None:
        return
    check(figures(late, "hpa")["violation"] > figures(soon, "hpa")["violation"] > 0,
          "a start-up time costs violation", (figures(late, "hpa"), figures(soon, "hpa")))
    changes = late["policies"][0]["changes"]
    check(changes[0][0] == 0 and changes[0][1] == 10, "it begins with 10", changes[:2])
    check(changes[-1][1] == 20, "and ends with 20", changes[-1])
    ups = [c for c in changes if c[0] > 0]
    check(3600 < ups[0][0] <= 3645, "decided when the metrics show it", ups)
    check(all("cpu" in c[3] for c in ups), "each change says what was measured", ups)
    capped = document(folder, hpa, trace, "--capacity", "10", "--policy", "hpa", "--signal", "capped", "--startup", "120")
    check(figures(capped, "hpa")["violation"] > figures(late, "hpa")["violation"],
          "a signal that stops at 100 % hides how much is missing")


def sample(folder):
    hpa, trace = os.path.join(EXAMPLE, "web.yaml"), os.path.join(EXAMPLE, "sample.csv")
    doc = document(folder, hpa, trace, "--between", "linear")
    again = document(folder, hpa, trace, "--between", "linear")
    if doc is None:
        return
    check(doc == again, "the same input, the same result")
    # The numbers of the manifest, as they were understood.
    check(told(doc, "bounds")[0].startswith("3 to 50 replicas"), "bounds", told(doc, "bounds"))
    check(told(doc, "metric") == ["cpu, target 70 %"], "cpu at 70 %", told(doc, "metric"))
    check(told(doc, "left out") == ["memory, target 80 %: the trace says nothing of it"], "memory at 80 %", told(doc, "left out"))
    check(told(doc, "scale up") == ["window of 60 s; 100 % in 15 s"], "scale up", told(doc, "scale up"))
    check(told(doc, "scale down") == ["window of 300 s; 10 % in 60 s"], "scale down", told(doc, "scale down"))
    best = figures(doc, "clairvoyant")
    check(best["violation"] == 0, "the clairvoyant violates nothing", best)
    for p in doc["policies"]:
        f = p["figures"]
        check(f["cost"] >= best["cost"] or f["violation"] > 0,
              f"{p['name']}: nobody beats the clairvoyant without violation", f)
        check(f["violation"] < 20 and f["mean_replicas"] > 3, f"{p['name']} scales", f)
        check(all(0 <= c[2] < len(doc["reasons"]) for c in p["changes"]), f"{p['name']}: every change has a reason")
        times = [c[0] for c in p["changes"]]
        check(times == sorted(times) and p["changes_total"] >= len(times) > 10, f"{p['name']}: changes in order")
        if p["name"].startswith("hpa"):
            check(all(3 <= c[1] <= 50 for c in p["changes"]), "within the bounds")
    both = document(folder, hpa, trace, "--metric", "memory=30", "--policy", "hpa")
    check(told(both, "metric") == ["cpu, target 70 %", "memory, target 80 %"], "memory by the load", told(both, "metric"))


def page(folder):
    out = os.path.join(folder, "out.html")
    name = MANIFEST.replace("{name: t}", '{name: "</script><b>x"}', 1)
    hpa = write(folder, "n.yaml", name)
    trace = write(folder, "p.csv", "t,v\n" + "".join(f"{60 * i},{50 + i % 30}\n" for i in range(300)))
    r = run("--hpa", hpa, "--trace", trace, "--html", out)
    check(r.returncode == 0, "a page is written", r.stderr)
    with open(out, encoding="utf-8") as f:
        text = f.read()
    check("/*DATA*/null" not in text and '"policies":' in text, "its data is in it")
    check(text.count("</script>") == 1, "a name cannot end the script")
    check("http:" not in text and "https:" not in text, "it asks for nothing from the network")
    parser = html.parser.HTMLParser()
    parser.feed(text)
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser:
        for width in (1280, 390):
            r = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
                                "--virtual-time-budget=3000", "--dump-dom", "file://" + out],
                               capture_output=True, text=True, timeout=120)
            check("<th>policy</th>" in r.stdout and "hpa-default" in r.stdout, f"a browser of {width} pixels draws it", r.stderr[-300:])
    r = run("--hpa", hpa, "--trace", trace, "--html", os.path.join(folder, "no/such/folder.html"))
    check(r.returncode == 1 and "no/such" in r.stderr, "a page that cannot be written", r.stderr)


def bad_traces(folder):
    hpa = write(folder, "t.yaml", MANIFEST)
    good = "0,1\n60,2\n120,3\n"
    for text, line, word in [
            ("time,load\n0,1\n60,x\n120,3\n", 3, "not a number"),
            ("0,1\n60,-2\n120,3\n", 2, "below 0"),
            ("0,1\n60,nan\n120,3\n", 2, "not a number"),
            ("0,1\n60,inf\n120,3\n", 2, "not a number"),
            ("0,1\n60,0x10\n120,3\n", 2, "not a number"),
            ("0,1\n60,\n120,3\n", 2, "not a number"),
            ("0,1\n60\n120,3\n", 2, "too few"),
            ("0,1\n60,2\n60,3\n", 3, "not after"),
            ("0,1\n60,2\n30,3\n", 3, "not after"),
            ("0,1\nyesterday,2\n120,3\n", 2, "not a time"),
            ("2024-01-01T00:00Z,1\n2024-02-30T00:00Z,2\n2024-03-01T00:00Z,3\n", 2, "not a time"),
            ("2023-02-28T00:00Z,1\n2023-02-29T00:00Z,2\n2023-03-01T00:00Z,3\n", 2, "not a time"),
            ("2024-01-01T00:00Z,1\n2024-01-01T25:00Z,2\n2024-03-01T00:00Z,3\n", 2, "not a time"),
            ("# step_s=60\n1\n2\n-3\n4\n", 4, "not a value"),
            (b"0,1\n60,2\n120\0,3\n", 3, "zero byte"),
    ]:
        trace = write(folder, "b.csv", text)
        r = run("--hpa", hpa, "--trace", trace)
        check(r.returncode == 1 and f"b.csv:{line}: " in r.stderr and word in r.stderr,
              f"{text!r} is refused with its line", r.stderr)
        check("Traceback" not in r.stderr and r.stdout == "", "and nothing is replayed")
    trace = write(folder, "b.csv", "time,load\n0,10\n60,x\n120,30\n180,20\n")
    doc = document(folder, hpa, trace, "--skip-bad")
    check(doc is not None and told(doc, "bad rows") == ["1 were left out"], "bad rows can be left out, and it is said")
    trace = write(folder, "b.csv", "0,1\n" + "x,y\n" * 500)
    r = run("--hpa", hpa, "--trace", trace)
    check(r.stderr.count("\n") < 30 and "480 more" in r.stderr, "500 bad rows are not 500 lines", r.stderr[-300:])
    for text, word in [("", "0 rows"), ("0,1\n", "1 rows"), ("a,b,c\n0,1,2\n1,2,3\n", "3 columns"),
                       ("1700000000000,1\n1700000060000,2\n", "--time-unit ms"), ("0,0\n60,0\n", "0 throughout"),
                       ("# step_s=0\n1\n2\n", "step_s")]:
        r = run("--hpa", hpa, "--trace", write(folder, "b.csv", text))
        check(r.returncode == 1 and word in r.stderr, f"{text!r}: {word}", r.stderr)
    r = run("--hpa", hpa, "--trace", os.path.join(folder, "none.csv"))
    check(r.returncode == 1 and "none.csv" in r.stderr, "no such file", r.stderr)
    # The same instants, written in other ways.
    ways = ["0,10\n60,20\n120,15\n",
            "﻿time,load\n1970-01-01T00:00:00Z,10\n1970-01-01T00:01:00Z,20\n1970-01-01T00:02:00Z,15\n",
            "\"1970-01-01 02:00+02:00\",10\r\n\r\n# a comment\n1970-01-01 02:01:00+02:00, 20\n1970-01-01T00:02:00.0Z,15\n",
            "# step_s=60\n10\n20\n15\n"]
    results = [document(folder, hpa, write(folder, "w.csv", w), "--policy", "hpa") for w in ways]
    check(all(r and r["policies"] == results[0]["policies"] for r in results), "times in four ways")
    columns = write(folder, "m.csv", "time,a,b\n0,1,10\n60,1,20\n120,1,15\n")
    by_name = document(folder, hpa, columns, "--policy", "hpa", "--column", "b")
    by_number = document(folder, hpa, columns, "--policy", "hpa", "--column", "3")
    check(by_name["policies"] == by_number["policies"] == results[0]["policies"], "a column by name and number")
    for name in ("c", "1", "9"):
        r = run("--hpa", hpa, "--trace", columns, "--column", name)
        check(r.returncode == 1 and "column" in r.stderr, f"no column {name}", r.stderr)
    gap = document(folder, hpa, write(folder, "g.csv", "0,10\n60,10\n120,10\n7200,10\n7260,10\n"))
    check("1 gaps" in told(gap, "trace")[0], "a gap is told", told(gap, "trace"))


def bad_manifests(folder):
    trace = write(folder, "g.csv", "0,10\n60,20\n120,15\n")
    for old, new, line, word in [
            ("maxReplicas", "maxReplica", 7, "unknown field 'maxReplica'"),
            ("  maxReplicas: 100\n", "", 5, "needs 'maxReplicas'"),
            ("maxReplicas: 100", "maxReplicas: 0", 7, "maxReplicas must be"),
            ("maxReplicas: 100", "maxReplicas: '100'", 7, "maxReplicas must be"),
            ("minReplicas: 1\n", "minReplicas: 200\n", 7, "below minReplicas"),
            ("autoscaling/v2", "autoscaling/v1", 1, "apiVersion"),
            ("averageUtilization: 70", "averageUtilization: 0", 10, "averageUtilization"),
            ("averageUtilization: 70", "averageValue: 70", 10, "needs 'averageUtilization'"),
            ("type: Utilization", "type: Value", 10, "no target of type 'Value'"),
            ("type: Resource", "type: Resources", 9, "no metric of type"),
            ("  minReplicas: 1\n", "  minReplicas: 1\n  minReplicas: 2\n", 7, "twice"),
            ("  metrics:\n", "  behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 1801}]}}\n  metrics:\n", 8, "periodSeconds"),
            ("  metrics:\n", "  behavior: {scaleUp: {stabilizationWindowSeconds: 3601}}\n  metrics:\n", 8, "3600"),
            ("  metrics:\n", "  behavior: {scaleDown: {selectPolicy: Avg}}\n  metrics:\n", 8, "selectPolicy"),
            ("metadata: {name: t}", "metadata: {name: t", 4, "not YAML"),
            ("kind: HorizontalPodAutoscaler", "kind: Deployment", None, "no document of kind"),
    ]:
        assert old in MANIFEST
        hpa = write(folder, "bad.yaml", MANIFEST.replace(old, new, 1))
        r = run("--hpa", hpa, "--trace", trace)
        place = "bad.yaml" if line is None else f"bad.yaml:{line}: "
        check(r.returncode == 1 and place in r.stderr and word in r.stderr, f"{new!r} is refused with its line", r.stderr)
    second = "kind: Service\n---\n" + MANIFEST
    check(document(folder, write(folder, "two.yaml", second), trace) is not None, "the second document counts")
    quantity = MANIFEST.replace("type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}",
                                "type: Pods\n    pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: %s}}")
    same = [document(folder, write(folder, "q.yaml", quantity % q), trace, "--policy", "hpa") for q in ("1500m", "1.5", '"1.5"', "15e-1")]
    check(all(s and s["policies"] == same[0]["policies"] for s in same), "a quantity in four ways")
    for q in ('"1,5"', "1.5X", "-1", "0", "1.2.3", "1 k"):
        r = run("--hpa", write(folder, "q.yaml", quantity % q), "--trace", trace)
        check(r.returncode == 1 and "averageValue" in r.stderr, f"quantity {q}", r.stderr)


def arguments(folder):
    hpa, trace = write(folder, "t.yaml", MANIFEST), write(folder, "g.csv", "0,10\n60,20\n120,15\n")
    for more, word in [(["--policy", "nobody"], "there are: hpa"), (["--capacity", "0"], "capacity"), (["--capacity", "x"], "capacity"),
                       (["--startup", "-1"], "startup"), (["--signal", "loud"], "offered or capped"), (["--what"], "what"),
                       (["more"], "what is 'more'"), (["--metric", "cpu"], "NAME=FACTOR"), (["--time-unit", "h"], "s, ms"),
                       (["--limit", "1.1"], "limit"), (["--between", "spline"], "hold or linear")]:
        r = run("--hpa", hpa, "--trace", trace, *more)
        check(r.returncode == 2 and word in r.stderr, f"{more} is refused", r.stderr)
    r = run("--hpa", hpa, "--trace", trace, "--metric", "gpu=1")
    check(r.returncode == 1 and "gpu" in r.stderr, "a metric the manifest does not have", r.stderr)
    r = run("--hpa", hpa, "--trace", trace, "--score-from", "1")
    check(r.returncode == 1 and "score-from" in r.stderr, "nothing left to score", r.stderr)
    check(run().returncode == 2, "no arguments")
    r = run("--help")
    check(r.returncode == 0 and "--trace FILE" in r.stdout and "hpa-default" in r.stdout, "help")


def main():
    with tempfile.TemporaryDirectory(prefix="backtest-test-") as folder:
        for part in (constant, step, sample, page, bad_traces, bad_manifests, arguments):
            part(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
