"""Which files of the program's own code ran, by name and hash."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator

from unstuck.observe.source.sites import Sites
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.files import UserFile

MOST_FILES = 256
LARGEST = 4 * 2**20  # bytes


class Files:
    """Reads the files when training begins, and at the end those that came later."""

    def __init__(self, writer: RecordWriter, sites: Sites) -> None:
        self._writer = writer
        self._sites = sites
        self._seen: set[str] = set()

    def look(self, step: int) -> None:
        """Writes what is new."""
        for file, module in self._files():
            if len(self._seen) >= MOST_FILES:
                return
            if file in self._seen:
                continue
            self._seen.add(file)
            content = _read(file)
            if content is not None:
                digest = hashlib.sha256(content).hexdigest()
                self._writer.fact(UserFile(file, module, digest, len(content)), step)

    def _files(self) -> Iterator[tuple[str, str]]:
        """Files of modules, and of code that was run in another way, with names of modules."""
        for name, module in list(sys.modules.items()):
            try:
                file = object.__getattribute__(module, "__dict__").get("__file__")
            except AttributeError:  # something else that the program put there
                continue
            if type(file) is str and self._sites.is_user(file):
                yield file, name
        for file in self._sites.files():
            yield file, ""


def _read(file: str) -> bytes | None:
    """The bytes of a plain file that is not too large, else None."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as opened:  # `open` may be the program's own
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return None
            return opened.read(LARGEST)
    except OSError:
        return None
