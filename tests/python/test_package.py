# SPDX-License-Identifier: MIT
"""The package against the library and its headers: numbers, layouts, types."""
import ctypes
import os
import re
import shutil
import subprocess
import sys

import pytest

import trimtab
from trimtab import Balancer, Breaker, Health, Limiter, Pool, TrimtabError
from trimtab import _enums, _ffi, balancer, breaker, errors, health, limiter, pool

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.dirname(os.path.abspath(trimtab.__file__))


def header(name):
    with open(os.path.join(TOP, "include/trimtab", name + ".h"), encoding="utf-8") as file:
        return file.read()


def run(program, **environment):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=50, env={**os.environ, **environment})


# ---- numbers ----


@pytest.mark.parametrize("words, file, prefix", [
    (_enums.Outcome, "base", "TTB_"),
    (_enums.Status, "base", "TTB_STATUS_"),
    (_enums.BreakerState, "breaker", "TTB_BREAKER_"),
    (_enums.Algorithm, "balancer", "TTB_BALANCER_"),
    (_enums.BalancerFlag, "balancer", "TTB_BALANCER_"),
    (_enums.Cause, "balancer", "TTB_CAUSE_"),
    (_enums.Reason, "balancer", "TTB_BALANCER_"),
    (_enums.Probing, "pool", "TTB_POOL_PROBE_"),
    (_enums.EventKind, "pool", "TTB_POOL_"),
    (_enums.LimiterKind, "limiter", "TTB_LIMITER_"),
    (_enums.LimiterFlag, "limiter", "TTB_LIMITER_"),
    (_enums.LimitAlgorithm, "limiter", "TTB_LIMIT_"),
    (_enums.Jitter, "limiter", "TTB_BACKOFF_"),
    (_enums.HealthStart, "health", "TTB_HEALTH_START_"),
    (_enums.HealthFlag, "health", "TTB_HEALTH_"),
    (_enums.PassiveAction, "health", "TTB_HEALTH_"),
    (_enums.Eject, "health", "TTB_HEALTH_EJECT_"),
    (_enums.FailureCause, "health", "TTB_HEALTH_"),
    (_enums.HealthReason, "health", "TTB_HEALTH_"),
    (_enums.Pace, "health", "TTB_HEALTH_"),
    (_enums.Criticality, "health", "TTB_HEALTH_"),
])
def test_words_have_the_headers_numbers(words, file, prefix):
    there = dict(re.findall(r"^#define (TTB_\w+) \(?(-?\d+)u?\)?", header(file), flags=re.M))
    for word in words:
        assert there[prefix + word.name] == str(word.value)
    if prefix in ("TTB_STATUS_", "TTB_CAUSE_", "TTB_POOL_PROBE_", "TTB_LIMIT_", "TTB_BACKOFF_",
                  "TTB_HEALTH_START_"):
        assert len(words) == sum(name.startswith(prefix) for name in there)


def test_no_word_of_a_module_is_missing():
    """Where several enums share a prefix, together they have all of it."""
    for module, ours, others in (
            ("limiter", (_enums.LimiterKind, _enums.LimiterFlag), {"H"}),
            ("health", (_enums.HealthFlag, _enums.PassiveAction, _enums.FailureCause,
                        _enums.HealthReason, _enums.Pace, _enums.Criticality),
             {"H", "EJECTED", *("START_" + word.name for word in _enums.HealthStart),
              *("EJECT_" + word.name for word in _enums.Eject)})):
        prefix = "TTB_%s_" % module.upper()
        there = set(re.findall(r"^#define %s(\w+) " % prefix, header(module), flags=re.M))
        assert there - others == {word.name for words in ours for word in words}
    assert re.search(r"^#define TTB_HEALTH_EJECTED %d$" % health.EJECTED, header("health"), re.M)


def test_codes_have_the_librarys_names():
    codes = {name: value for name, value in vars(errors).items() if name.isupper()}
    for name, code in codes.items():
        assert _ffi.errname(code) in ("TTB_" + name, "TTB_ERR_" + name)
    for code in range(-200, 1):
        assert _ffi.errname(code) == "TTB_?" or code in codes.values()


@pytest.mark.parametrize("module", [breaker, balancer, health, limiter, pool])
def test_handles_have_the_headers_size(module):
    words = re.search(r"uint64_t opaque\[(\d+)\]", header(module.KIND.name))[1]
    assert module.KIND.words == int(words)


