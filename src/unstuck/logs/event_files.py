"""Reads the scalars of TensorBoard's event files, without TensorBoard.

A file is a row of TFRecords: a length of 8 bytes, its checksum, a message, and its checksum. Of
event.proto: Event.step = 2, .summary = 5; of summary.proto: Summary.value = 1, Value.tag = 1,
.simple_value = 2, .tensor = 8; of tensor.proto: TensorProto.dtype = 1, .tensor_shape = 2,
.tensor_content = 4, and values by type, of which float_val = 5 and double_val = 6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from unstuck.logs.protobuf import fields
from unstuck.logs.source import Source
from unstuck.logs.table import Builder, Table, UnusableLog
from unstuck.reading import LONGEST

_STEP, _SUMMARY, _VALUE, _TAG, _SIMPLE, _TENSOR = 2, 5, 1, 1, 2, 8
_DTYPE, _SHAPE, _CONTENT = 1, 2, 4
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed; RFC 3720, appendix B.4
_MASK = 0xA282EAD8
CHECKED = 512  # bytes of a message, at most; longer ones are pictures and texts, not scalars
AT_ONCE = 2_000  # records whose checksums are computed together
_BATCH = 1 << 20  # bytes of them, about
# By its number in types.proto: how a number is written in bytes, and the field it has otherwise.
_TYPES = {1: ("<f4", 5), 2: ("<f8", 6), 3: ("<i4", 7), 9: ("<i8", 10), 19: ("<f2", 13)}


def is_event_file(head: bytes) -> bool:
    """Whether a file that begins so is one of records with a checksum of their length."""
    if len(head) < 12 or int.from_bytes(head[:8], "little") > LONGEST:
        return b"brain.Event:" in head[:64]
    return _checksums([head[:8]]) == [int.from_bytes(head[8:12], "little")]


def read(sources: Sequence[tuple[str, Source]], run: str = "") -> Table:
    """The scalars of one run, from its files in order; each with a prefix for its tags.

    Raises:
        UnusableLog: they hold no scalars.
    """
    builder = Builder(sources[0][1].name)
    for prefix, source in sources:
        for message in _records(source):
            step, found = _scalars(message)
            for tag, value in found:
                builder.add((("step", step), (f"{prefix}/{tag}" if prefix else tag, value)))
    if not builder.rows:
        raise UnusableLog(f"{sources[0][1].name} holds no scalars, so there is no curve to read")
    return Table("TensorBoard events", builder.columns(), builder.rows, run)


def _records(source: Source) -> Iterator[bytes]:
    """The messages up to the first that is torn or spoilt.

    Raises:
        UnusableLog: one is too long to be read whole.
    """
    with source.open() as file:
        messages: list[bytes] = []
        sums: list[int] = []
        size, left = 0, source.size
        while len(header := file.read(12)) == 12:
            length = int.from_bytes(header[:8], "little")
            left -= 12
            if length > left:
                break
            if length > LONGEST:
                raise UnusableLog(f"{source.name} holds a record of {length >> 20:,} MiB; unstuck "
                                  f"reads records of up to {LONGEST >> 20} MiB")
            messages.append(file.read(length))
            sums.append(int.from_bytes(file.read(4), "little"))
            left -= length + 4
            size += length
            if len(messages) == AT_ONCE or size > _BATCH:
                source.progress(size)
                good = _good(messages, sums)
                yield from messages[:good]
                if good < len(messages):
                    return
                messages, sums, size = [], [], 0
        yield from messages[: _good(messages, sums)]


def _good(messages: Sequence[bytes], sums: Sequence[int]) -> int:
    """How many messages come before the first whose checksum is wrong."""
    short = [i for i, message in enumerate(messages) if len(message) <= CHECKED]
    found = _checksums([messages[i] for i in short])
    return next((i for i, one in zip(short, found, strict=True) if one != sums[i]), len(messages))


def _scalars(message: bytes) -> tuple[float, list[tuple[str, float]]]:
    """The step of an event, and its scalars by their tags."""
    step, found = 0.0, list[tuple[str, float]]()
    for number, value in fields(message):
        if number == _STEP and isinstance(value, int):
            step = float(value)
        elif number == _SUMMARY and isinstance(value, bytes):
            for kind, one in fields(value):
                if kind == _VALUE and isinstance(one, bytes):
                    found.extend(_scalar(one))
    return step, found


def _scalar(message: bytes) -> Iterator[tuple[str, float]]:
    """The tag and the number of a value; none if it is a picture, a text or a histogram."""
    tag, number = "", None
    for field, value in fields(message):
        if not isinstance(value, bytes):
            continue
        if field == _TAG:
            tag = value.decode(errors="replace")
        elif field == _SIMPLE and len(value) == 4:
            number = float(struct.unpack("<f", value)[0])
        elif field == _TENSOR:
            number = _of_tensor(value)
    if number is not None:
        yield tag, number


def _of_tensor(message: bytes) -> float | None:
    """The number in a tensor of one element; None for others, and for text."""
    found = list(fields(message))
    dtype = next((value for field, value in found if field == _DTYPE), 0)
    if not isinstance(dtype, int) or dtype not in _TYPES:
        return None
    form, place = _TYPES[dtype]
    size = np.dtype(form).itemsize
    for field, value in found:
        if field == _CONTENT and isinstance(value, bytes) and value:
            return float(np.frombuffer(value, form)[0]) if len(value) == size else None
        if field == place:
            if isinstance(value, int):
                return float(value)
            return float(np.frombuffer(value, form)[0]) if len(value) == size else None
    return None


@cache
def _table() -> NDArray[np.uint32]:
    """What a byte does to a checksum."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
    return table


def _checksums(messages: Sequence[bytes]) -> list[int]:
    """The masked CRC-32C of each message; messages of one length together, byte by byte."""
    table, sums = _table(), np.zeros(len(messages), dtype=np.uint32)
    lengths = np.array([len(message) for message in messages], dtype=np.int64)
    for length in np.unique(lengths):
        which = np.flatnonzero(lengths == length)
        cells = np.frombuffer(b"".join(messages[i] for i in which.tolist()), dtype=np.uint8)
        crc = np.full(len(which), 0xFFFFFFFF, dtype=np.uint32)
        for column in cells.reshape(len(which), length).T:
            crc = table[(crc ^ column) & 255] ^ (crc >> 8)
        sums[which] = ~crc
    masked = (sums >> 15 | sums << 17) + np.uint32(_MASK)
    return [int(one) for one in masked]
