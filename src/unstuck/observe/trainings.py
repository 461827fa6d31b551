"""The trainings of a process, one after the other: where each begins, and who watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from torch.optim.optimizer import Optimizer

from unstuck.observe.bare.calls import BareModel
from unstuck.observe.events import Dispatch
from unstuck.observe.limits import Limits
from unstuck.observe.lineage import Lineage
from unstuck.observe.moment import Moment
from unstuck.observe.probe import Context
from unstuck.observe.sampling import Sampling
from unstuck.observe.tensors import held_by, is_plain
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.optimizers import StartedOver
from unstuck.schema.facts.run import End, EndKind

MOST = 32  # trainings of a process that are watched
MOST_PARKED = 1  # those before the one under way that may yet go on,
MOST_SHORT = 4  # and besides so many if they had few steps: each holds samples
MOST_VOID = 2  # trainings that turned out to be part of another: then only sure ones count
# So many trainings in a row of fewer steps, of copies of a network, are inner loops of one.
MANY, SHORT = 8, 20
_PLAIN = (int, float, bool, str)  # settings that are compared


@dataclass(slots=True)
class Training:
    """A training with those who watch it. `begun` is the number of steps before it.

    `bare` tells them of a model that is no module; `step` is that of the moment when it was left.
    """

    number: int
    begun: int
    context: Context
    events: Dispatch
    sampling: Sampling
    bare: BareModel
    step: int = 0

    def finish(self, whole: bool, kind: EndKind) -> None:
        """Tells of the end, and has everything read that is still to be known."""
        later, events = self.context.later, self.events
        later.settle()
        events.training_ended(whole)
        events.evaluation_ended()
        later.settle()
        events.finished(kind)
        later.settle()


def _likeness(optimizer: Optimizer) -> tuple[object, ...]:
    """By what an optimizer is told to do the same as another, for a model of the same shape."""
    settings = getattr(optimizer, "defaults", {})
    known = [(name, value) for name, value in settings.items() if type(value) in _PLAIN or (
        type(value) is tuple and all(type(each) in _PLAIN for each in value))]
    return type(optimizer), known, [
        tuple(each.shape) for each in held_by(optimizer) if is_plain(each)]


class Trainings:
    """Begins a training where an optimizer of fresh parameters is built after others have stepped.

    From then on steps are counted from 0, and probes of its own look at it. The training before
    waits: if one of its optimizers steps again, it goes on, and the other was none.

    Args:
        first: the training with which the process begins.
        make: a training with this number, after so many steps, that follows another.
        turn: called when another training is under way.
    """

    def __init__(
        self, first: Training, make: Callable[[int, int, Training], Training],
        turn: Callable[[Training], None], moment: Moment, limits: Limits, writer: RecordWriter,
    ) -> None:
        self.now = first
        self._make = make
        self._turn = turn
        self._moment = moment
        self._limits = limits
        self._writer = writer
        self._lineage = Lineage()
        self._parked: list[Training] = []
        self._ended: list[int] = []  # numbers of those that are over
        self._count = 1  # of those begun
        self._voids = 0
        self._short = 0  # trainings in a row, up to now, that may be inner loops
        self._all_seen = False  # what comes now is the last
        self._likeness: object = None  # of the optimizer that was built last
        self._times = 0  # trainings in a row, up to now, that are alike,
        self._life = 0  # with so many steps each

    @property
    def steps(self) -> int:
        """Steps of the process so far."""
        return self.now.begun + self._moment.step

    # What the program does ----------------------------------------------------------------------
    def filled(self, tensor: Any) -> None:
        """A function of `torch.nn.init` has filled a tensor."""
        self._lineage.filled(tensor)

    def built(self, optimizer: Optimizer) -> None:
        """An optimizer was constructed, between two steps: a training may begin."""
        likeness = _likeness(optimizer)
        if self._begins(optimizer):
            again = self._moment.step == self._life
            self._life = self._moment.step
            self._times = 0 if likeness != self._likeness else self._times + 1 if again else 1
            self._begin(self._lineage.is_derived(optimizer, self.now.context.names))
            if self._times:
                self._writer.fact(
                    StartedOver(type(optimizer).__name__, self._times, self._life), 0)
        self._likeness = likeness
        self._lineage.built(optimizer, self.now.number)

    def before_first_step(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step for the first time in the training under way."""
        if not self._moment.step:
            self._lineage.before_first_step(optimizer, self.now.context.names)

    def stepped(self, optimizer: Optimizer) -> bool:
        """An optimizer has stepped for the first time in the training under way.

        Says whether a training that waited goes on now.
        """
        number = self._lineage.stepped(optimizer, self.now.number)
        if number == self.now.number:
            return False
        self._voids += 1
        for waiting in self._parked:
            if waiting.number == number:
                self._go_on(waiting)
                return True
        self._lineage.joins(optimizer, self.now.number)
        return False

    def nested(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped within the step of another."""
        self._lineage.stepped(optimizer, self.now.number)

    def _begins(self, optimizer: Optimizer) -> bool:
        if not self._moment.step or self._all_seen or self._lineage.waits():
            return False
        before = {self.now.number, *(training.number for training in self._parked)}
        if self._voids >= MOST_VOID and self._lineage.may_step(before):
            return False
        return self._lineage.is_fresh(optimizer, self.now.context.names)

    # Turns --------------------------------------------------------------------------------------
    def _begin(self, derived: bool) -> None:
        before = self.now
        before.step = self._moment.step
        self._short = self._short + 1 if derived and before.step < SHORT else 0
        training = self._make(self._count, before.begun + before.step, before)
        self._count += 1
        self._writer.training(training.number, training.begun)
        self._enter(training)
        self._parked.append(before)
        if self._short >= MANY:
            self._writer.no_training(*self._ended, *(t.number for t in self._parked))
            self._parked, self._ended, self._all_seen = [], [], True
        elif self._count > MOST:
            self._all_seen = True
            self._writer.no_training(training.number)
            self._limits.note(
                f"the program trained more than {MOST} times, and only the first {MOST} trainings "
                "were measured")
        few = before.step < SHORT and all(t.step < SHORT for t in self._parked)
        while len(self._parked) > (MOST_SHORT if few else MOST_PARKED) or (
            self._parked and not self._lineage.may_step({t.number for t in self._parked})
        ):
            self._end(self._parked.pop(0))

    def _go_on(self, training: Training) -> None:
        """What came since was a part of this one; it counts as steps that nobody looked at."""
        later = [t for t in self._parked if t.number > training.number]
        self._writer.training(training.number, training.begun)
        self._writer.no_training(self.now.number, *(t.number for t in later))
        training.step = self.steps - training.begun
        self._parked = [t for t in self._parked if t.number < training.number]
        self._enter(training)
        training.events.left_halfway()

    def _enter(self, training: Training) -> None:
        self.now = training
        self._moment.step = training.step
        self._turn(training)

    # The end ------------------------------------------------------------------------------------
    def _end(self, training: Training, kind: EndKind = EndKind.FINISHED) -> None:
        """Writes what is still held back of a training that is over."""
        with self._as_if_in(training):
            training.finish(True, kind)
            self._writer.fact(End(kind), training.step)
            self._writer.training_over()
        self._ended.append(training.number)

    @contextmanager
    def _as_if_in(self, training: Training) -> Iterator[None]:
        """The moment when a training was left, for those who watched it."""
        moment, before = self._moment, replace(self._moment)
        moment.step, moment.sampled, moment.backwards = training.step, False, 0
        self._writer.training(training.number, training.begun)
        try:
            yield
        finally:
            for field in fields(Moment):
                setattr(moment, field.name, getattr(before, field.name))
            self._writer.training(self.now.number, self.now.begun)

    def end(self, kind: EndKind) -> None:
        """The watching is over, which ended like this: so does the training that is under way."""
        begun = self.now
        if not self._moment.step and kind is not EndKind.EXCEPTION and self._parked:
            self._go_on(self._parked[-1])  # the other never came to be
        elif not self._moment.step and kind is not EndKind.EXCEPTION and self._ended:
            self._writer.no_training(begun.number)
        interrupted = EndKind.INTERRUPTED if kind is EndKind.INTERRUPTED else EndKind.FINISHED
        for training in self._parked:
            self._end(training, interrupted)
        self._parked = []
        self.now.finish(kind is EndKind.FINISHED, kind)
