# SPDX-License-Identifier: MIT
"""Shared by the meta tests: the checkout, what its headers declare, counting."""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(TOP)

HEADERS = sorted(glob.glob("include/trimtab/*.h"))
LIB_FILES = sorted(glob.glob("lib/*/*.[ch]"))

_passed = 0
_failed = 0


def case(name, faults):
    """One case: passed if there are no faults, else prints each."""
    global _passed, _failed
    faults = list(faults)
    if faults:
        _failed += 1
        print(f"FAILED {name}")
        for fault in faults:
            print(f"  {fault}")
    else:
        _passed += 1


def finish():
    print(f"{_passed} passed, {_failed} failed")
    sys.exit(0 if _passed and not _failed else 1)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    """Comments and string literals blanked, line numbers kept."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


class Function:
    """A function a public header declares with TTB_API."""

    def __init__(self, header, line, name, result, parameters, comment):
        self.header, self.line, self.name = header, line, name
        self.result, self.parameters, self.comment = result, parameters, comment

    def __str__(self):
        return f"{self.header}:{self.line}: {self.name}"


def functions(header):
    """Its TTB_API declarations, with the comment that stands right before."""
    text = read(header)
    code = without_comments(text)
    found = []
    pattern = r"^TTB_API\b(?P<result>[^;{}()]*?)\b(?P<name>ttb_\w+)\s*\((?P<list>[^;{}]*)\)\s*;"
    for match in re.finditer(pattern, code, flags=re.M):
        before = text[: match.start()].rstrip()
        comment = ""
        if before.endswith("*/"):
            comment = before[before.rindex("/*") :]
        names = []
        inner = match["list"].strip()
        if inner not in ("", "void"):
            for part in inner.split(","):
                names.append(re.search(r"(\w+)\s*(?:\[\w*\])?\s*$", part)[1])
        result = match["result"].replace("TTB_NODISCARD", "").strip()
        line = code.count("\n", 0, match.start()) + 1
        found.append(Function(header, line, match["name"], result, names, comment))
    return found


def all_functions():
    return [function for header in HEADERS for function in functions(header)]
