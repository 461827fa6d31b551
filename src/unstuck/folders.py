"""Folders of records: new ones, and what became of those of earlier runs.

A record goes only into a folder that is new or empty, and only what is a record is ever removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from unstuck import launch
from unstuck.words import count

EVENTS = "events.jsonl"  # record.EVENTS, without its import of numpy before the program starts
PROCESS = "process-{}"  # in a run's folder, of a process that the program spawned
STATE = "state-{}.pt"  # in a record's folder, the state after so many steps, if it was to be kept
KEPT = 50
_RECENT_SECONDS = 3600.0
_PROCESS_NAME = re.compile(PROCESS.format(r"\d{1,9}"))
_STATE_NAME = re.compile(STATE.format(r"(\d{1,18})").replace(".", r"\."))
_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-.*-\d+(\.\d+)?")
_HEADER = b'{"type":"header",'  # how every record begins
_LONGEST_HEADER = 1000  # bytes
_MOST_OF_A_NAME = 1000  # folders of one name

Identity = tuple[int, int]


class UnusableFolderError(OSError):
    """The folder cannot take a record; the message is one sentence for the user."""


class TakenFolderError(UnusableFolderError, FileExistsError):
    """There are files in the folder already."""


@dataclass(slots=True)
class Folder:
    """An empty folder that is ours until `close`, made by us or found."""

    path: Path
    made: bool
    _identity: Identity | None = None
    _lock: int | None = None  # an open descriptor of the folder

    def discard(self) -> None:
        """Removes the folder if it is still the one that we made, and nothing was written there."""
        with contextlib.suppress(OSError):
            if self.made and identity(self.path) == self._identity:
                events = self.path / EVENTS
                with contextlib.suppress(FileNotFoundError):
                    found = events.lstat()
                    if stat.S_ISREG(found.st_mode) and not found.st_size:
                        events.unlink()  # begun, but there was no space
                self.path.rmdir()

    def close(self) -> None:
        """Lets other runs have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def identity(path: Path) -> Identity:
    """What distinguishes a file or folder from another one that took its name.

    Raises:
        OSError: there is nothing at `path`.
    """
    found = path.lstat()
    return found.st_dev, found.st_ino


