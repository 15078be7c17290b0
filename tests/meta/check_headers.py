#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as old and as new C and C++, without a
warning. check_headers.py --all also asks clang and newer standards."""
import subprocess
import sys

from report import HEADERS, case, finish

C = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"]
CXX = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wold-style-cast",
       "-Wzero-as-null-pointer-constant"]
# For clang NULL is a plain zero, and casts in C code within extern "C" are old:
# g++ is the judge of both.
CLANGXX = [flag for flag in CXX if flag not in ("-Wold-style-cast", "-Wzero-as-null-pointer-constant")]
matrix = [("gcc", "c", "c11", C), ("gcc", "c", "c17", C),
          ("g++", "c++", "c++11", CXX), ("g++", "c++", "c++20", CXX)]
if "--all" in sys.argv:
    matrix += [("gcc", "c", "gnu11", C), ("gcc", "c", "c2x", C),
               ("g++", "c++", "c++14", CXX), ("g++", "c++", "c++17", CXX),
               ("clang", "c", "c11", C), ("clang", "c", "c17", C),
               ("clang++", "c++", "c++11", CLANGXX), ("clang++", "c++", "c++20", CLANGXX)]


def alone(header, compiler, language, standard, flags):
    """Included twice: the guard has to hold, too."""
    name = header.removeprefix("include/")
    text = f"#include <{name}>\n#include <{name}>\nint main() {{ return 0; }}\n"
    if language == "c":
        text = text.replace("main()", "main(void)")
    done = subprocess.run(
        [compiler, "-x", language, f"-std={standard}", *flags, "-Werror", "-Iinclude",
         "-fsyntax-only", "-"],
        input=text, capture_output=True, text=True)
    return [] if done.returncode == 0 else done.stderr.splitlines()


for header in HEADERS:
    for compiler, language, standard, flags in matrix:
        case(f"{header} alone, {compiler} -std={standard}",
             alone(header, compiler, language, standard, flags))
finish()
