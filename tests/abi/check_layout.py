#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The layout of every public struct that the library reflects, against the
committed table tests/abi/layout.txt. Until 1.0 a changed line is a decision,
not an accident: check_layout.py --write takes the new table, and the change
shows in the commit."""
import ctypes
import difflib
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(TOP)
TABLE = "tests/abi/layout.txt"
TYPES = {1: "u32", 2: "i32", 3: "u64", 4: "i64", 5: "f64", 6: "ptr"}
SIZES = {"u32": 4, "i32": 4, "u64": 8, "i64": 8, "f64": 8, "ptr": ctypes.sizeof(ctypes.c_void_p)}


class Field(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32), ("type", ctypes.c_uint32),
        ("offset", ctypes.c_uint32), ("since", ctypes.c_uint32),
        ("min", ctypes.c_int64), ("max", ctypes.c_int64), ("default", ctypes.c_int64),
        ("name", ctypes.c_char_p), ("unit", ctypes.c_char_p),
        ("type_name", ctypes.c_char_p), ("type_size", ctypes.c_int64),
    ]


def rows_of(function, which):
    rows = []
    field = Field(struct_size=ctypes.sizeof(Field))
    while function(which, len(rows), ctypes.byref(field)) == 0:
        rows.append((field.name.decode(), field.offset, TYPES[field.type],
                     field.type_name.decode(), field.type_size))
    return rows


def main():
    lib = ctypes.CDLL(os.path.join(TOP, "build/lib/libtrimtab.so"))
    modules = sorted(os.path.basename(h)[:-2] for h in glob.glob("include/trimtab/*.h"))
    table, faults, structs = [], [], 0
    for module in modules:
        try:
            function = getattr(lib, f"ttb_{module}_field")
        except AttributeError:
            continue
        for which in range(64):
            rows = rows_of(function, which)
            if not rows:
                break
            structs += 1
            end = 0
            table.append(f"{rows[0][3]} {rows[0][4]}")
            for name, offset, kind, _, size in rows:
                table.append(f"  {offset:4} {kind} {name}")
                if offset != end:
                    faults.append(f"{rows[0][3]}.{name}: at {offset}, the field before ends at {end}")
                if offset % SIZES[kind]:
                    faults.append(f"{rows[0][3]}.{name}: {kind} at {offset} is not aligned")
                end = offset + SIZES[kind]
            if end != rows[0][4]:
                faults.append(f"{rows[0][3]}: the fields end at {end}, the struct at {rows[0][4]}")
            # Small frozen results may do without; what grows may not.
            grows = re.search(r"_(config|stats|info|explain|detail)$", rows[0][3])
            if grows and rows[0][:3] != ("struct_size", 0, "u32"):
                faults.append(f"{rows[0][3]}: does not begin with struct_size")
    text = "\n".join(table) + "\n"
    if "--write" in sys.argv:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(text)
    old = open(TABLE, encoding="utf-8").read() if os.path.exists(TABLE) else ""
    changed = list(difflib.unified_diff(old.splitlines(), text.splitlines(), TABLE, "the library", lineterm=""))
    for fault in faults:
        print(f"FAILED {fault}")
    for line in changed:
        print(line)
    if changed:
        print(f"FAILED the layout is not that of {TABLE}; if it is meant: tests/abi/check_layout.py --write")
    failed = len(faults) + bool(changed)
    print(f"{structs if not changed else 0} passed, {failed} failed")
    return 0 if structs and not failed else 1


sys.exit(main())
