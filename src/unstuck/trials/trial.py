"""What is tried, within which limits, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unstuck.questions.question import Answer


@dataclass(frozen=True, slots=True)
class Subject:
    """The program that is tried: how it is started, where, and what it is told on its input.

    `folder` is that of its script or top package. `libraries` are modules to load beforehand, none
    of them the user's.
    """

    target: tuple[str, ...]
    working_folder: str
    folder: str
    answers: tuple[str, ...] | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may use: seconds, bytes, the network, a terminal.

    `copy` does without the kernel's view.
    """

    seconds: float = 600.0
    memory: int | None = None
    network: bool = False
    copy: bool = False
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the program: with these texts over its own, all seeds moved by `shift`.

    It is ended after so many `seconds`, those of the laboratory's limits if None. With `ask` it is
    not watched, but asked questions at its first steps, where it ends: no more after `budget`
    seconds. `state` is a file with a state of the training, from which it goes on.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    shift: int = 0
    max_steps: int | None = None
    seconds: float | None = None
    ask: bool = False
    budget: float = 60.0
    state: Path | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trial ended: the program's status or signal, or that it was ended for taking too long.

    `record` is the folder of what was watched, None if nothing was. `no_view` says why nothing was
    run. `processor` are the seconds of processor time.
    """

    trial: Trial
    status: int | None
    signal: int | None
    hung: bool
    record: Path | None
    output: str
    seconds: float
    processor: float
    no_view: str | None = None
    copied: bool = False
    answers: tuple[Answer, ...] = ()
    cancelled: bool = False

    @property
    def crashed(self) -> bool:
        """Whether it ended in any other way than by itself, with status 0."""
        return self.hung or self.cancelled or self.signal is not None or bool(self.status)
