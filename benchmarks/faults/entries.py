"""Where torch and the interpreter enter our code: found by following a run, not by a list.

An *entry* is a function of ours that is called from a frame that is not ours: a stand-in for a
function of torch, a hook, an excepthook, what is called at a fork, at the exit or when an object
dies. A *point* is an entry with the first function of ours beneath it, past the border: what is
raised there, the entry must keep to itself. An entry that calls no function of ours has one point
all the same: the first function of C that it calls.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from harness.apart import PACKAGE

# The border itself: what it calls is beneath it. Before torch is there, the child has its own.
BORDER = (
    "observe/guard.py:", "observe/program.py:Child._start",
    "observe/program.py:Child._mark", "observe/program.py:Child._finish_if_alone",
    "observe/program.py:Child.finish",
    "observe/program.py:Parent.",
)
# These belong to what calls them: they compare and look up, and there is nothing that can fail.
TRIVIAL = (
    "observe/calls.py:Calls.elsewhere", "observe/recursion.py:Headroom.take_back",
    "observe/stop.py:Stop.", "observe/program.py:TorchFinder.",
    "observe/program.py:Child.forget",
    "observe/program.py:_without_our_frames", "observe/swap.py:uncompiled.",
)
_HERE = str(Path(__file__).parent)
_THEIRS, _OURS, _BORDER, _TRIVIAL = range(4)


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """An entry, and the function of ours that it calls; empty if it calls none."""

    entry: str
    inside: str

    def __str__(self) -> str:
        return f"{self.entry} → {self.inside or '(C)'}"


class Follower:
    """Follows the calls of this process from the first line of `program` on.

    A method of a subclass may raise: the exception then arises in the frame that it was told of,
    and leaves no trace of this class. After that, the interpreter has ended the following.
    """

    in_c = True  # whether calls of C are followed as well

    def __init__(self, program: str) -> None:
        self._program = program
        self._begun = False
        self._finalizing = sys.is_finalizing
        self._kinds: dict[int, tuple[int, str, CodeType]] = {}

    def start(self) -> None:
        """Follows this thread and those that it starts."""
        threading.setprofile(self._event)
        sys.setprofile(self._event)

    # What subclasses look at --------------------------------------------------------------------
    def entered(self, entry: str) -> None:
        """An entry is called."""

    def reached(self, point: Point, frame: FrameType) -> None:
        """A point is called, and has not done anything yet."""

    def called(self, frame: FrameType) -> None:
        """Any function of ours is called; told after `reached`."""

    def left(self, frame: FrameType) -> None:
        """A function of ours has done everything."""

    # Following ----------------------------------------------------------------------------------
    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if (event[1] == "_" and not self.in_c) or self._finalizing():
            return
        try:
            kind, name = self._kind(frame)
            if not self._begun:
                self._begun = frame.f_code.co_filename == self._program
            elif not kind:
                return
            elif event == "call":
                if kind == _OURS:
                    self._call(frame, name)
                self.called(frame)
            elif event == "return":
                self.left(frame)
            elif event == "c_call" and kind == _OURS and self._is_entry(frame):
                self.reached(Point(name, ""), frame)
        except BaseException as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
                trace = trace.tb_next
            error.__traceback__ = trace
            raise  # adds no frame, other than `raise error`

    def _call(self, frame: FrameType, name: str) -> None:
        caller = frame.f_back
        kind, entry = self._kind(caller)
        bordered = False
        while caller is not None and kind in (_BORDER, _TRIVIAL):
            bordered = bordered or kind == _BORDER
            above = caller
            caller = caller.f_back
            kind, entry = self._kind(caller)
        if kind:
            assert caller is not None
            if bordered or self._is_entry(caller):
                self.reached(Point(entry, name), frame)
        elif bordered:
            entry = self._kind(above)[1]
            self.entered(entry)
            self.reached(Point(entry, name), frame)
        else:
            self.entered(name)

    def _is_entry(self, frame: FrameType) -> bool:
        caller = frame.f_back
        while caller is not None and self._kind(caller)[0] == _TRIVIAL:
            caller = caller.f_back
        return not self._kind(caller)[0]

    def _kind(self, frame: FrameType | None) -> tuple[int, str]:
        if frame is None:
            return _THEIRS, ""
        code = frame.f_code
        known = self._kinds.get(id(code))
        if known is None:
            known = self._kinds[id(code)] = (*_kind_of(code), code)
        return known[:2]


def _kind_of(code: CodeType) -> tuple[int, str]:
    file = code.co_filename
    if not file.startswith(f"{PACKAGE}/"):
        return _THEIRS, ""
    file = file.removeprefix(f"{PACKAGE}/")
    name = code.co_qualname
    full = f"{file}:{name}"
    if full.startswith(BORDER):
        return _BORDER, full
    # What a function makes, an excepthook for instance, is not trivial with it.
    own = full.startswith(TRIVIAL) and ("<locals>" not in name or "uncompiled" in name)
    return _TRIVIAL if own else _OURS, full


class Walk(Follower):
    """Finds entries and points, with how often each is reached.

    What forked processes reach is found, too, but not counted.
    """

    def __init__(self, program: str, file: Path) -> None:
        super().__init__(program)
        self._file = file.absolute()
        self._entries: Counter[str] = Counter()
        self._points: Counter[Point] = Counter()
        atexit.register(self._write)

    def entered(self, entry: str) -> None:
        """Counts it."""
        self._entries[entry] += 1
        if self._entries[entry] == 1:
            self._append([entry, 1])

    def reached(self, point: Point, frame: FrameType) -> None:
        """Counts it."""
        self._points[point] += 1
        if self._points[point] == 1:
            self._append([point.entry, point.inside, 1])

    def _write(self) -> None:
        for entry, count in self._entries.items():
            self._append([entry, count])
        for point, count in self._points.items():
            self._append([point.entry, point.inside, count])

    def _append(self, row: list[Any]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(row) + "\n")


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk has found: points with how often each was reached, entries without a point."""

    points: dict[Point, int]
    uncovered: tuple[str, ...]

    @classmethod
    def read(cls, file: Path) -> Walked:
        """Reads what a walk has written. Points in C count only where an entry has no other."""
        entries: set[str] = set()
        points: dict[Point, int] = {}
        for line in file.read_text().splitlines():
            *names, count = json.loads(line)
            if len(names) == 1:
                entries.add(names[0])
            else:
                points[Point(*names)] = count
        deep = {point.entry for point in points if point.inside}
        return cls(
            {point: count for point, count in sorted(points.items())
             if point.inside or point.entry not in deep},
            # A module that is imported may hold nothing but definitions, where nothing can fail.
            tuple(sorted(entry for entry in entries - {point.entry for point in points}
                         if not entry.endswith(":<module>"))))
