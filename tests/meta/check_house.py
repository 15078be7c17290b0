#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Rules of the house that no compiler checks."""
import os
import re
from collections import Counter

from report import HEADERS, LIB_FILES, case, finish, read, without_comments

MODULES = ["base", "balancer", "breaker", "limiter", "health", "autoscaler", "budget", "router", "plan",
           "pool", "segment"]
# Headers that are a part of a module's.
TOPICS = {"hpa": "autoscaler", "keda": "autoscaler",
          "knative": "autoscaler", "pods": "autoscaler"}
# Arrows point one way.
MAY_INCLUDE = {
    "base": ["base"],
    "pool": ["base", "balancer", "breaker", "health", "limiter", "pool", "ladder"],
    "segment": MODULES,
}


def lines_with(path, pattern):
    text = without_comments(read(path))
    return [f"{path}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]


def every_text_file():
    for folder, folders, files in os.walk("."):
        folders[:] = sorted(f for f in folders
                            if f not in (".git", "__pycache__") and not f.startswith(".")
                            and not (folder == "." and f.startswith("build")))
        for name in sorted(files):
            path = os.path.join(folder, name)[2:]
            try:
                yield path, read(path)
            except UnicodeDecodeError:
                pass  # a corpus file


sources = [path for path in LIB_FILES if path.endswith(".c")]
names = Counter(os.path.basename(path) for path in sources)
case("base names of lib/*/*.c are unique", [name for name, count in names.items() if count > 1])
case("folders of lib/ are modules",
     sorted({path.split("/")[1] for path in sources} - set(MODULES)))

faults = []
for path in LIB_FILES:
    module = path.split("/")[1]
    for other in re.findall(r'#include "\.\./(\w+)/', read(path)):
        if other not in MAY_INCLUDE.get(module, ["base", module]):
            faults.append(f"{path}: includes a header of {other}")
    for header in re.findall(r"#include <trimtab/(\w+)\.h>", read(path)):
        if TOPICS.get(header, header) not in MAY_INCLUDE.get(module, ["base", module]):
            faults.append(f"{path}: includes <trimtab/{header}.h>")
case("no module knows another", faults)

case("files of lib/ have 600 lines at the most",
     [f"{path}: {read(path).count(chr(10))} lines" for path in LIB_FILES
      if read(path).count("\n") > 600])
case("files of lib/ open with what they are",
     [path for path in LIB_FILES if not re.match(r"/\* SPDX-License-Identifier: MIT \*/\n/\*", read(path))])
case("no printf, abort, exit, assert() or environment in lib/",
     [line for path in LIB_FILES if "/segment/" not in path
      for line in lines_with(path, r"\b(f?printf|puts|abort|exit|assert|getenv|malloc|calloc|realloc|time|clock_gettime)\s*\(")])
case("no <stdatomic.h> but in lib/base/atomic.h, no fence, no seq_cst",
     [line for path in LIB_FILES for line in lines_with(
         path, r"atomic_thread_fence|seq_cst|__sync_|__atomic_"
         + ("" if path == "lib/base/atomic.h" else r"|stdatomic|_Atomic|memory_order_"))])
case("no global variable in lib/: only const data at file scope",
     [line for path in sources for line in lines_with(path, r"^(static\s+)?(?!const\b)(u?int\d+_t|char|int|struct \w+|ttb_+\w+)\s+\w+(\[.*\])?\s*(=.*)?;")])

case("public headers: fixed widths only",
     [line for path in HEADERS if not path.endswith("/jemalloc.h")
      for line in lines_with(path, r"\b(bool|enum|long|size_t|short|time_t|unsigned|float)\b")])
case("public headers: no plain int but in int32_t and friends",
     [line for path in HEADERS if not path.endswith("/jemalloc.h") for line in lines_with(path, r"\bint\b")])
case("public headers include only <stdint.h> and each other",
     [line for path in HEADERS if not path.endswith("/jemalloc.h")
      for line in lines_with(path, r"#include\s+<(?!stdint\.h|trimtab/)")])

# Where the project happened to be written is nobody's business. Spelt in two
# parts, or this file would find itself.
forbidden = [r"/wo" r"rk/", r"/ro" r"ot/", r"/ho" r"me/\w"]
faults = []
for path, text in every_text_file():
    for number, line in enumerate(text.splitlines(), 1):
        if any(re.search(pattern, line) for pattern in forbidden):
            faults.append(f"{path}:{number}: {line.strip()[:100]}")
case("no file names a folder of somebody's machine", faults)
case("text files end with a newline and have no trailing blanks",
     [path for path, text in every_text_file() if path.endswith((".c", ".h", ".py", ".md", ".build"))
      and text and (not text.endswith("\n") or re.search(r"[ \t]+$", text, flags=re.M))])

# A test source nobody builds is a test nobody runs.
faults = [path for path, _ in every_text_file()
          if re.match(r"tests/unit/.*\.c$", path) and not re.match(r"tests/unit/\w+/test_\w+\.c$", path)]
case("tests/unit holds only <module>/test_*.c", faults)
faults = []
for path, text in every_text_file():
    if re.search(r"(^|/)run(_test[^/]*)?$|check_\w+\.py$", path) and text.startswith("#!"):
        if not os.access(path, os.X_OK):
            faults.append(path)
case("scripts that tests/run looks for are executable", faults)
finish()
