#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The headers are the manual: every function says all it has to say."""
import re

from report import HEADERS, case, finish, functions, read, without_comments

TAGS = ["@threads", "@progress", "@alloc", "@since"]


def faults_of(function):
    comment = function.comment
    if not comment.startswith("/**"):
        return [f"{function}: no /** comment right before it"]
    faults = []
    if not re.search(r"@brief\s+\S", comment):
        faults.append(f"{function}: no @brief")
    if function.result != "void" and not re.search(r"@return\s+\S", comment):
        faults.append(f"{function}: no @return")
    if function.result == "void" and "@return" in comment:
        faults.append(f"{function}: @return, but it returns nothing")
    described = re.findall(r"@param\s+(\w+)\s+\S", comment)
    if described != function.parameters:
        faults.append(f"{function}: parameters {function.parameters}, described {described}")
    for tag in TAGS:
        if not re.search(rf"{tag}\s+[^\s@*]", comment):
            faults.append(f"{function}: no {tag}")
    return faults


def undocumented_members(header):
    """Members of public structs without a /**< or a /** right before."""
    text = read(header)
    for struct in re.finditer(r"^typedef struct \w+ \{\n(.*?)^\}", text, flags=re.M | re.S):
        before = ""
        for line in struct[1].splitlines():
            stripped = line.strip()
            # A member ends with ; and may go on in a comment behind it.
            code = re.sub(r"/\*.*", "", stripped).strip()
            if re.match(r"^[\w\s*()]+[\w\])]\s*(\(.*\))?;$", code) and "/**" not in stripped \
                    and not before.endswith("*/"):
                yield f"{header}: {code}"
            before = stripped


for header in HEADERS:
    found = functions(header)
    for function in found:
        case(str(function), faults_of(function))
    # A TTB_API the parser above did not understand must not pass unseen.
    seen = len(re.findall(r"^TTB_API\b", without_comments(read(header)), flags=re.M))
    case(f"{header}: every TTB_API was read",
         [] if seen == len(found) else [f"{seen} in the file, {len(found)} understood"])
    case(f"{header}: opens with @file and @brief",
         [] if re.search(r"@file\s+trimtab/\S+\n.*@brief", read(header)) else ["it does not"])
    case(f"{header}: every member of a struct is described", undocumented_members(header))
finish()
