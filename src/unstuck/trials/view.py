"""A private view of the file system, in which patched texts lie over those of the user.

What a process in it writes goes to a scratch folder; the user's files stay as they are. The project
folder, the home folder and the temporary folders are covered (overlayfs), everything else can only
be read. There is no network but the loopback, unless it is allowed. When the process ends, the
kernel takes the view away, with whatever the process has started.

Where the system refuses (macOS, Windows, most containers), the program is run in a copy of the
project folder instead: `Copied` says what that does not hold.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unstuck.trials.kernel import (
    BIND,
    NEW_MESSAGES,
    NEW_MOUNTS,
    NEW_NETWORK,
    NEW_PROCESSES,
    NEW_USERS,
    PRIVATE,
    RECURSIVE,
    Library,
)

LARGEST_COPY = 64 << 20  # bytes of a project that is copied where no view can be had
MOST_FILES = 4_000  # of such a project
_SHARED_MEMORY = "/dev/shm"
_SCRATCH_IN = ("/var/tmp", _SHARED_MEMORY)  # outside of what is covered, as a rule
_PREFIX = "unstuck-trials-"


class NoView(Exception):
    """A trial cannot be kept from the user's files here; the message is a clause for a user."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a view is to hold.

    `texts` are the patched texts by absolute path. `covered` are folders that the program may seem
    to write to. `scratch` is an empty folder outside of them.
    """

    scratch: str
    covered: tuple[str, ...]
    texts: Mapping[str, str]
    working_folder: str
    network: bool = False


# Folders -----------------------------------------------------------------------------------------
def to_cover(program_folder: str, working_folder: str) -> tuple[str, ...]:
    """The folders to cover: the program's, the working folder, home, temporary ones.

    Folders inside of others are left out.

    Raises:
        NoView: one of the user's is the root of the file system.
    """
    wanted = [_project_of(os.path.realpath(program_folder)), working_folder]
    optional = [os.path.expanduser("~"), tempfile.gettempdir(), "/tmp"]
    found = [os.path.realpath(each) for each in [*wanted, *optional] if os.path.isdir(each)]
    if os.sep in found[:2]:
        raise NoView("the program lies at the root of the file system")
    found = [each for each in dict.fromkeys(found) if each != os.sep]
    return tuple(each for each in found if not any(
        inside(each, other) for other in found if other != each))


def _project_of(folder: str) -> str:
    """The nearest folder above that a version control has its own folder in, else the folder."""
    above, home = folder, os.path.expanduser("~")
    while os.path.dirname(above) != above and above != home:
        if os.path.exists(os.path.join(above, ".git")):
            return above
        above = os.path.dirname(above)
    return folder


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def scratch_folder(covered: Sequence[str]) -> Path:
    """A new folder outside of all that is covered. Whoever asked for it removes it.

    Raises:
        NoView: there is none.
    """
    places = [*_SCRATCH_IN, os.environ.get("XDG_RUNTIME_DIR", "")]
    for place in filter(os.path.isdir, places):
        real = os.path.realpath(place)
        if not any(inside(real, each) or inside(each, real) for each in covered):
            with contextlib.suppress(OSError):
                forget_dead(Path(real))
                return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=real))
    raise NoView("there is no folder for trials outside of the project, home and temporary "
                 "folders")


def forget_dead(place: Path) -> None:
    """Removes the scratch folders of processes that were killed."""
    for folder in place.glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if number.isdigit() and folder.lstat().st_uid == os.getuid() and (
                    not os.path.exists(f"/proc/{number}")) and os.path.isdir("/proc/self"):
                remove(folder)


def remove(folder: Path) -> None:
    """Removes a scratch folder whatever the programs left there."""
    def again(function: object, path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)  # the kernel keeps a folder of its own there, which none may read
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    shutil.rmtree(folder, onerror=again)


# The view of the kernel --------------------------------------------------------------------------
def enter(wish: Wish) -> None:
    """Gives the calling process, which has one thread, a view of its own.

    Its children are in a process namespace of their own: the first of them takes all others with
    it when it ends.

    Raises:
        NoView: the system refuses.
    """
    try:
        library = Library()
        user, group = os.geteuid(), os.getegid()
        flags = NEW_MOUNTS | NEW_PROCESSES | NEW_MESSAGES | (0 if wish.network else NEW_NETWORK)
        try:
            library.unshare(flags)  # which only the root of a whole system may
        except OSError:
            library.unshare(flags | NEW_USERS)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        library.mount("none", "/", "", PRIVATE | RECURSIVE)
        library.mount(wish.scratch, wish.scratch, "", BIND)
        below = _mounts_below(wish.covered)
        library.read_only("/", True)
        library.read_only(wish.scratch, False)
        for number, folder in enumerate(wish.covered):
            _cover(library, folder, Path(wish.scratch, str(number)), wish.texts)
        for path, descriptor in below.items():
            with contextlib.suppress(OSError):
                library.mount(f"/proc/self/fd/{descriptor}", path, "", BIND | RECURSIVE)
            os.close(descriptor)
        if os.path.isdir(_SHARED_MEMORY) and not inside(wish.scratch, _SHARED_MEMORY):
            library.mount("tmpfs", _SHARED_MEMORY, "tmpfs", 0, "mode=1777")
        if not wish.network:
            _loopback()
        os.chdir(wish.working_folder)  # the folder that it was in lies below the view
    except OSError as error:
        raise NoView(f"this system allows no private view of its files "
                     f"({error.strerror or error})") from None


def settle_first() -> None:
    """What the first process of a view does before it is the program: it sees its own processes."""
    with contextlib.suppress(OSError):
        Library().mount("proc", "/proc", "proc", 0)
    if os.geteuid():
        with contextlib.suppress(OSError):
            Library().drop_capabilities()


def _cover(library: Library, folder: str, layer: Path, texts: Mapping[str, str]) -> None:
    upper, work = layer / "upper", layer / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    shutil.copystat(folder, upper)
    for path, text in texts.items():
        real = os.path.realpath(path)
        if inside(real, folder):
            _lay(upper, folder, os.path.relpath(real, folder), text)
    lower = layer / "lower"  # a name without the characters that separate options
    lower.mkdir()
    library.mount(folder, str(lower), "", BIND)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    try:
        library.mount("overlay", folder, "overlay", 0, options + ",userxattr")
    except OSError:  # root need not ask for it, and older kernels do not know it
        library.mount("overlay", folder, "overlay", 0, options)


def _lay(upper: Path, folder: str, relative: str, text: str) -> None:
    """Puts a text into an upper layer, with the modes that the folders and the file have."""
    parts = relative.split(os.sep)
    for depth in range(1, len(parts)):
        made = upper.joinpath(*parts[:depth])
        if not made.is_dir():
            made.mkdir()
    target = upper.joinpath(*parts)
    target.write_bytes(text.encode("utf-8", "surrogateescape"))
    os.chmod(target, stat.S_IMODE(os.stat(os.path.join(folder, relative)).st_mode))
    for depth in range(len(parts) - 1, 0, -1):
        shutil.copystat(os.path.join(folder, *parts[:depth]), upper.joinpath(*parts[:depth]))


def _mounts_below(covered: Iterable[str]) -> dict[str, int]:
    """Mounts that covering would hide, held open."""
    found: dict[str, int] = {}
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        path = os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]),
                                  line.split(b" ")[4]))
        if any(inside(path, each) and path != each for each in covered):
            with contextlib.suppress(OSError):
                found[path] = os.open(path, os.O_PATH)
    return found


def _loopback() -> None:
    """Starts the loopback interface, which distributed training on one machine talks through."""
    import fcntl

    get_flags, set_flags, up = 0x8913, 0x8914, 1
    with contextlib.suppress(OSError), socket.socket() as any_socket:
        name = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, name))
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


# Where there is none -----------------------------------------------------------------------------
def copied(wish: Wish, folder: str) -> str:
    """Copies a project into the scratch folder, with the patched texts; the copy's path.

    This holds what the program writes by relative paths and beside itself, but not what it writes
    by absolute paths of its own.

    Raises:
        NoView: it is too large, or a patched file lies outside of it.
    """
    size, files = 0, 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_size
            files += 1
        if size > LARGEST_COPY or files > MOST_FILES:
            raise NoView("this system allows no private view of its files, and the project is too "
                         "large to be copied for each trial")
    copy = os.path.join(wish.scratch, "copy")
    shutil.copytree(folder, copy, symlinks=True, ignore_dangling_symlinks=True)
    for path, text in wish.texts.items():
        real = os.path.realpath(path)
        if not inside(real, folder):
            raise NoView("this system allows no private view of its files, and the change is in a "
                         "file outside of the project")
        target = Path(copy, os.path.relpath(real, folder))
        target.unlink()
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
    for name in ("home", "tmp"):
        os.mkdir(os.path.join(wish.scratch, name))
    return copy
