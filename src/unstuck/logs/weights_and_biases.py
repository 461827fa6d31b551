"""Reads Weights & Biases' offline file, run-….wandb: history records in a LevelDB log.

The log's blocks are described in LevelDB's doc/log_format.md, the records in wandb's
wandb_internal.proto: Record.history = 2, HistoryRecord.item = 1 and .step = 2, HistoryItem.key = 1,
.nested_key = 2 and .value_json = 16, HistoryStep.num = 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from unstuck.logs.documents import as_number, flat
from unstuck.logs.protobuf import fields
from unstuck.logs.source import Source
from unstuck.logs.table import Builder, Table, UnusableLog
from unstuck.reading import Unusable, parsed

MAGIC = b":W&B"
_BLOCK = 32768
_FILE_HEADER, _HEADER = 7, 7
_FULL, _FIRST, _LAST = 1, 2, 4
_LARGEST = 1 << 26  # bytes of a record; none of a history comes near
_HISTORY, _ITEM, _STEP, _KEY, _NESTED, _VALUE = 2, 1, 2, 1, 2, 16

def is_offline_file(head: bytes) -> bool:
    """Whether a file that begins so is W&B's."""
    return head.startswith(MAGIC)


def read(source: Source) -> Table:
    """The history of the run; a torn end is dropped."""
    builder = Builder(source.name)
    for record in _records(source):
        for number, value in fields(record):
            if number == _HISTORY and isinstance(value, bytes):
                builder.add(_history(value))
    if not builder.rows:
        raise UnusableLog(f"{source.name} holds no history, that is, no values of wandb.log")
    return Table("Weights & Biases offline run", builder.columns(), builder.rows)


def _history(record: bytes) -> Iterator[tuple[str, float]]:
    for number, item in fields(record):
        if not isinstance(item, bytes):
            continue
        if number == _STEP:
            yield from (("_step", float(n)) for i, n in fields(item) if i == 1
                        and isinstance(n, int))
        elif number == _ITEM:
            parts = [(i, part.decode("utf-8", errors="replace")) for i, part in fields(item)
                     if isinstance(part, bytes)]
            path = "/".join(part for i, part in parts if i in (_KEY, _NESTED) and part)
            for text in (part for i, part in parts if i == _VALUE):
                try:
                    value = parsed(text, path)
                except (ValueError, Unusable):
                    continue
                if isinstance(value, dict):
                    yield from flat(value, path)
                elif (found := as_number(value)) is not None:
                    yield path, found


def _records(source: Source) -> Iterator[bytes]:
    """The records of a LevelDB log: fragments in blocks of 32 KiB."""
    with source.open() as file:
        file.seek(_FILE_HEADER)
        place, record = _FILE_HEADER, bytearray()
        while True:
            left = _BLOCK - place % _BLOCK
            if left < _HEADER:  # a trailer of zeros
                file.seek(left, 1)
                place += left
                continue
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                return
            _, length, kind = struct.unpack("<IHB", header)
            part = file.read(length)
            place += _HEADER + len(part)
            if len(part) < length:
                return
            if kind in (_FULL, _FIRST) or len(record) + length > _LARGEST:
                record.clear()
            record += part
            if kind in (_FULL, _LAST):
                yield bytes(record)
                record.clear()
