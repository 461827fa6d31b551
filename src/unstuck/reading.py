"""Opens files that others may have written: regular ones only, and never without bounds."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unstuck.words import count, number

LARGEST = 1 << 30  # bytes of a file
LONGEST = 1 << 26  # bytes of a line; the facts of a model with 100,000 layers are as long
MOST_VALUES = 2_000_000  # in one JSON line or document
MOST_NUMBERS = 20_000_000  # of one run, all its series together
DEEPEST = 64  # levels of brackets in JSON
_CHUNK = 1 << 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"),
)
# A pipe that nobody writes to must not hang us, nor a terminal become ours.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in (
    "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))


class Unusable(Exception):
    """The file cannot be read; the message is one sentence for the user."""


def opened(path: Path, name: str | None = None) -> BinaryIO:
    """A regular file, open for reading. What was looked at is what is read: nothing can swap it.

    Raises:
        Unusable: there is no such file, it is not a regular one, it is too large or out of reach.
    """
    name = name or str(path)
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise Unusable(f"there is no file {name}") from None
    except (OSError, ValueError) as error:
        raise Unusable(f"{name} cannot be read: {_reason(error)}") from None
    try:
        found = os.fstat(descriptor)
        for holds, kind in _KINDS:
            if holds(found.st_mode):
                raise Unusable(f"{name} is {kind}, not a regular file")
        check_size(found.st_size, name, whole=True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_size(size: int, name: str, *, whole: bool = False) -> None:
    """Raises Unusable for what is too large to be read; `whole` says that it has been measured."""
    if size > LARGEST:
        most = f"{name} is larger than {LARGEST >> 30} GiB, the most that unstuck reads"
        raise Unusable(most + (f" (it has {number(size / (1 << 30))} GiB)" if whole else ""))


def check_numbers(amount: int, name: str) -> None:
    """Raises Unusable for a run of too many numbers."""
    if amount > MOST_NUMBERS:
        raise Unusable(f"{name} holds more than {count(MOST_NUMBERS, 'number')}, the most that "
                       "unstuck reads")


def lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of a file with their ends, also of one that grows meanwhile.

    Raises:
        Unusable: a line is too long, or the file cannot be read.
    """
    row = size = 0
    try:
        while line := file.readline(LONGEST + 1):
            row, size = row + 1, size + len(line)
            if len(line) > LONGEST:
                raise Unusable(f"line {row:,} of {name} is longer than {LONGEST >> 20} MiB, the "
                               "most that unstuck reads")
            check_size(size, name)
            yield line
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {_reason(error)}") from None


def parsed(text: bytes | str, name: str) -> Any:
    """The JSON value in a text; `name` says what the text is.

    Raises:
        ValueError: it holds none.
        Unusable: it holds too many values, or too deep ones.
    """
    raw = text.encode(errors="replace") if isinstance(text, str) else text
    containers = raw.count(b"[") + raw.count(b"{")
    if containers + raw.count(b",") > MOST_VALUES:
        raise Unusable(f"{name} holds more than {count(MOST_VALUES, 'JSON value')}, the most that "
                       "unstuck reads")
    deep = containers > DEEPEST and _too_deep(raw) is not None and _too_deep(
        bare := _STRING.sub(b'""', raw))
    import msgspec  # the parent process reads settings before it starts the program

    try:
        if not deep:
            try:
                return msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeError):  # NaN or half a surrogate pair may be there
                return json.loads(text)
        json.loads(bare[:deep].decode(errors="replace"))  # plain text may open as many brackets
    except json.JSONDecodeError as error:
        if not deep or error.pos < len(error.doc):
            raise
    except RecursionError:
        pass
    raise Unusable(f"{name} is nested more than {DEEPEST} levels deep, the most that unstuck reads")


def _too_deep(raw: bytes) -> int | None:
    """Where brackets, those within strings among them, have opened a level too many; None if they
    never do."""
    import numpy as np  # for the same reason

    opened = np.zeros(256, dtype=np.int8)
    opened[list(b"[{")], opened[list(b"]}")] = 1, -1
    level = 0
    for start in range(0, len(raw), _CHUNK):
        part = np.frombuffer(raw, dtype=np.uint8)[start : start + _CHUNK]
        levels = level + np.cumsum(opened[part], dtype=np.int64)
        if levels.max() > DEEPEST:
            return start + int(np.argmax(levels > DEEPEST)) + 1
        level = int(levels[-1])
    return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
