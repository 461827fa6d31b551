"""The few calls of the Linux kernel that Python has no names for."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES = 0x00020000, 0x10000000, 0x20000000
NEW_NETWORK, NEW_MESSAGES = 0x40000000, 0x08000000
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 1 << 18
_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = -100, 0x8000, 1
_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_CAPABILITIES_VERSION = 0x20080522


class Library:
    """The C library, asked without a shell. Every failure is an OSError."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(0, f"{platform.system()} has no namespaces")
        self._c = ctypes.CDLL(None, use_errno=True)

    def _check(self, result: int, what: str) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    def unshare(self, flags: int) -> None:
        """Gives this process namespaces of its own."""
        self._check(self._c.unshare(ctypes.c_int(flags)), "unshare")

    def mount(self, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        """Mounts; see mount(2)."""
        self._check(self._c.mount(
            os.fsencode(source), os.fsencode(target), os.fsencode(kind), ctypes.c_ulong(flags),
            os.fsencode(data) if data else None), f"mount {target}")

    def read_only(self, folder: str, whether: bool) -> None:
        """Makes a mount read-only with all below it, or lets one be written again."""
        attributes = (ctypes.c_uint64 * 4)(_READ_ONLY if whether else 0,
                                           0 if whether else _READ_ONLY, 0, 0)
        self._check(self._c.syscall(
            ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), os.fsencode(folder),
            ctypes.c_uint(_AT_RECURSIVE if whether else 0), ctypes.byref(attributes),
            ctypes.c_size_t(ctypes.sizeof(attributes))), f"mount_setattr {folder}")

    def die_with_parent(self) -> None:
        """Has this process killed as soon as its parent is no more."""
        arguments = [ctypes.c_ulong(n) for n in (_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)]
        self._check(self._c.prctl(*arguments), "prctl")

    def drop_capabilities(self) -> None:
        """Gives up what a process may do in namespaces of its own, as its user could not before."""
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
        nothing = (ctypes.c_uint32 * 6)()
        self._check(self._c.capset(header, nothing), "capset")
        arguments = [ctypes.c_ulong(n) for n in (_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)]
        self._check(self._c.prctl(*arguments), "prctl")
