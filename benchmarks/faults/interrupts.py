"""Exceptions that are the program's own, raised by its signal handler between two lines of ours.

They must leave our code at once and reach the program as often as they were raised, and the
watching goes on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType

from benchmarks.faults.entries import Follower
from benchmarks.faults.throwing import RECORD, child, unload_torch
from harness.forking import Interpreter

PROGRAM = Path(__file__).with_name("interrupted.py")
RAISED = "raised.json"
SIGNALS = {"SIGALRM": "the program's Timeout", "SIGINT": "KeyboardInterrupt"}


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What became of a program that was interrupted in `raised`, functions of ours.

    `caught` is how often the exception reached it, `failures` what is said to have failed, `steps`
    how many were seen.
    """

    status: int | None
    raised: tuple[str, ...]
    caught: int
    failures: tuple[str, ...]
    errors: str
    steps: int


class Interrupter(Follower):
    """Interrupts every function of ours, once where it begins and once where it ends.

    At most once between `arm` and `disarm`.
    """

    in_c = False

    def __init__(self, program: str, number: int) -> None:
        super().__init__(program)
        self._begun = True
        self._number = number
        self._armed = False
        self._seen: set[tuple[str, int]] = set()
        self.raised: list[str] = []

    def arm(self) -> None:
        """May interrupt from now on."""
        self._armed = True
        sys.setprofile(self._event)  # the interpreter ended it at the last exception

    def disarm(self) -> None:
        """Interrupts no more."""
        self._armed = False
        sys.setprofile(None)

    def called(self, frame: FrameType) -> None:
        """Interrupts where a function begins."""
        self._interrupt("begin", frame)

    def left(self, frame: FrameType) -> None:
        """Interrupts where a function ends."""
        self._interrupt("end", frame)

    def _interrupt(self, phase: str, frame: FrameType) -> None:
        key = (phase, id(frame.f_code))
        if not self._armed or key in self._seen:
            return
        self._seen.add(key)
        self._armed = False
        self.raised.append(f"{phase} of {self._kind(frame)[1]}")
        handler = signal.getsignal(self._number)
        assert callable(handler)
        handler(self._number, frame)  # as the interpreter does between two instructions


def prepare(program: str, name: str) -> Callable[[], object]:
    """Called in a fork of the interpreter."""
    import atexit

    import torch

    torch.set_num_threads(1)
    interrupter = Interrupter(program, getattr(signal, name))
    stage = ModuleType("stage")
    stage.__dict__.update(arm=interrupter.arm, disarm=interrupter.disarm)
    sys.modules["stage"] = stage
    raised = os.path.abspath(RAISED)
    atexit.register(lambda: Path(raised).write_text(json.dumps(interrupter.raised)))
    unload_torch()
    return child(program, Path(RECORD).resolve())


def run(interpreter: Interpreter, folder: Path, name: str) -> Interrupted:
    """Runs the program, interrupted by the handler of the signal `name`."""
    from unstuck import read_record

    ended = interpreter.run(
        folder, f"{__name__}:prepare", {"program": str(PROGRAM), "name": name})
    record = read_record(folder / RECORD)
    words = (folder / "out").read_text().split()
    return Interrupted(
        ended.status, tuple(json.loads((folder / RAISED).read_text())),
        int(words[1]) if words else -1,
        tuple(odd.says for odd in record.oddities if odd.what == "watcher-failed"),
        (folder / "err").read_text(), record.steps)
