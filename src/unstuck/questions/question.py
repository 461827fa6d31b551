"""What a question is made of: what it asks of a program's first steps, and how it is answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from unstuck.schema.findings import Severity
from unstuck.schema.places import SourceLocation


class Verdict(StrEnum):
    """How a program fared."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    `says` is a sentence without its full stop; of what is unknown a clause that reads well after
    "because". `value` is the number that decided, `bound` the limit that it was compared with.
    """

    question: str
    verdict: Verdict
    says: str
    value: float | None = None
    bound: float | None = None
    location: SourceLocation | None = None
    severity: Severity = Severity.ERROR


class CannotAsk(Exception):
    """The question has no answer for this program; the message is a clause after "because"."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value within the network: what can be read from it, and where it is made.

    `skill` is how well a simple model reads the target from it, from 0 (not at all) to 1; NaN where
    it has no axis of samples. `spread` is how far samples differ in it, relative to its size.
    `parents` are places in the list of readings. `trained` says that parameters helped to make it.
    """

    name: str
    skill: float
    spread: float
    parents: tuple[int, ...]
    location: SourceLocation | None
    trained: bool = False


@dataclass(frozen=True, slots=True)
class Mixed:
    """An operation behind which a sample depends on others. `known` says that it means to."""

    name: str
    share: float
    known: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Unreached:
    """A parameter that never got a gradient, with the operation that cuts it off, if there is one.

    `used` says whether the loss depends on it at all, `alone` whether all others of its layer got
    one.
    """

    name: str
    used: bool
    operation: str
    location: SourceLocation | None
    alone: bool = False


class Bench(Protocol):
    """What a question may ask for. Each is asked in a process of its own, so nothing is spoilt.

    Losses and outputs are those of the program's own step, computed again on its first batches.
    All raise CannotAsk.
    """

    @property
    def loss(self) -> str:
        """The function of torch that makes the loss, "" for a formula."""

    @property
    def place(self) -> SourceLocation | None:
        """Where the loss is made."""

    def first_loss(self) -> float:
        """What the loss function gives for each target of the first batch, before any update."""

    def can_be_guessed(self) -> bool:
        """Whether the loss is what guessing can be compared with: no weights, nothing smoothed."""

    def is_alone(self) -> bool:
        """Whether nothing is added to what the loss function gives."""

    def constant_loss(self) -> float:
        """The loss of the best constant guess for the first batch."""

    def expected_loss(self) -> float:
        """The loss of guessing all classes alike, or the constant zero."""

    def classes(self) -> int:
        """How many classes the loss has outputs for; 0 where the targets are numbers."""

    def is_pretrained(self) -> bool:
        """Whether weights came from a file, or were copied."""

    def memorise(self, rate: float | None, steps: int, seconds: float, shuffled: bool = False,
                 enough: float = -math.inf) -> Sequence[float]:
        """The losses of training on the first batch alone, without dropout and weight decay.

        `rate` is Adam's learning rate; None is the program's own optimizer as it is. With
        `shuffled` the samples of the batch have the targets of others. It ends early when losses
        stay below `enough`.
        """

    def rate(self) -> float:
        """The learning rate of the program's optimizer."""

    def rate_place(self) -> SourceLocation | None:
        """Where that optimizer is built."""

    def at_rate(self, factor: float, steps: int, seconds: float, reverse: bool
                ) -> Sequence[float]:
        """Losses of a training with the program's optimizer, at a multiple of its rate.

        From the first weights on, over all batches in turn, or in `reverse`.
        """

    def training(self) -> Sequence[float]:
        """The losses of the laboratory's own training, which has come before."""

    def blind(self) -> tuple[float, float]:
        """Losses with the true inputs, and with those of other samples, over all batches."""

    def readings(self) -> Sequence[Reading]:
        """What can be read from each value of the network, from the inputs to the output."""

    def spreads(self) -> Sequence[Reading]:
        """How far samples differ in each value, from the inputs to the output; without skills."""

    def mixed(self) -> Mixed | None:
        """The first operation that lets samples of a batch depend on each other, if any does."""

    def unreached(self) -> Sequence[Unreached]:
        """The parameters of the optimizers that never got a gradient."""

    def modes(self) -> tuple[float, float, bool]:
        """Losses in train and in eval mode; whether a layer of the model knows the difference."""

    def outputs_change(self) -> float:
        """How far outputs change with the inputs of other samples, relative to their size."""

    def held(self) -> int:
        """How many parameters the optimizers have."""

    def sizes(self) -> tuple[int, int, int]:
        """Different samples of the first batch, numbers of each, and numbers that are trained."""

    def ranges(self) -> tuple[float, float, float, float, str, SourceLocation | None]:
        """Lowest and highest the outputs can be, lowest and highest target, the last operation."""


LEAST_SPREAD = 3e-4  # samples that differ by less, relative to the values, are alike to a network


class Question:
    """One question. Subclasses in files of this package are found by themselves.

    `title` is what is true of a program that passes. `sources` say where the question comes from.
    `after` says that it is asked after the laboratory's own training. `needs` are questions that a
    program must not fail if this one is to mean anything; they are asked before it. `causes` are
    those that a failure speaks for, `names_place` says that its place is where the fault is.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    sources: ClassVar[tuple[str, ...]]
    after: ClassVar[bool] = False
    place_in_order: ClassVar[int] = 0
    needs: ClassVar[tuple[str, ...]] = ()
    causes: ClassVar[tuple[str, ...]] = ()
    names_place: ClassVar[bool] = False

    def prepare(self, bench: Bench) -> object:
        """What is to be known from before that training, as plain data; in a process of its own."""
        return None

    def ask(self, bench: Bench, before: object) -> Answer:
        """The answer.

        Raises:
            CannotAsk: there is none for this program.
        """
        raise NotImplementedError

    def passed(self, says: str, value: float | None = None, bound: float | None = None) -> Answer:
        """The answer that all is well."""
        return Answer(self.slug, Verdict.PASS, says, value, bound)

    def failed(
        self, says: str, value: float | None = None, bound: float | None = None,
        location: SourceLocation | None = None, severity: Severity = Severity.ERROR,
    ) -> Answer:
        """The answer that something is wrong."""
        return Answer(self.slug, Verdict.FAIL, says, value, bound, location, severity)

    def unknown(self, says: str, value: float | None = None) -> Answer:
        """The answer that it cannot be told."""
        return Answer(self.slug, Verdict.UNKNOWN, says, value)
