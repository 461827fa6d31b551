"""In the process of a program: makes a point fail, or the folder, or standard error."""

from __future__ import annotations

import errno
import gc
import json
import os
import random
import shutil
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from benchmarks.faults.entries import Follower, Point, Walk

RECORD, WEIGHTS, THROWN, WALKED = "record", "weights.txt", "thrown.json", "walked.json"
MESSAGES = "messages"  # to the process that would have started the program

Fault = type("Fault", (Exception,), {"__module__": "unstuck"})  # as if it were one of ours
ERRORS: dict[str, Callable[[], Exception]] = {
    "exception": lambda: Fault("on purpose"),
    "memory": MemoryError,
    "recursion": lambda: RecursionError("maximum recursion depth exceeded"),
    "system": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
}
PHASES = ("begin", "end", "inside")  # of a point's call
INSIDE = 3  # the call of ours within a point that fails, if there are as many


# Streams and folders -----------------------------------------------------------------------------
class _Refuses:
    def write(self, text: str) -> int:
        raise RuntimeError("nothing is written here")

    def flush(self) -> None:
        pass  # the standard library flushes before each fork


def _close() -> None:
    sys.stderr.close()
    os.close(2)


def _fill() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 2)
    os.close(full)


STREAMS: dict[str, Callable[[], None]] = {
    "as it is": lambda: None,
    "closed": _close,
    "none": lambda: setattr(sys, "stderr", None),
    "full": _fill,
    "raises": lambda: setattr(sys, "stderr", _Refuses()),
}


def _fill_disk(folder: Path) -> None:
    """Whatever is written to the record's files from now on finds the disk full."""
    full = os.open("/dev/full", os.O_WRONLY)
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            target = os.readlink(entry)
        except OSError:  # the one that listed them
            continue
        if target.startswith(f"{folder}/"):
            os.dup2(full, int(entry.name))
    os.close(full)


def _replace(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file of the user's")


FOLDERS: dict[str, Callable[[Path], None]] = {
    "good": lambda folder: None,
    "deleted": shutil.rmtree,
    "full": _fill_disk,
    "a file": _replace,
}


# Following ---------------------------------------------------------------------------------------
class Thrower(Follower):
    """Raises once: in the `number`-th call of a point."""

    def __init__(
        self, program: str, point: Point, number: int, phase: str, error: str
    ) -> None:
        super().__init__(program)
        self._point = point
        self.in_c = not point.inside
        self._number = number
        self._phase = phase
        self._error = ERRORS[error]
        self._process = os.getpid()
        self._frame: FrameType | None = None
        self._calls = INSIDE
        self._leaving = False
        self._thrown = os.path.abspath(THROWN)

    def reached(self, point: Point, frame: FrameType) -> None:
        """Raises if it is this call, or notes its frame."""
        if point != self._point or self._number <= 0:
            return
        self._number -= 1
        if not self._number:
            if self._phase == "begin" or not point.inside:
                self._throw(frame)
            self._frame = frame

    def called(self, frame: FrameType) -> None:
        """Raises within the call."""
        if self._phase == "inside" and self._frame not in (None, frame):
            self._calls -= 1
            if not self._calls:
                self._throw(frame)

    def left(self, frame: FrameType) -> None:
        """Raises at the end of the call."""
        if frame is self._frame:
            self._leaving = True
            self._throw(frame)

    def _throw(self, frame: FrameType) -> None:
        self._number = 0
        self._frame = None
        frames: list[FrameType] = [frame]
        if self._leaving:  # in older Pythons its trace begins with what called it
            caller = frame.f_back
            while caller is not None and not self._kind(caller)[0]:
                caller = caller.f_back
            if caller is not None:
                frames.append(caller)
        Path(self._thrown).write_text(json.dumps({
            "at": [f"{os.path.basename(f.f_code.co_filename)}:{f.f_lineno}" for f in frames],
            "step": _step(), "forked": os.getpid() != self._process,
        }))
        threading.setprofile(None)
        raise self._error()


def _step() -> int | None:
    """At which step the watcher is, if there is one by now."""
    from unstuck.observe.watcher import Watcher

    return next((thing.moment.step for thing in gc.get_objects() if type(thing) is Watcher), None)


# Running -----------------------------------------------------------------------------------------
def prepare(
    program: str, *, watched: bool, stream: str = "as it is", folder: str = "good",
    throw: dict[str, Any] | None = None, walk: bool = False,
) -> Callable[[], object]:
    """Called in a fork of the interpreter: what then runs a program, bare or watched."""
    import torch

    from harness import forking

    torch.set_num_threads(1)
    random.seed(1)
    record = Path(RECORD).resolve()
    sys.modules["stage"] = _stage(lambda: FOLDERS[folder](record) if watched else None)
    sys.path.insert(0, os.path.dirname(program))
    unload_torch()
    if not watched:
        start = forking.script(program)
    else:
        start = child(program, record)
        if walk:
            Walk(program, Path(WALKED)).start()
        elif throw is not None:
            throw = {**throw, "point": Point(*throw["point"])}
            Thrower(program, **throw).start()
    STREAMS[stream]()
    return start


def child(program: str, record: Path) -> Callable[[], object]:
    """What runs a program as the child process of `unstuck run` does."""
    from unstuck.observe.program import Child, Parent
    from unstuck.record import writer

    writer.FLUSH_SECONDS = -1.0  # at each step: no clock decides which points a run comes to
    record.mkdir()
    config = {"folder": str(record), "max_steps": None, "overhead": 1.0, "program_text": True}
    messages = os.open(MESSAGES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pipe = 199  # out of the way of what a program opens
    os.dup2(messages, pipe)
    os.close(messages)
    return Child(Parent(str(pipe)), json.dumps(config), [program]).run


def _stage(after_first_step: Callable[[], object]) -> ModuleType:
    """The module that programs tell of their steps, and of what they have trained at the end."""
    waiting = [after_first_step]

    def stepped() -> None:
        while waiting:
            waiting.pop()()

    def finish(*trained: object) -> None:
        import numpy as np
        import torch

        from benchmarks.non_interference import digests

        states = [torch.get_rng_state(), np.random.get_state(), random.getstate()]
        lines = [f"{name} {value}" for name, value in digests("", [trained, states], {})]
        Path(weights).write_text("\n".join(lines))

    weights = os.path.abspath(WEIGHTS)
    stage = ModuleType("stage")
    stage.__dict__.update(stepped=stepped, finish=finish)
    return stage


def unload_torch() -> None:
    """Lets the program import torch once more: it gets the one that is loaded."""
    sys.meta_path.insert(0, _Loaded(sys.modules.pop("torch")))


class _Loaded:
    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "torch" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        pass

    def exec_module(self, module: ModuleType) -> None:
        sys.modules["torch"] = self._module
        sys.meta_path.remove(self)
