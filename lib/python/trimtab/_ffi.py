# SPDX-License-Identifier: MIT
"""The library, loaded; its structs, checked against what it says of itself.

Search order: $TRIMTAB_LIBRARY, a copy beside this file, the system's loader.
A library whose ABI or struct layouts differ from this package is an ImportError
that names both, never a wrong decision. ctypes cuts numbers that do not fit to
the width of their field; `fill` and `whole` refuse them instead.
"""
from __future__ import annotations

import ctypes
import difflib
import operator
import os
from typing import Any, Iterable, Mapping, NamedTuple, Optional, Type, TypeVar, Union

from .errors import RANGE, TrimtabError

ABI = 1

i32, u32, i64, u64 = ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64, ctypes.c_uint64
ptr = ctypes.c_void_p

_TYPES: dict[int, Any] = {1: u32, 2: i32, 3: u64, 4: i64, 5: ctypes.c_double, 6: ptr}
_BOUNDS: dict[Any, tuple[int, int]] = {
    u32: (0, 2**32 - 1),
    i32: (-(2**31), 2**31 - 1),
    u64: (0, 2**64 - 1),
    i64: (-(2**63), 2**63 - 1),
}


class Field(ctypes.Structure):
    """ttb_field."""

    _fields_ = [
        ("struct_size", u32),
        ("type", u32),
        ("offset", u32),
        ("since", u32),
        ("min", i64),
        ("max", i64),
        ("default", i64),
        ("name", ctypes.c_char_p),
        ("unit", ctypes.c_char_p),
        ("type_name", ctypes.c_char_p),
        ("type_size", i64),
    ]


class Detail(ctypes.Structure):
    """ttb_detail."""

    _fields_ = [
        ("struct_size", u32),
        ("code", i32),
        ("index", i32),
        ("reserved", i32),
        ("got", i64),
        ("min", i64),
        ("max", i64),
        ("field", ctypes.c_char_p),
    ]

    def __init__(self) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)))

    def __str__(self) -> str:
        text = ctypes.create_string_buffer(256)
        _detail_format(ctypes.byref(self), text, len(text))
        return text.value.decode()


class Struct(ctypes.Structure):
    """A public struct; begins with its own size."""

    def __init__(self, **values: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)), **values)


class Option(NamedTuple):
    """One field of a configuration, as the library itself describes it. 0 means
    `default`; -1 is "off" where the default is not enough."""

    name: str
    default: int
    min: int
    max: int
    unit: str


# ---- loading ----


def _open() -> ctypes.PyDLL:
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtrimtab.so.0")
    named = os.environ.get("TRIMTAB_LIBRARY")
    tried: list[str] = []
    for path in [named] if named else [beside, "libtrimtab.so.0"]:
        try:
            # PyDLL keeps the interpreter lock: a decision takes nanoseconds,
            # giving the lock away and back would cost more.
            return ctypes.PyDLL(path)
        except OSError as error:
            tried.append(str(error))
    raise ImportError("trimtab: no library found; set TRIMTAB_LIBRARY (%s)" % "; ".join(tried))


lib = _open()