@pytest.mark.parametrize("kind", [Balancer, Breaker, Health, Limiter, Pool])
def test_a_library_with_larger_handles(kind, path, monkeypatch):
    """What it writes beyond the size we know hits nothing, and is noticed."""
    known = kind._kind.words
    kind(path).close()
    monkeypatch.setattr(kind._kind, "words", 8)
    for where in (None, path):
        with pytest.raises(TrimtabError, match="they are of two versions") as caught:
            kind(where)
        assert caught.value.code == errors.VERSION
    monkeypatch.setattr(kind._kind, "words", known)
    assert kind(path).statistics().capacity >= 1


def test_base_structs_have_the_headers_fields():
    for struct, name in ((_ffi.Field, "ttb_field"), (_ffi.Detail, "ttb_detail")):
        body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), header("base"), re.S)[1]
        fields = re.findall(r"(\w+);", re.sub(r"/\*.*?\*/", "", body, flags=re.S))
        assert ["def" if f == "default" else f for f, _ in struct._fields_] == fields


# ---- layouts ----


class Swapped(_ffi.Struct):
    _fields_ = [breaker.Config._fields_[0], *breaker.Config._fields_[:0:-1]]


class Short(_ffi.Struct):
    _fields_ = breaker.Config._fields_[:-1]


@pytest.mark.parametrize("struct", [Swapped, Short])
def test_another_layout_is_an_import_error(struct):
    words = r"%s differs between the library .*0\.1" % struct.__name__
    with pytest.raises(ImportError, match=words):
        _ffi.check_layout(struct, "breaker", 0)


def test_a_struct_the_library_does_not_know_is_an_import_error():
    with pytest.raises(ImportError):
        _ffi.check_layout(breaker.Config, "breaker", 99)
    with pytest.raises(ImportError, match="has no ttb_nothing_field"):
        _ffi.check_layout(breaker.Config, "nothing", 0)


def shim(tmp_path, source):
    """A library that says `source` and leaves the rest to the real one."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    real = os.path.realpath(_ffi.lib._name)
    made = str(tmp_path / "shim.so")
    subprocess.run([compiler, "-shared", "-fPIC", "-D_GNU_SOURCE", "-I" + TOP + "/include",
                    "-x", "c", "-", "-Wl,--no-as-needed", "-x", "none", real,
                    "-Wl,-rpath," + os.path.dirname(real), "-o", made],
                   input=source, text=True, check=True, timeout=50)
    return made


def test_another_abi(tmp_path):
    made = shim(tmp_path, "unsigned ttb_abi(void) { return 2; }")
    done = run("import trimtab", TRIMTAB_LIBRARY=made)
    assert "ImportError: trimtab: the library %s (version 0.1" % made in done.stderr
    assert "has ABI 2, this package wants 1" in done.stderr


FIELD = """
#include <dlfcn.h>
#include <trimtab/trimtab.h>
int32_t ttb_MODULE_field(uint32_t which, uint32_t index, ttb_field *f) {
  int32_t (*real)(uint32_t, uint32_t, ttb_field *) =
      (int32_t (*)(uint32_t, uint32_t, ttb_field *))dlsym(RTLD_NEXT, "ttb_MODULE_field");
  int32_t code = real(which, index, f);
  %s
  return code;
}
"""


@pytest.mark.parametrize("module, change", [
    ("pool", "if (which == 1 && index == 3) f->offset += 4;"),
    ("pool", "if (which == 1) f->type_size += 8;"),
    ("pool", "if (which == 0 && index == 2) f->name = \"workers\";"),
    ("pool", "if (which == 3 && index == 0) f->type = TTB_TYPE_I64;"),
    ("limiter", "if (which == 0 && index == 5) f->offset += 4;"),
    ("limiter", "if (which == 3) f->type_size += 8;"),
    ("health", "if (which == 1 && index == 3) f->name = \"working\";"),
    ("health", "if (which == 4 && index == 11) f->type = TTB_TYPE_I64;"),
])
def test_a_library_with_another_layout(tmp_path, module, change):
    made = shim(tmp_path, (FIELD % change).replace("MODULE", module))
    done = run("import trimtab", TRIMTAB_LIBRARY=made)
    assert re.search(r"ImportError: trimtab: %s _?\w+ differs between" % module, done.stderr)


def test_the_shim_itself_is_no_difference(tmp_path):
    made = shim(tmp_path, (FIELD % "").replace("MODULE", "limiter"))
    done = run("import trimtab; print('well')", TRIMTAB_LIBRARY=made)
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_no_library(tmp_path):
    done = run("import trimtab", TRIMTAB_LIBRARY=str(tmp_path / "none.so"))
    assert "ImportError: trimtab: no library found; set TRIMTAB_LIBRARY" in done.stderr
    made = str(tmp_path / "other.so")
    if shutil.which("cc"):
        subprocess.run(["cc", "-shared", "-x", "c", "-", "-o", made], input="int x;", text=True,
                       check=True, timeout=50)
        done = run("import trimtab", TRIMTAB_LIBRARY=made)
        assert "ImportError: trimtab: the library %s has no ttb_abi" % made in done.stderr


# ---- types ----

USE = """
import trimtab as t

