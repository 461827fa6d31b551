"""Reads TensorBoard's event files with the `tensorboard` package's own reader."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from unstuck.logs.source import Source
from unstuck.logs.table import Builder, Table, UnusableLog
from unstuck.reading import LONGEST

_TEXT = 7  # DT_STRING


def is_event_file(head: bytes) -> bool:
    """Whether a file that begins so is one of events: its first record names their version."""
    return b"brain.Event:" in head[:64]


def read(sources: Sequence[tuple[str, Source]], run: str = "") -> Table:
    """The scalars of one run, from its files in order; each with a prefix for its tags.

    Raises:
        UnusableLog: they hold no scalars, or the package is missing.
    """
    builder = Builder(sources[0][1].name)
    for prefix, source in sources:
        for step, tag, value in _scalars(source):
            builder.add((("step", step), (f"{prefix}/{tag}" if prefix else tag, value)))
    if not builder.rows:
        raise UnusableLog(f"{sources[0][1].name} holds no scalars, so there is no curve to read")
    return Table("TensorBoard events", builder.columns(), builder.rows, run)


def _scalars(source: Source) -> Iterator[tuple[float, str, float]]:
    try:
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise UnusableLog(
            f"{source.name} is a TensorBoard event file; to read it, install the tensorboard "
            "package: pip install 'unstuck[tensorboard]'") from None
    _check(source)
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    try:
        for event in LegacyEventFileLoader(str(source.path)).Load():
            for value in event.summary.value:
                if (number := _number(value, make_ndarray)) is not None:
                    yield float(event.step), str(value.tag), number
    except Exception:  # a spoilt record raises whatever its parser meets; what came before stands
        return


def _check(source: Source) -> None:
    """Raises UnusableLog for a record that is too long to be read whole."""
    with source.open() as file:
        while len(header := file.read(12)) == 12:  # its length and that number's checksum
            length = int.from_bytes(header[:8], "little")
            if length > source.size - file.tell():
                return  # torn or spoilt: the records before it stand
            if length > LONGEST:
                raise UnusableLog(f"{source.name} holds a record of {length >> 20:,} MiB; unstuck "
                                  f"reads records of up to {LONGEST >> 20} MiB")
            file.seek(length + 4, 1)


def _number(value: Any, make_ndarray: Any) -> float | None:
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.tensor.dtype == _TEXT:
        return None
    tensor = make_ndarray(value.tensor)
    return float(tensor.reshape(-1)[0]) if tensor.size == 1 and tensor.dtype.kind in "fiu" else None
