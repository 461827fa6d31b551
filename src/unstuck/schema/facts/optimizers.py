"""Optimizers, schedulers, and what is done to gradients before a step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation
from unstuck.torch_api import PEAKS


@dataclass(frozen=True, slots=True)
class Option:
    """An option of an optimizer. `value` is a literal of Python: "0.9", "(0.9, 0.999)", "True"."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group: how many of the optimizer's parameters are its own, and its options."""

    parameters: int
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Optimizer(Fact):
    """An optimizer and the names of the parameters registered with it ("?" if no model has one).

    Parameters come group after group. `options` are those that it was constructed with, all of
    them, `groups` their values in each group when the optimizer was first used.

    `rate_argument` is None where the program itself constructs the optimizer. Where a library does,
    it is the argument of the program's that is the learning rate, and `location` is the call with
    it; if that is not known it is "", and `location` is the call of the library.
    """

    name: str
    kind: str
    location: SourceLocation | None
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    parameters: tuple[str, ...]
    options: tuple[Option, ...] = ()
    groups: tuple[Group, ...] = ()
    rate_argument: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduler(Fact):
    """A learning rate scheduler, and the line of the program that calls its `step`.

    `length` is the number of its own steps that it is made for, or after which it changes the
    learning rate. `target` is the highest learning rate that it is meant to reach, as far as known.
    `mode` says whether a lower value is better ("min") or a higher one ("max"), where it watches
    one.
    """

    name: str
    kind: str
    optimizer: str | None
    location: SourceLocation | None
    call_location: SourceLocation | None
    length: int | None = None
    target: float | None = None
    mode: str | None = None


def sets_the_rate(schedulers: Iterable[Scheduler], optimizer: Optimizer) -> Scheduler | None:
    """The schedule whose peak an optimizer's learning rate is, whatever it was constructed with."""
    return next((each for each in schedulers if each.optimizer == optimizer.name
                 and each.kind in PEAKS and each.target is not None), None)


@dataclass(frozen=True, slots=True)
class Clipping(Fact):
    """A line of the program that clips gradients."""

    function: str
    location: SourceLocation | None
    limit: float


@dataclass(frozen=True, slots=True)
class Clearing(Fact):
    """A line that clears gradients after their backward pass and before the step that uses them."""

    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class StartedOver(Fact):
    """This training is like all of `times` trainings right before it, of `life` steps each.

    The same settings in an optimizer of the same kind, over fresh parameters of the same shapes.
    """

    name: str  # of the kind
    times: int
    life: int


@dataclass(frozen=True, slots=True)
class WrittenRate(Fact):
    """A statement of the program's own files that sets the learning rate of parameter groups."""

    location: SourceLocation


@dataclass(frozen=True, slots=True)
class Rebuilt(Fact):
    """A place that builds an optimizer again and again over the same parameters.

    `times` counts the optimizers, each but the last stepped `life` times (their median). `memory`
    is the number of steps that such an optimizer remembers, 0 if it remembers none. `annealed` says
    that something lowered or raised the learning rate of the one before. `loops` are those of the
    program that each construction is in, innermost first.
    """

    name: str  # of the first optimizer built there
    kind: str
    location: SourceLocation | None
    times: int
    life: int
    memory: int
    annealed: bool
    loops: tuple[SourceLocation, ...]
