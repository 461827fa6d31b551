"""The user's files on the disk: read as they are, and written back only if they still are so."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from unstuck import reading
from unstuck.reading import Unusable

LARGEST = 1 << 24  # bytes of a source text
MOST_BACKUPS = 1000


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text without any change to its line ends, and how it was encoded."""

    path: Path
    text: str
    encoding: str
    digest: str  # SHA-256 of its bytes, in hexadecimal digits


def read(path: Path) -> FileText:
    """A source file. Raises Unusable: it is out of reach, too large, or not in its encoding."""
    with reading.opened(path) as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Unusable(f"{path} is larger than {LARGEST >> 20} MiB")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise Unusable(f"{path} is not in the encoding that it declares") from None
    return FileText(path, text, encoding, hashlib.sha256(raw).hexdigest())


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was changed, and where its old text is."""

    path: Path
    backup: Path


def write_back(
    texts: Mapping[Path, str], read_before: Mapping[Path, FileText], *, through_links: bool = False,
) -> list[Written]:
    """Puts new texts in the place of those that were read, all or none; each old one is kept.

    Modes stay. A backup never takes the place of another file.

    Raises:
        Unusable: a file is not what was read any more, is a link (unless `through_links`), or it
            cannot be written. Then all files are as they were.
    """
    staged: list[tuple[Path, Path]] = []  # the file, and its new text beside it
    written: list[Written] = []
    try:
        for path, text in texts.items():
            target = _target(path, through_links)
            known = read_before[path]
            with reading.opened(target) as file:
                old = file.read(LARGEST + 1)
            if hashlib.sha256(old).hexdigest() != known.digest:
                raise Unusable(f"{path} has changed since it was read; nothing was written")
            try:
                new = text.encode(known.encoding)
            except UnicodeEncodeError:
                raise Unusable(f"{path} is encoded in {known.encoding}, which lacks a character "
                               "of the change; nothing was written") from None
            staged.append((target, _created(target, ".unstuck", new)))
        for target, new_text in staged:
            written.append(Written(target, _backup(target)))
            os.replace(new_text, target)
    except BaseException as error:
        for _, new_text in staged:
            with contextlib.suppress(OSError):
                new_text.unlink(missing_ok=True)
        for each in written:
            with contextlib.suppress(OSError):
                if os.path.samefile(each.backup, each.path):
                    each.backup.unlink()  # renaming a file to another name of its own does nothing
                else:
                    os.replace(each.backup, each.path)
        if isinstance(error, OSError):
            raise Unusable(
                f"the change cannot be written: {error.strerror or error}") from None
        raise
    return written


def _target(path: Path, through_links: bool) -> Path:
    if not path.is_symlink():
        return path
    target = path.resolve()
    if not through_links:
        raise Unusable(f"{path} is a link to {target}; nothing was written")
    return target


def _backup(target: Path) -> Path:
    """The same file under another name: what is written into it meanwhile is not lost either."""
    for path in _free(target, ".orig"):
        try:
            os.link(target, path)
        except FileExistsError:
            continue
        except OSError:  # the file system has no links, or they are not allowed
            return _created(target, ".orig", target.read_bytes())
        return path
    raise AssertionError("_free raises")


def _free(beside: Path, ending: str) -> Iterator[Path]:
    for number in range(MOST_BACKUPS):
        yield beside.with_name(f"{beside.name}{ending}{f'.{number}' if number else ''}")
    raise Unusable(f"there are {MOST_BACKUPS:,} files named {beside.name}{ending}")


def _created(beside: Path, ending: str, content: bytes) -> Path:
    """A new file beside another, with its mode. No file that exists is touched."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for path in _free(beside, ending):
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(beside, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path
    raise AssertionError("_free raises")
