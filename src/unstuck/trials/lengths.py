"""How long trials are: what one costs, and in how many steps a failure of the program shows.

A program of minutes is tried in its first steps only: control and treated are compared after as
many, the first at which the diagnosis of the control names what was found in the whole run. What
fails late is tried from a state that the run kept before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unstuck.measures.basics import failed, learned_little
from unstuck.record.reader import Record
from unstuck.repair.index import Index
from unstuck.schema.facts.run import Duration, EndKind
from unstuck.schema.findings import Diagnosis, Price, TrialResult
from unstuck.trials.peel import MOST_ROUNDS, Repair, repair
from unstuck.trials.plan import Plan
from unstuck.trials.race import FRESH, Race
from unstuck.trials.trial import Ended, Trial
from unstuck.trials.verdict import Run
from unstuck.trials.yardstick import measure
from unstuck.words import count, number

FEWEST = 200  # steps of a prefix; of half as many no trend is called, and sampling is sparse
BEYOND = 2.0  # times the step at which the failure begins
LONGER = 3  # times as long is the next prefix
MOST = 0.5  # of the program: a prefix that is longer saves nothing
CONFIRMING = 2 * len(FRESH)  # runs on fresh seeds
ONE_CHANGE = 1 + CONFIRMING  # the fewest trials that prove anything
ONE_LOOK = 3  # the fewest that show whether a change helps: nothing is proven
SHARE = 0.5  # of the budget, that trials of a program of unknown length may take


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a run: `before` its second step, and for `each` of its `steps`."""

    before: float
    each: float
    steps: int

    def seconds(self, steps: int | None = None) -> float:
        """Of so many steps, by default of all."""
        return self.before + self.each * (self.steps if steps is None else steps)

    def affords(self, seconds: float) -> int:
        """How many steps fit."""
        return int(max(seconds - self.before, 0.0) / max(self.each, 1e-9))


def cost_of(record: Record) -> Cost | None:
    """What the recorded run took; None if no clock was asked, or there was no second step."""
    took, steps = record.fact(Duration), record.last.begun + record.last.steps
    if took is None or steps < 2 or not (
            0 <= took.before < math.inf and 0 < took.training < math.inf):
        return None
    return Cost(took.before, took.training / (steps - 1), steps)