b = t.Breaker("/dev/shm/x", consecutive=3, clock=lambda: 1)
info: t.BreakerInfo = b.join().explain()

@b
def f(x: int) -> str:
    return str(x)

@b.call(1, ignore=(KeyError,))
async def g() -> int:
    return 1

async def main() -> int:
    async with b.call() as call:
        call.outcome = t.Outcome.SLOW
    return len(f(1)) + await g()

p = t.Pool(breaker={"consecutive": 3}).join()
p.update({1: 2})
for attempt in p.attempts(2, retry_on=(OSError,)):
    with attempt as tried:
        slot: int = tried.slot
tickets: list[int] = p.acquire_n(3)
state: t.BreakerState = p.explain()[0].breaker

limit = t.Bulkhead("/dev/shm/y", permits=20).join()
with limit.hold(ask=t.Importance.SHEDDABLE) as held:
    held.outcome = t.Outcome.IGNORED

@limit.hold(key="x")
def h(x: int) -> str:
    return str(x)

wait: int = limit.explain(key=b"y").retry_after_ms
budget = t.RetryBudget(ratio_ppm=100000)
for again in budget.attempts(2, retry_on=(OSError,), backoff=lambda n, before: 5):
    with again:
        number: int = again.number

async def more() -> None:
    async for attempt in budget.attempts():
        async with attempt:
            pass

checks = t.Health(capacity=2, eject=t.Eject.ROBUST)
status: t.Status = checks.status(0)
code, text = checks.view([t.Member("db", 0)]).json()[1:]
"""
MISUSE = {
    't.Breaker(consecutive="5")': "arg-type",
    "f('x')": "arg-type",
    "p.update({'a': 1})": "dict-item",
    "p.explain()[0].brekar": "attr-defined",
    "b.acquire().bit": "attr-defined",
    "h('x')": "arg-type",
    "limit.acquire_key(1.5)": "arg-type",
    "checks.join()": "attr-defined",
    "checks.view([('db', 0)])": "list-item",
}


def test_mypy(tmp_path):
    if subprocess.run([sys.executable, "-c", "import mypy"], capture_output=True).returncode:
        pytest.skip("mypy is not installed")

    def mypy(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"),
             *arguments], capture_output=True, text=True, timeout=55, cwd=tmp_path,
            env={**os.environ, "MYPYPATH": os.path.dirname(PACKAGE)})

    done = mypy("--python-version", "3.9", PACKAGE)
    assert "Success: no issues found" in done.stdout, done.stdout + done.stderr
    (tmp_path / "use.py").write_text(USE + "\n".join(MISUSE) + "\n")
    done = mypy("--python-version", "3.9", "use.py")
    first = USE.count("\n") + 1
    found = dict(re.findall(r"use\.py:(\d+): error: .*\[([\w-]+)\]", done.stdout))
    assert found == {str(first + i): code for i, code in enumerate(MISUSE.values())}, done.stdout


def test_everything_public_says_what_it_is():
    for name in trimtab.__all__:
        thing = getattr(trimtab, name)
        if isinstance(thing, type):
            assert thing.__doc__, name
            for member, value in vars(thing).items():
                if callable(value) and not member.startswith("_") and hasattr(value, "__code__"):
                    assert value.__doc__, name + "." + member
