#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the built libraries export and import, against the headers."""
import re
import subprocess

from report import HEADERS, all_functions, case, finish, read

SHARED = "build/lib/libtrimtab.so"
STATIC = "build/lib/libtrimtab.a"

# Memory functions a compiler may call by itself, and what lib/base's default
# allocator needs. lib/segment asks the operating system and is free to.
ALLOWED = {"memcpy", "memset", "memcmp", "memmove", "strlen", "aligned_alloc", "free",
           "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", "__stack_chk_fail_local"}
LIBM = {"exp", "log", "pow", "sqrt", "floor", "ceil", "fabs", "log1p", "expm1", "lgamma"}


def nm(*arguments):
    out = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True).stdout
    return out.splitlines()


def defined(*arguments):
    """Names of global symbols that are defined, versions cut off."""
    names = set()
    for line in nm("--defined-only", "-g", *arguments):
        words = line.split()
        if len(words) == 3 and words[1] != "A":
            names.add(words[2].split("@")[0])
    return names


declared = {function.name for function in all_functions()}
exported = defined("-D", SHARED)
case("every function the headers declare is exported", sorted(declared - exported))
case("nothing else is exported", sorted(exported - declared))
case("there is something to export", [] if declared else ["no header declares a TTB_API function"])
case("no internal name is exported", [n for n in sorted(exported) if n.startswith("ttb__")])
case(
    "every global symbol of the static library begins with ttb_",
    [n for n in sorted(defined(STATIC)) if not n.startswith("ttb_")],
)

dynamic = subprocess.run(["readelf", "-d", SHARED], check=True, capture_output=True, text=True).stdout
case("the soname is libtrimtab.so.0", [] if "[libtrimtab.so.0]" in dynamic else [dynamic])
needed = re.findall(r"NEEDED\).*\[(.*)\]", dynamic)
case(
    "the shared library needs libc, perhaps libm, and no other",
    [n for n in needed if not re.match(r"lib[cm]\.so|ld-linux", n)],
)

# Undefined symbols, member by member of the archive.
faults = []
member = ""
for line in nm("-u", STATIC):
    if line.endswith(":"):
        member = line[:-1]
        continue
    words = line.split()
    if not words:
        continue
    name = words[-1]
    source = member.removesuffix(".o").removesuffix(".c").replace("_", "/", 1) + ".c"
    if name.startswith("ttb_") or name in ALLOWED or source.startswith("segment/"):
        continue
    if name in LIBM and "fp.h" in read("lib/" + source):
        continue
    faults.append(f"{source}: {name}")
case("lib/ uses no other function of the C library (segment may)", faults)

# Version: meson, header and library agree.
base = read("include/trimtab/base.h")
version = re.search(r'#define TTB_VERSION "(.*)"', base)[1]
numbers = ".".join(re.search(rf"#define TTB_VERSION_{part} (\d+)", base)[1]
                   for part in ("MAJOR", "MINOR", "PATCH"))
meson = re.search(r"version: '(.*?)'", read("meson.build"))[1]
case("one version everywhere", [] if version == numbers == meson else [f"{version} {numbers} {meson}"])

text = "".join(read(h) for h in HEADERS)
case("the umbrella header includes every module's",
     [] if "include/trimtab/trimtab.h" not in HEADERS else
     [h for h in HEADERS if h.rsplit("/", 1)[1] not in ("trimtab.h", "jemalloc.h")
      and f"<{h.removeprefix('include/')}>" not in read("include/trimtab/trimtab.h")])
finish()
