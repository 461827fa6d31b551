"""The run as a whole: the program or the log, how it ended, its first non-finite number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Program(Fact):
    """The watched program and its environment: arguments, versions, platform, devices."""

    of_process: ClassVar[bool] = True

    argv: tuple[str, ...]
    python: str
    torch: str
    platform: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log(Fact):
    """Curves that another tool wrote: all that is known about a run that was not watched.

    `unit` is what a step of its series counts: "step", "epoch", or "row" of the file.
    """

    file: str
    format: str
    train: str  # columns, as they were named
    held_out: str | None
    axis: str
    unit: str
    rows: int
    higher_is_better: bool = False  # the series then hold what is missing to the best
    metrics_higher: tuple[str, ...] = ()  # columns of other metrics of which more is better
    best: float | None = None  # value of a score, if it is known; else they hold negated scores
    score: str | None = None  # the metric that says how good the network is, if there is one
    score_best: float = 1.0  # of a rate of errors, the worst that it can be
    of_held_out: bool = False  # no column is of training data: `train` names one of held-out data
    counts_errors: bool = False  # the score is a rate of errors, of which the best is 0
    held_metrics: tuple[str, ...] = ()  # those of the metrics that are of held-out data


@dataclass(frozen=True, slots=True)
class Duration(Fact):
    """How long the process took, in seconds: up to the end of its first step, and from there on."""

    of_process: ClassVar[bool] = True

    before: float  # from the import of torch: data, models, the first batch
    training: float


class NonFiniteStage(StrEnum):
    """Where the first non-finite number of a run was found."""

    PARAMETER = "parameter"  # the last update made a weight non-finite
    INPUT = "input"  # the data held it
    TARGET = "target"  # the targets held it
    OPERATION = "operation"  # an operation of the forward made it
    EMPTY = "empty"  # there were no numbers to take the mean of
    GRADIENT = "gradient"  # a finite loss had a non-finite gradient
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NonFinite(Fact):
    """The first NaN or infinity of a run: the step, the place, and the operation that made it."""

    step: int
    stage: NonFiniteStage
    operation: str | None
    layer: str | None
    location: SourceLocation | None
    detail: str
    model_input_finite: bool | None = None  # None if it was not at hand


class EndKind(StrEnum):
    """How the watching ended."""

    FINISHED = "finished"  # the program ran to its end, or sys.exit(0)
    EXCEPTION = "exception"  # an uncaught exception
    EXIT = "exit"  # a status other than 0
    INTERRUPTED = "interrupted"  # Ctrl-C
    STOPPED = "stopped"  # by --max-steps
    KILLED = "killed"  # the program could not record its end: a signal, os._exit, out of memory


@dataclass(frozen=True, slots=True)
class End(Fact):
    """How the run ended. `message` is the exception's first line, `location` its place."""

    kind: EndKind
    status: int = 0
    exception: str | None = None
    message: str | None = None
    location: SourceLocation | None = None
    max_steps: int | None = None
