"""One watching of one process: its parts put together, its beginning and its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from unstuck.observe import failure, hooks, probes
from unstuck.observe.bare.calls import BareModel
from unstuck.observe.calls import Calls
from unstuck.observe.events import Dispatch, Listener
from unstuck.observe.fast_path import FastPath
from unstuck.observe.guard import Guard, weakly
from unstuck.observe.hooks.taps import Taps
from unstuck.observe.kept import Keeper, Restorer
from unstuck.observe.later import Later
from unstuck.observe.limits import Limits
from unstuck.observe.moment import Moment
from unstuck.observe.probe import Context
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.sampling import Budget, Sampling
from unstuck.observe.source.naming import Names
from unstuck.observe.source.sites import Sites
from unstuck.observe.steps import Steps
from unstuck.observe.stop import Stop
from unstuck.observe.switches import Switches
from unstuck.observe.trainings import Training, Trainings
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.run import Duration, End, EndKind


class Watcher:
    """Watches from `start` to `finish`.

    Args:
        writer: of the record.
        sites: of the program.
        overhead: the share of the run's time that sampling may cost; from 1 on no clock is asked.
        max_steps: after which the training is stopped.
        signals: names of those that are wanted; None for all.
        keep: the folder in which the state of the first training is kept, None if it is not to be.
        restore: the file with a state from which that training is to go on.

    `say` is told, in a sentence, why the watching has ended early.
    """

    def __init__(
        self, writer: RecordWriter, sites: Sites, overhead: float, max_steps: int | None,
        signals: Collection[str] | None = None, keep: Path | None = None,
        restore: Path | None = None,
    ) -> None:
        self.writer = writer
        self.say: Callable[[str], object] | None = None
        self.moment = Moment()
        self._failed = False
        self._guard = Guard(self.failed, self._recover)
        limits = Limits(writer, self.moment)
        self._overhead, self._signals = overhead, signals
        calls, switches = Calls(), Switches(self._guard, self.moment)
        context = Context(
            writer, Names(sites), sites, self._guard, self.moment, limits, overhead < 1,
            Later(writer))
        self.stop = Stop(max_steps, self._stopping, lambda: self.finish(End(EndKind.STOPPED)))
        self._steps = Steps(
            self.moment, switches, context.names, limits, self.stop, writer)
        self._fast_path = FastPath(context, self._steps, switches, calls, self.stop)
        first = self._training(
            0, 0, context, [Restorer(restore)] if restore else [],
            [Keeper(keep, limits, context.timed)] if keep else [])
        self._took = first.sampling.budget.took
        self._trainings = Trainings(
            first, self._next_training, self._turn, self.moment, limits, writer)
        self._steps.watch(self._trainings)
        self._taps = Taps(
            self._guard, self._steps, self._fast_path, switches, calls, context.names, limits)

    @property
    def context(self) -> Context:
        """What the probes of the training under way were given."""
        return self._trainings.now.context

    def _training(
        self, number: int, begun: int, context: Context, before: Sequence[Listener] = (),
        after: Sequence[Listener] = (),
    ) -> Training:
        events = Dispatch()
        events.subscribe(
            *before, *context.probes(probes.kinds(), self._signals), self._fast_path, *after)
        bare = BareModel(
            context, events, context.probe(SampleProbe).quiet_until,
            context.probe(ParameterProbe).held, context.probe(FiniteProbe).called_at)
        return Training(number, begun, context, events, Sampling(Budget(self._overhead)), bare)

    def _next_training(self, number: int, begun: int, before: Training) -> Training:
        training = self._training(number, begun, before.context.anew())
        training.context.follow(before.context)
        return training

    def _turn(self, training: Training) -> None:
        self._fast_path.watch(training.context)
        self._steps.turn(training)
        self.stop.training_begins(training.begun)

    def start(self) -> None:
        """Installs the hooks; the first steps are sampled."""
        hooks.install(self._taps)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=weakly(self._in_forked_child))

    def _in_forked_child(self) -> None:
        """There nothing is watched and nothing written."""
        self._taps.remove()
        self.writer.abandon()

    def failed(self, error: Exception) -> None:
        """Ends the watching after an error of ours; the program goes on as if alone."""
        if self._failed:
            return
        self._failed = True
        self.remove()
        failure.tell(error, self.moment.step, self.writer, self.say)

    def _recover(self) -> None:
        self._steps.leave_halfway()

    def _stopping(self) -> None:
        self._guard.tell(self._steps.events.stopping)
        self._guard.tell(self.writer.flush)

    def remove(self) -> None:
        """Takes every hook away; cannot fail."""
        self._guard.active = False
        with suppress(Exception):
            self._taps.remove()
            self._steps.end()

    def finish(self, end: End) -> None:
        """Removes the hooks, writes what is still held back and how the run ended."""
        self.remove()
        if self.stop.told and end.kind in (EndKind.FINISHED, EndKind.STOPPED):
            end = End(EndKind.STOPPED, max_steps=self.stop.max_steps)
        self._guard.active = not self._failed
        self.moment.over = True
        took = self._took()  # before the samples are judged
        self._guard.tell(self._trainings.end, end.kind)
        self._guard.active = False
        try:
            if took is not None:
                self.writer.fact(Duration(*took), self.moment.step)
            self.writer.end(end, self.moment.step)
            self.writer.close()
        except Exception as error:
            self.failed(error)
            with suppress(Exception):
                self.writer.abandon()
