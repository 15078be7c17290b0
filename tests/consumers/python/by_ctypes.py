# SPDX-License-Identifier: MIT
"""app.c once more, by ctypes alone: what any language's foreign calls see."""
import ctypes

lib = ctypes.CDLL("libtrimtab.so.0")
lib.ttb_breaker_acquire.restype = ctypes.c_int64
lib.ttb_errname.restype = ctypes.c_char_p

# The library tells the layout of its structs: no header is needed.
class Field(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("struct_size", "type", "offset", "since")]
    _fields_ += [(name, ctypes.c_int64) for name in ("min", "max", "default")]
    _fields_ += [(name, ctypes.c_char_p) for name in ("name", "unit", "type_name")]
    _fields_ += [("type_size", ctypes.c_int64)]

offsets = {}
field = Field(struct_size=ctypes.sizeof(Field))
while lib.ttb_breaker_field(0, len(offsets), ctypes.byref(field)) == 0:
    offsets[field.name.decode()] = field.offset
config = ctypes.create_string_buffer(field.type_size)
for name, value in (("struct_size", field.type_size), ("consecutive", 3), ("open_ms", 100)):
    ctypes.c_uint32.from_buffer(config, offsets[name]).value = value

breaker = (ctypes.c_uint64 * 32)()
assert lib.ttb_breaker_new(breaker, config, None) == 0
now = 1000000000
calls = 0
while calls < 1000:
    ticket = lib.ttb_breaker_acquire(breaker, 0, ctypes.c_uint64(now))
    if ticket < 0:
        break
    calls += 1
    lib.ttb_breaker_report(breaker, ctypes.c_int64(ticket), 1, ctypes.c_uint64(now))
print(f"{calls} failures, then {lib.ttb_errname(ticket).decode()}")
now += 100000000
ticket = lib.ttb_breaker_acquire(breaker, 0, ctypes.c_uint64(now))
closed = lib.ttb_breaker_report(breaker, ctypes.c_int64(ticket), 0, ctypes.c_uint64(now)) == 3
print(f"later {'a probe' if ticket >= 0 else ticket}, {'closed again' if closed else 'not closed'}")
lib.ttb_breaker_free(breaker)
