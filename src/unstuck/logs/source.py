"""The bytes of a file or pipe, and its lines as text whatever its encoding. Nothing is parsed."""

from __future__ import annotations

import codecs
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unstuck.logs.encodings import encoding_of
from unstuck.logs.table import UnusableLog
from unstuck.reading import check_size, opened

HEAD = 1 << 16  # bytes that a kind of file is detected from
LONGEST = 1 << 20  # characters in a line of text
_BINARY = (
    (b"PK\x03\x04", "a zip archive, such as torch.save writes"),
    (b"\x1f\x8b", "compressed with gzip (unpack it first)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    *((bytes([0x80, protocol]), "a pickle, and reading it would run its code")
      for protocol in range(2, 6)),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: `name` as the user knows it, `head` its first bytes, `size` in bytes.

    `progress` hears of the bytes that were read, piece by piece.
    """

    name: str
    path: Path
    head: bytes
    size: int
    encoding: str = "utf-8"
    progress: Callable[[int], object] = lambda _: None

    def open(self) -> BinaryIO:
        """The file from its beginning; raises Unusable if it can no longer be read."""
        return opened(self.path, self.name)

    def text(self) -> str:
        """The head as text; what is not text there, or was cut at its end, is replaced."""
        return self.head.decode(self.encoding, errors="replace")

    def whole(self, most: int) -> str:
        """The whole text, up to so many bytes."""
        with self.open() as file:
            return file.read(most).decode(self.encoding, errors="replace")

    def chunks(self) -> Iterator[bytes]:
        """The content in UTF-8, in pieces of whole lines.

        Raises:
            UnusableLog: a line is longer than any line of text.
        """
        rest, lines = b"", 0
        with self.open() as raw:
            for part in self._parts(raw):
                self.progress(len(part))
                # A \r at the very end may be the first half of \r\n.
                end = max(part.rfind(b"\n"), part.rfind(b"\r", 0, len(part) - 1)) + 1
                if end:
                    yield rest + part[:end]
                    lines += part.count(b"\n", 0, end)
                    rest = part[end:]
                    continue
                rest += part
                if len(rest) > LONGEST:
                    raise UnusableLog(
                        f"line {lines + 1:,} of {self.name} is longer than {LONGEST:,} "
                        "characters, so it is neither a table nor console text")
        if rest:
            yield rest

    def _parts(self, raw: BinaryIO) -> Iterator[bytes]:
        if self.encoding.startswith("utf-8"):
            first = True
            while part := raw.read(LONGEST):
                yield part.removeprefix(b"\xef\xbb\xbf") if first else part
                first = False
            return
        decoder = codecs.getincrementaldecoder(self.encoding)(errors="replace")
        while part := raw.read(LONGEST):
            yield decoder.decode(part).encode(errors="replace")

    def lines(self) -> Iterator[str]:
        """The lines with their ends, \\n, \\r or both. Bytes that are not text are replaced."""
        for chunk in self.chunks():
            for line in chunk.splitlines(keepends=True):
                yield line.decode(errors="replace")

    def refuse_binary(self) -> None:
        """Raises UnusableLog if this is not text."""
        for magic, what in _BINARY:
            if self.head.startswith(magic):
                raise UnusableLog(f"{self.name} is {what}; unstuck reads no curves from it")
        if b"\0" in self.head and self.encoding.startswith("utf-8"):
            raise UnusableLog(f"{self.name} is a binary file of a kind that unstuck does not know")


def source(path: Path, name: str | None = None) -> Source:
    """A file by its path.

    Raises:
        Unusable: it is empty, too large, not a regular file, or cannot be read.
    """
    name = name or str(path)
    with opened(path, name) as file:
        try:
            size, head = os.fstat(file.fileno()).st_size, file.read(HEAD)
        except OSError as error:
            raise UnusableLog(f"{name} cannot be read: {error.strerror}") from None
    found = Source(name, path, head, max(size, len(head)), encoding_of(head))
    if not found.text().strip("\ufeff \t\r\n"):
        raise UnusableLog(f"{name} is empty")
    return found


@contextlib.contextmanager
def kept(text: str, name: str) -> Iterator[Source]:
    """A text that stands within another one, kept on disk meanwhile; raises Unusable if it is
    empty."""
    with tempfile.TemporaryDirectory(prefix="unstuck-") as folder:
        path = Path(folder) / "text"
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        yield source(path, name)


@contextlib.contextmanager
def piped(stream: BinaryIO) -> Iterator[Source]:
    """Standard input to its end, kept on disk meanwhile.

    Raises:
        Unusable: it is empty, or never seems to end.
    """
    name = "standard input"
    with tempfile.TemporaryDirectory(prefix="unstuck-") as folder:
        path = Path(folder) / "standard-input"
        size = 0
        with path.open("wb") as file:
            while part := stream.read(HEAD):
                size += len(part)
                check_size(size, name)
                file.write(part)
        yield source(path, name)
