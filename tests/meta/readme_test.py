#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Code blocks of Markdown files, extracted, compiled and run.

    readme_test.py FILE...

A ```c block is compiled (C11, every warning an error) and, if it has a main,
linked with lib/*/*.c and run; one that is no translation unit is tried as the
body of a function after the includes. A ```python block runs with the package
of the checkout, /dev/shm being a scratch folder. A ```sh block is looked at by
`sh -n`. The text `-> words` in a comment of the first line (c: `/* -> words */`,
python: `# -> words`) is what the block must print. `<!-- not tested: why -->`
right before a block leaves it out.
"""
import concurrent.futures
import functools
import os
import re
import subprocess
import sys
import tempfile

from report import TOP, case, finish, read

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-Wno-unused-variable", "-Wno-unused-parameter", "-Wno-unused-but-set-variable",
         "-Wno-unused-function", "-Iinclude"]
# What a fragment may use without saying where it comes from.
FRAME = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
%s
static int refuse(const char *why) { return why == NULL; }
static int query(void) { return 1; }
%s
int fragment(uint64_t now_ns, uint64_t now);
int fragment(uint64_t now_ns, uint64_t now) {
  (void)now_ns; (void)now; (void)refuse; (void)query;
  int ok = 0; (void)ok;
  {
%s
  }
  return 0;
}
"""


def blocks(path):
    """(line, language, text, excused) of each fenced block."""
    lines = read(path).splitlines()
    at = 0
    while at < len(lines):
        fence = re.match(r"^( *)```(\w*)", lines[at])
        if fence:
            begun = at + 1
            at += 1
            while at < len(lines) and not lines[at].strip().startswith("```"):
                at += 1
            before = lines[begun - 2].strip() if begun >= 2 else ""
            indent = len(fence[1])
            text = "\n".join(line[indent:] for line in lines[begun:at]) + "\n"
            yield begun, fence[2], text, before.startswith("<!-- not tested:")
        at += 1


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def faults_of_output(done, text):
    if done.returncode != 0:
        return [f"exit status {done.returncode}", *done.stdout.splitlines(), *done.stderr.splitlines()]
    wanted = re.search(r"-> (.*?)\s*(\*/)?$", text.splitlines()[0]) if text.strip() else None
    if wanted and done.stdout.strip() != wanted[1]:
        return [f"expected {wanted[1]!r}, got {done.stdout.strip()!r}"]
    return []


@functools.cache
def library():
    """The objects of lib/*/*.c, compiled once; and what the compiler said."""
    folder = tempfile.TemporaryDirectory()
    sources = subprocess.run(["sh", "lib/list.sh", "lib", "*/*.c"], check=True,
                             capture_output=True, text=True).stdout.split()
    objects = [os.path.join(folder.name, os.path.basename(s) + ".o") for s in sources]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda s, o: run(["cc", *FLAGS, "-c", "lib/" + s, "-o", o]), sources, objects)
        said = "".join(d.stderr for d in done)
    return folder, objects, said


def check_c(text, scratch):
    program = os.path.join(scratch, "program")
    if re.search(r"\bmain\s*\(", text):
        _, objects, said = library()
        if said:
            return said.splitlines()
        source = os.path.join(scratch, "program.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        done = run(["cc", *FLAGS, source, *objects, "-lm", "-lpthread", "-o", program])
        if done.returncode != 0:
            return done.stderr.splitlines()
        return faults_of_output(run([program]), text)
    includes = "\n".join(re.findall(r"^#include.*$", text, flags=re.M)) or "#include <trimtab/trimtab.h>"
    body = re.sub(r"^#include.*$", "", text, flags=re.M)
    if "trimtab.h" in includes and not os.path.exists("include/trimtab/trimtab.h"):
        includes = includes.replace("trimtab/trimtab.h", "trimtab/breaker.h")
    whole = run(["cc", *FLAGS, "-fsyntax-only", "-x", "c", "-"], input=includes + "\n" + body)
    if whole.returncode == 0:
        return []
    inside = run(["cc", *FLAGS, "-fsyntax-only", "-x", "c", "-"], input=FRAME % (includes, "", body))
    return [] if inside.returncode == 0 else inside.stderr.splitlines()


def check_python(text, scratch):
    # Shared files go to the scratch folder, so that two runs never meet.
    text = text.replace("/dev/shm/", scratch + "/")
    environment = dict(os.environ, PYTHONPATH=os.path.join(TOP, "lib/python"),
                       TRIMTAB_LIBRARY=os.path.join(TOP, "build/lib/libtrimtab.so"),
                       PYTHONDONTWRITEBYTECODE="1")
    return faults_of_output(run(["/usr/bin/python3", "-"], input=text, env=environment, cwd=scratch), text)


def check_sh(text, scratch):
    return run(["sh", "-n"], input=text).stderr.splitlines()


CHECKS = {"c": check_c, "python": check_python, "sh": check_sh}

for path in sys.argv[1:]:
    count = 0
    for line, language, text, excused in blocks(path):
        if language in CHECKS and not excused:
            with tempfile.TemporaryDirectory() as scratch:
                case(f"{path}:{line}: {language} block", CHECKS[language](text, scratch))
finish()