@dataclass(slots=True)
class Lengths:
    """Chooses how many steps trials have, so that a budget can decide something.

    `whole` is the diagnosis of the recorded run, `first` the first prefix; None if the budget has
    room for the program's whole length. `steps` are those of the program, as far as they are known.
    `states` are those that the run kept: after how many steps, and the files.
    """

    race: Race
    record: Record
    whole: Diagnosis
    cost: Cost | None
    states: Sequence[tuple[int, Path]] = ()
    first: int | None = None
    steps: int | None = None
    short: bool = False  # there was no time for the shortest prefix that shows anything
    tried: list[tuple[int, int]] = field(default_factory=list)  # where begun, and how many steps

    def __post_init__(self) -> None:
        if self.cost is None:
            return
        room = self.race.clock.seconds * self.race.jobs
        if self.record.last.end.kind in (EndKind.STOPPED, EndKind.INTERRUPTED):
            # Where it would have ended is not known.
            able = self.cost.affords(SHARE * room / ONE_CHANGE)
            self.cost = replace(self.cost, steps=max(self.cost.steps, FEWEST, able))
            self.steps = self.cost.steps
        if ONE_CHANGE * self.cost.seconds() > room:
            self.first = self._shortest(0)
            if not list(self.prefixes()) and not list(self._beginnings())[1:] and (
                    self.cost.seconds() <= room):
                self.first = None  # some of it can be tried, if nothing confirmed

    def _since(self) -> int:
        """The step of the process at which the recorded run began to fail."""
        begun = self.record.trainings[self.whole.training].begun
        shown = [each.since_step for each in self.whole.counted()[:1]]
        if failed(self.whole.outcome):
            shown.append(self.whole.outcome.since_step)
        return begun + max(shown, default=0)

    def _shortest(self, begun: int) -> int:
        """How many steps from there show the failure, if any do."""
        return int(max(FEWEST, BEYOND * (self._since() - begun)))

    def prefixes(self, begun: int = 0) -> Iterator[int]:
        """Lengths that are worth a try from a step on, the shortest first."""
        assert self.cost is not None
        steps = self._shortest(begun)
        while steps <= MOST * self.cost.steps:
            if (begun, steps) not in self.tried:
                yield steps
            steps *= LONGER

    def _beginnings(self) -> Iterator[tuple[int, Path | None]]:
        """Where trials may begin: as the program does, or with a state from before its failure."""
        yield 0, None
        for step, file in reversed(self.states):
            if step <= self._since():
                yield step, file

    def control(self) -> Run | None:
        """The program as it is, up to the next step by which its failure shows.

        None if there is none for which there is time. Of a program that is short enough, its whole.
        """
        if self.first is None:
            self.race.shorten(self.steps)
            return self.race.control()
        run = self._prefix(1 + ONE_CHANGE) or self._prefix(ONE_LOOK)
        self.short = run is None
        return run

    def _prefix(self, trials: int) -> Run | None:
        """The control of the next prefix by which the failure shows and that has time for so many
        trials."""
        assert self.cost is not None
        for begun, state in self._beginnings():
            for steps in self.prefixes(begun):
                left = self.race.clock.left * self.race.jobs
                if trials * self.cost.seconds(steps) > left:
                    break
                self.tried.append((begun, steps))
                self.race.shorten(steps, state)
                run = self.race.control()
                if run.ended.crashed or run.ended.no_view is not None or self.shows(run):
                    return run
        return None

    def shows(self, run: Run) -> bool:
        """Whether a shorter run shows what the whole one did: its first cause, and its failure."""
        if run.diagnosis is None:
            return False
        first = [each.cause for each in self.whole.counted()[:1]]
        found = {each.cause for each in run.diagnosis.counted()}
        little = learned_little(self.whole.outcome)
        return bool(first or little) and found.issuperset(first) and (
            not little or learned_little(run.diagnosis.outcome))

    def recorded(self) -> Run:
        """The recorded run, where no trial could be made of it."""
        ended = Ended(Trial(), 0, None, False, None, "", 0.0, 0.0)
        record = self.record.trainings[self.whole.training]
        return Run(ended, record, self.whole, measure(record, self.whole.outcome))

    # What it costs -------------------------------------------------------------------------------
    def price(self, made: Plan) -> Price | None:
        """What the trials of a plan take, at the length that was chosen and at full length."""
        first = [each for each in made.candidates if each.first and not each.place[-1]]
        if not first or (self.cost is None and not self.race.length):
            return None
        jobs = self.race.jobs
        begun, short = self.tried[-1] if self.tried else (0, self.first)
        trials = CONFIRMING + sum(each.cost for each in first if short is None or each.cost <= 1)
        whole = CONFIRMING + sum(each.cost for each in first)
        if self.cost is None:
            steps, length, trial = self.record.steps, self.race.length, self.race.length
        else:
            steps, length = self.cost.steps, self.cost.seconds()
            trial = self.race.length or self.cost.seconds(short)
        return Price(
            len(first), steps, length, short or steps, trial, trials, trials * trial / jobs,
            whole * (trial if short is None else length) / jobs, begun)


def repaired(lengths: Lengths, control: Run, index: Index, first: Plan, price: Price | None,
             rounds: int = MOST_ROUNDS) -> Repair:
    """Tries changes at the length that was chosen; where nothing is proven, at longer ones."""
    if lengths.short:
        return Repair(control, control, index, plans=[first], whole=lengths.whole, price=price)
    found = repair(lengths.race, control, index, first, rounds)
    while lengths.first is not None and not found.proven:
        longer = lengths.control()
        if longer is None or longer.ended.crashed:
            break
        again = repair(lengths.race, longer, index, rounds=rounds)
        if again.kept or not found.kept:
            found = again
    found.price = price
    if lengths.first is not None:
        assert found.control.record is not None
        found.whole, found.price = lengths.whole, price and replace(
            price, trial_steps=found.control.record.steps, begun=lengths.tried[-1][0])
    return found


def undecided(price: Price) -> str:
    """A clause: what a budget that was too small leaves open, and which one would not."""
    needs = f"needs --budget {duration(price.budget)}"
    if price.trial_steps < price.steps:
        needs += f", and {duration(price.seconds)} in the {stretch(price)}"
    return (f"one run of the program takes about {duration(price.control)}, so trying "
            f"{count(price.changes, 'change')} over its whole length {needs}")


def stretch(price: Price) -> str:
    """In which of its steps a program is tried: behind "in the"."""
    if price.begun:
        return (f"{count(price.trial_steps, 'step')} from the state that was kept after "
                f"{count(price.begun, 'step')}")
    return f"first {count(price.trial_steps, 'step')}"


def duration(seconds: float) -> str:
    """A length of time as --budget takes it, rounded up: 45s, 15m, 3h."""
    for unit, size in (("s", 1), ("m", 60), ("h", 3600)):
        if seconds <= 99 * size or unit == "h":
            return f"{number(max(-(-seconds // size), 1))}{unit}"
    raise AssertionError


def unproven(price: Price, seconds: float) -> TrialResult:
    """The result of a change for which the budget was too small."""
    return TrialResult("unproven", (), (), (), (), seconds, "", f"not proven: {undecided(price)}")