def holds(path: Path, record: str) -> bool:
    """Whether the record of this id is in the folder; a link there does not count."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path / EVENTS, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return False
            begins = file.read(_LONGEST_HEADER).partition(b"\n")[0]
    except OSError:
        return False
    return begins.startswith(_HEADER) and f'"{record}"'.encode() in begins


# For one run -------------------------------------------------------------------------------------
def asked(path: Path) -> Folder:
    """The folder that the user asked for, made if it is missing; under a launcher one in it.

    Raises:
        TakenFolderError: there is something in it.
        UnusableFolderError: it cannot be made or written, or another run has it.
    """
    rank = launch.rank()
    try:
        if rank is None:
            return _claimed(path, _make(path))
        _make(path)
        if not launch.joins(path):
            raise _taken(path)
        return _numbered(path, f"rank-{rank}")  # later ones are those of restarted attempts
    except UnusableFolderError:
        raise
    except OSError as error:
        raise UnusableFolderError(
            f"the record cannot be saved in {str(path)!r}: {_reason(path, error)}"
        ) from None


def new(script: str, runs: Path | None = None, keep: int = KEPT) -> Folder:
    """Makes a folder for one run and removes the oldest records beyond `keep`.

    Raises:
        UnusableFolderError: it cannot be made.
    """
    try:
        runs = runs_folder() if runs is None else runs
    except UnusableFolderError as error:
        raise UnusableFolderError(f"{error}; choose a folder with --out") from None
    stem = re.sub(r"[^\w.-]", "_", Path(script).stem if script.endswith(".py") else script)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(runs, keep - 1)
        return _numbered(runs, f"{stamp}-{Path(stem).name[:60]}-{os.getpid()}")
    except OSError as error:
        raise UnusableFolderError(
            f"the record cannot be saved in {str(runs)!r} ({error.strerror or error}); choose a "
            "folder with --out"
        ) from None


def _make(path: Path) -> bool:
    """Makes a folder unless it is there; whether it was made."""
    if path.is_dir():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    return True


def _claimed(path: Path, made: bool) -> Folder:
    """Takes an empty folder for this process alone."""
    folder = Folder(path, made, identity(path), _locked(path))
    try:
        if os.listdir(path):
            raise _taken(path)
        if not os.access(path, os.W_OK | os.X_OK):
            raise UnusableFolderError(
                f"the record cannot be saved in {str(path)!r}: the folder is not writable")
        if identity(path) != folder._identity:
            raise UnusableFolderError(f"another run has just removed {str(path)!r}; try again")
    except BaseException:
        folder.close()
        raise
    return folder


def _locked(path: Path) -> int | None:
    """Locks a folder as long as its descriptor is open; None where that cannot be done.

    There the first one to make the record's file wins.
    """
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise TakenFolderError(
            f"another run is about to save its record in {str(path)!r}; choose another folder"
        ) from None
    except OSError:  # not every file system of a network can
        os.close(descriptor)
        return None
    return descriptor


def _numbered(parent: Path, name: str) -> Folder:
    for number in range(_MOST_OF_A_NAME):
        path = parent / (f"{name}.{number}" if number else name)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return Folder(path, True, identity(path))
    many = count(_MOST_OF_A_NAME, "record")
    raise FileExistsError(errno.EEXIST, f"it already holds {many} called {name}")


def _taken(path: Path) -> TakenFolderError:
    if (path / EVENTS).exists():
        return TakenFolderError(f"{str(path)!r} already holds a record; choose a new folder")
    return TakenFolderError(
        f"{str(path)!r} is not empty; choose a new or empty folder for the record"
    )


def _reason(path: Path, error: OSError) -> str:
    for there in (path, *path.parents):
        if there.exists() and not there.is_dir():
            return f"{'it' if there == path else repr(str(there))} is a file, not a folder"
    return error.strerror or str(error)


# Of earlier runs ---------------------------------------------------------------------------------
def runs_folder() -> Path:
    """Where records go if nobody says otherwise.

    Raises:
        UnusableFolderError: this user has no home folder.
    """
    import platformdirs

    try:
        state = Path(platformdirs.user_state_dir("unstuck", appauthor=False))
    except RuntimeError:
        state = Path()
    if not state.is_absolute():  # older versions of platformdirs name it by a tilde
        raise UnusableFolderError("there is no home folder to keep records in")
    return state / "runs"


def past_runs(runs: Path | None = None) -> list[Path]:
    """Folders of runs in the state folder, oldest first. Links are not followed."""
    runs = runs_folder() if runs is None else runs
    if not runs.is_dir():
        return []
    return sorted(
        path for path in runs.iterdir()
        if _RUN_NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    )


def last_run() -> Path | None:
    """The folder of the last run that has begun its record; None if there is none.

    Raises:
        UnusableFolderError: this user has no home folder.
    """
    begun = (path for path in reversed(past_runs()) if (path / EVENTS).exists())
    return next(begun, None)


def spawned(folder: Path) -> list[Path]:
    """The folders in a run's folder of processes that the program spawned, in their order."""
    try:
        found = [path for path in folder.iterdir() if _PROCESS_NAME.fullmatch(path.name)
                 and path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


def kept_states(folder: Path) -> list[tuple[int, Path]]:
    """The states that were kept beside a record: after how many steps, and the files; in order."""
    try:
        found = [(int(named[1]), path) for path in folder.iterdir()
                 if (named := _STATE_NAME.fullmatch(path.name)) and path.is_file()
                 and not path.is_symlink()]
    except OSError:
        return []
    return sorted(found)


def _forget_old(runs: Path, keep: int) -> None:
    folders = past_runs(runs)
    for folder in folders[: max(len(folders) - keep, 0)]:
        with contextlib.suppress(OSError):
            _forget(folder)


def _forget(folder: Path) -> None:
    """Removes a record, and nothing else: a folder with anything but records in it stays."""
    for part in spawned(folder):
        _forget(part)
    states = [path for _, path in kept_states(folder)]
    if set(os.listdir(folder)) - {EVENTS, *(path.name for path in states)}:
        return
    events = folder / EVENTS
    written = (events if os.path.lexists(events) else folder).lstat()
    # One that was written a while ago may still belong to a long run.
    if time.time() - written.st_mtime <= _RECENT_SECONDS:
        return
    if stat.S_ISREG(written.st_mode):
        with events.open("rb") as file:
            if file.read(len(_HEADER)) not in (b"", _HEADER):
                return
        events.unlink()
        for path in states:
            path.unlink()
    elif not stat.S_ISDIR(written.st_mode):
        return
    folder.rmdir()