def declare(name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library with its types set."""
    try:
        function = lib[name]
    except AttributeError:
        raise ImportError("trimtab: the library %s has no %s" % (lib._name, name)) from None
    function.restype = result
    function.argtypes = list(arguments)
    return function


_abi = declare("ttb_abi", u32)
_version = declare("ttb_version", ctypes.c_char_p)
_strerror = declare("ttb_strerror", ctypes.c_char_p, i32)
_errname = declare("ttb_errname", ctypes.c_char_p, i32)
_detail_format = declare("ttb_detail_format", i32, ctypes.POINTER(Detail), ctypes.c_char_p, u32)
_hash = declare("ttb_hash", u64, ctypes.c_char_p, u64, u64)
version: str = _version().decode()
if _abi() != ABI:
    raise ImportError(
        "trimtab: the library %s (version %s) has ABI %d, this package wants %d"
        % (lib._name, version, _abi(), ABI)
    )


def strerror(code: int) -> str:
    """The library's sentence for a code."""
    return str(_strerror(code).decode())


def errname(code: int) -> str:
    """The library's name of a code: "TTB_OPEN"."""
    return str(_errname(code).decode())


def key_hash(key: bytes, seed: int = 0) -> int:
    """The hash of a key for consistent picks (maglev, ring hash, ...): XXH64, the same in every
    process and on every machine, as Python's own hash() is not."""
    return int(_hash(key, len(key), seed))


Key = Union[str, bytes, int]
_LAST_KEY = 2**64 - 1 - 2**16  # of a breaker's table


def key_number(key: Key) -> int:
    """The 64-bit key a table knows: an int as it is; of a text its `key_hash`,
    moved into 1..2^64-1-2^16 if it is one of the few that no table takes."""
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        hashed: int = _hash(key, len(key), 0)
        return hashed if 0 < hashed <= _LAST_KEY else min(max(hashed, 1), _LAST_KEY)
    number = whole(key, "key", u64)
    if number == 0:
        raise TrimtabError(RANGE, "key: 0 is nobody's")
    return number


# ---- structs ----

_rows: dict[Type[ctypes.Structure], list[Field]] = {}


def _fields_of(module: str, which: int) -> Iterable[Field]:
    get = declare("ttb_%s_field" % module, i32, u32, u32, ctypes.POINTER(Field))
    index = 0
    while True:
        row = Field(struct_size=ctypes.sizeof(Field))
        if get(which, index, ctypes.byref(row)) < 0:
            return
        yield row
        index += 1


def check_layout(struct: Type[ctypes.Structure], module: str, which: int) -> None:
    """Compares a struct declared here with the library's own rows."""
    rows = list(_fields_of(module, which))
    mine = [
        (str(name), getattr(struct, str(name)).offset, kind.__name__)
        for name, kind, *_ in struct._fields_
    ]
    theirs = [(row.name.decode(), row.offset, _TYPES[row.type].__name__) for row in rows]
    size = rows[0].type_size if rows else 0
    if mine != theirs or size != ctypes.sizeof(struct):
        raise ImportError(
            "trimtab: %s %s differs between the library %s (version %s) and this package: "
            "%d bytes %s against %d bytes %s"
            % (module, struct.__name__, lib._name, version, size, theirs,
               ctypes.sizeof(struct), mine)
        )
    _rows[struct] = rows


def options(struct: Type[ctypes.Structure]) -> list[Option]:
    """What a configuration takes."""
    return [
        Option(row.name.decode(), row.default, row.min, row.max, row.unit.decode())
        for row in _rows[struct]
        if row.type != 6 and row.name not in (b"struct_size", b"reserved", b"n_limits")
    ]


def whole(value: Any, name: str, kind: Any, low: int = 0, high: int = 0) -> int:
    """`value` as an integer of the C type, or an error that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError("%s: an integer, please, not %r" % (name, value)) from None
    least, most = _BOUNDS[kind]
    if not least <= number <= most:
        if high <= low:
            low, high = least, most
        raise TrimtabError(RANGE, "%s: %d is not within %d..%d" % (name, number, low, high))
    return number


S = TypeVar("S", bound=Struct)


def fill(struct: Type[S], values: Mapping[str, Any], of: str = "") -> S:
    """A struct with these values. An unknown name is a TypeError that lists the
    names there are."""
    filled = struct()
    rows = {row.name.decode(): row for row in _rows[struct]}
    known = [name for name in rows if name not in ("struct_size", "reserved")]
    for name, value in values.items():
        if name not in known:
            near: Optional[str] = next(iter(difflib.get_close_matches(name, known, 1)), None)
            raise TypeError(
                "%sno such option: %s%s (there are: %s)"
                % (of, name, " - %s perhaps?" % near if near else "", ", ".join(known))
            )
        row = rows[name]
        number = whole(value, of + name, _TYPES[row.type], row.min, row.max)
        setattr(filled, name, number)
    return filled
