"""Starts and ends a watching: what `with unstuck.watch()` and the child process both use."""

from __future__ import annotations

import gc
import os
import platform
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unstuck.observe.source.sites import Sites, locate
from unstuck.observe.spawned import Spawning
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.run import End, EndKind, Program
from unstuck.schema.version import VERSION

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from unstuck.observe.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Options:
    """How to watch.

    `folder` must not hold a record yet. `overhead` is the share of the run's time that sampling
    may cost. `program_folder` is the folder of the program's script or top package. `say` takes a
    sentence for the user, about a failure of ours, and raises nothing. `record` is the record's id.
    `signals` are the names of those that are wanted, so that only what they need is measured; None
    for all. `keep_state` has the state of the training kept beside the record; `restore` is a file
    with such a state, from which it is to go on.
    """

    folder: Path
    max_steps: int | None = None
    overhead: float = 0.03
    program_text: bool = True
    argv: tuple[str, ...] = ()
    program_folder: str | None = None
    say: Callable[[str], object] | None = None
    record: str | None = None
    signals: Collection[str] | None = None
    keep_state: bool = False
    restore: Path | None = None


class AlreadyWatching(RuntimeError):
    """A second watching was asked for inside a first one."""


@contextmanager
def _without_collections() -> Iterator[None]:
    """What we import and write sets off no collection: each walks all that torch is made of."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Session:
    """One watching of this process, from `start` to `finish`."""

    def __init__(self, watcher: Watcher, sites: Sites) -> None:
        self._watcher = watcher
        self._finished = False
        self.sites = sites

    @classmethod
    @_without_collections()
    def start(cls, options: Options) -> Session:
        """Installs the hooks on torch, which is imported here if it is not yet.

        Raises:
            AlreadyWatching: this process is being watched.
            FileExistsError: the folder holds a record already.
            OSError: the record cannot be written.
        """
        import torch

        from unstuck.observe.watcher import Watcher

        check_alone()
        writer = RecordWriter(options.folder, VERSION, options.record)
        devices = tuple(
            torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
        ) if torch.cuda.is_initialized() else ()
        writer.fact(Program(
            options.argv if options.program_text else (), platform.python_version(),
            str(torch.__version__), platform.platform(), devices,
        ), 0)
        sites = Sites(options.program_folder, options.program_text)
        watcher = Watcher(
            writer, sites, options.overhead, options.max_steps, options.signals,
            options.folder if options.keep_state else None, options.restore)
        watcher.say = options.say
        try:
            watcher.start()
            writer.flush()
            return cls(watcher, sites)
        except BaseException:  # also a key, or an exception of a handler of the program's own
            watcher.remove()
            raise

    @property
    def stopped(self) -> bool:
        """Whether training was ended by --max-steps."""
        return bool(self._watcher.stop.told)

    @_without_collections()
    def finish(self, end: End) -> None:
        """Removes the hooks and writes how the run ended. Later calls do nothing."""
        if not self._finished:
            self._finished = True
            with np.errstate(all="ignore"):  # numbers may be odd, and settings are the program's
                self._watcher.finish(end)


def hand_on(options: Mapping[str, Any], target: Sequence[str]) -> None:
    """Has the processes watched as well that the watched program is going to spawn.

    Args:
        options: how the program itself is watched, as its process was told.
        target: the program, as it was named.
    """
    if options.get("signals") is None and not options.get("spawned"):
        Spawning(options, target).install()


def check_alone() -> None:
    """Nothing if this process is not being watched.

    Raises:
        AlreadyWatching: it is.
    """
    from unstuck.observe.hooks.taps import watching

    if watching():
        raise AlreadyWatching("this process is already being watched")


def program_folder(target: Sequence[str], spec: ModuleSpec | None) -> str | None:
    """Where the code of a user's program lives, even if that is inside site-packages."""
    if target[0] != "-m":
        path = os.path.realpath(target[0])
        return path if os.path.isdir(path) else os.path.dirname(path)
    package = sys.modules.get(target[1].partition(".")[0])
    paths: list[str] = list(getattr(package, "__path__", ()))
    if paths:  # the package may import torch before the module itself is found
        return os.path.realpath(paths[0])
    if spec is None or not spec.origin:
        return None
    folder = os.path.dirname(os.path.realpath(spec.origin))
    # A lone module beside every installed package: the folder says nothing.
    return None if os.path.basename(folder) in _LIBRARY_FOLDERS else folder


_LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def end_of_program(
    error: BaseException | None, session: Session, keep_text: bool, max_steps: int | None
) -> End:
    """How a program ended whose main module was left by this exception, or by none."""
    end = end_of(error, session.sites, keep_text)
    end = replace(end, status=end.status & 0xFF)  # all that the system keeps of it
    if end.kind is EndKind.EXIT and not end.status:
        end = replace(end, kind=EndKind.FINISHED)
    if session.stopped:  # even where the program made another error of it
        end = replace(end, kind=EndKind.STOPPED, max_steps=max_steps)
    return end


def end_of(error: BaseException | None, sites: Sites | None, keep_text: bool = True) -> End:
    """How a run ended that was left by this exception, or by none."""
    from unstuck.observe.stop import StopTraining

    if error is None:
        return End(EndKind.FINISHED)
    if isinstance(error, StopTraining):
        return End(EndKind.STOPPED)
    if isinstance(error, KeyboardInterrupt):
        return End(EndKind.INTERRUPTED, 130)
    if isinstance(error, SystemExit):
        code = error.code
        status = code if isinstance(code, int) else 0 if code is None else 1
        return End(EndKind.EXIT, status) if status else End(EndKind.FINISHED)
    message = "".join(traceback.format_exception_only(type(error), error)).strip()
    location = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if sites is None or sites.is_user(frame.f_code.co_filename):
            location = frame
    tb = error.__traceback__
    found = None
    while tb is not None:
        if tb.tb_frame is location:
            found = locate(tb.tb_frame.f_code, tb.tb_lasti, keep_text)
        tb = tb.tb_next
    lines = message.splitlines()
    return End(EndKind.EXCEPTION, 1, type(error).__name__,
               lines[0] if lines and keep_text else None, found)
