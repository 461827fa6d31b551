"""The fields of a protocol buffer, without its schema.

The wire format is that of protobuf.dev/programming-guides/encoding. A field of bytes, a string and
a message look alike; fixed numbers are left as bytes, little endian.
"""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, bytes | int]


def fields(message: bytes) -> Iterator[Field]:
    """The fields of a protocol buffer; ends quietly where it is not one."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        kind, size = tag & 7, 0
        if kind == 0:
            value, place = varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, place = varint(message, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            return
        if place + size > len(message):
            return
        yield tag >> 3, message[place : place + size]
        place += size


def varint(message: bytes, place: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, place
