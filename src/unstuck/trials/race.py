"""Carries out trials within a budget of time: screens changes, and confirms one on fresh seeds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unstuck.settings import Settings
from unstuck.trials.executor import Executor
from unstuck.trials.plan import Candidate, Plan
from unstuck.trials.trial import Ended, Trial
from unstuck.trials.verdict import Judgement, Run, TrialVerdict, judge, read
from unstuck.trials.yardstick import Spread, spread_of

FRESH = (1, 2)  # by which the seeds of a confirmation are moved
_PATIENCE = 5.0  # times as long as the control may a treated run take
_LEAST = 20.0  # seconds that every trial may take
_OUT = (TrialVerdict.NO_EFFECT, TrialVerdict.WORSE, TrialVerdict.REMOVED)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate, how it ran, and what that shows."""

    candidate: Candidate
    run: Run
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Control and treated runs on the same seeds; `cured` are the seeds on which it was cured."""

    seeds: tuple[int, ...]
    control: tuple[Run, ...]
    treated: tuple[Run, ...]
    judgements: tuple[Judgement, ...]

    @property
    def cured(self) -> int:
        """On how many seeds the change cured the program.

        That the fault is gone was measured on the first; a program that is healthy on another one
        need not have shown the fault there.
        """
        if self.judgements[0].verdict is not TrialVerdict.CURED:
            return 0
        return sum(
            judged.verdict is TrialVerdict.CURED
            or (judged.verdict is TrialVerdict.BETTER and run.healthy)
            for judged, run in zip(self.judgements, self.treated, strict=True))

    @property
    def holds(self) -> bool:
        """Whether it cured the program on all seeds."""
        return self.cured == len(self.seeds)


@dataclass(slots=True)
class Clock:
    """The time that is left of a budget."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left; less than 0 when they are spent."""
        return self.seconds - (time.monotonic() - self.began)


@dataclass(slots=True)
class Race:
    """The trials of one program in one laboratory."""

    laboratory: Executor
    wishes: Settings
    clock: Clock
    jobs: int = 1
    say: Say = lambda _: None
    length: float = 0.0  # seconds of one run, as the control took
    runs: int = 0
    training: int | None = None  # that is to be cured, of a program that trains several times
    controls: dict[int, Run] = field(default_factory=dict)  # by the shift of their seeds
    out: list[str] = field(default_factory=list)  # causes whose changes did nothing
    max_steps: int | None = None  # of every trial
    state: Path | None = None  # from which every trial goes on, None for its own beginning

    def shorten(self, steps: int | None, state: Path | None = None) -> None:
        """From now on trials end after so many steps; nothing else can be compared with them."""
        self.max_steps, self.state, self.length = steps, state, 0.0
        self.controls, self.out = {}, []

    def control(self) -> Run:
        """The program as it is. How long that takes is what other trials are measured by."""
        self.say("running the program as it is")
        began = time.monotonic()
        trial = Trial(max_steps=self.max_steps, state=self.state)
        run = self._read(self.laboratory.run([trial])[0])
        if run.diagnosis is not None:
            self.training = run.diagnosis.training
        self.length = max(self.length, run.ended.seconds or time.monotonic() - began)
        self.controls[0] = run
        return run

    def replicate(self, lengths: float) -> None:
        """Runs the program as it is on fresh seeds, if there is time for so much more besides."""
        if self.affordable(len(FRESH) + lengths):
            self.say("running the program as it is on fresh seeds")
            trials = [self._trial({}, shift) for shift in FRESH]
            for ended in self.laboratory.run(trials, self.jobs):
                self.controls[ended.trial.shift] = self._read(ended)

    @property
    def spread(self) -> Spread:
        """How far the program as it is differs from itself when only the seeds change."""
        return spread_of([run.yardstick for run in self.controls.values() if run.yardstick])

    def run(self, texts: Mapping[str, str], cost: float = 1.0) -> Run:
        """One run with these texts."""
        return self._read(self.laboratory.run([self._trial(texts, cost=cost)])[0])

    def screen(
        self, control: Run, plan: Plan, base: Mapping[str, str]
    ) -> list[Tried]:
        """Tries candidates until one cures the program and none before it could, or time is up.

        `base` are the texts that were changed before; those of a candidate lie over them.
        """
        waiting = list(plan.candidates)
        tried: list[Tried] = []
        running: dict[int, tuple[Trial, Candidate]] = {}
        finished: set[tuple[int, int, int]] = set()
        while True:
            cured = [each.candidate for each in tried
                     if each.judgement.verdict is TrialVerdict.CURED]
            waiting = _worth_while(waiting, plan, cured)
            for trial, other in running.values():
                if not _worth_while([other], plan, cured):
                    self.laboratory.cancel(trial)
            while waiting and len(running) < self.jobs:
                chosen = self._choose(waiting, [each for _, each in running.values()], finished)
                if chosen is None:
                    break
                waiting.remove(chosen)
                self.say(f"trying: {chosen.edit.words()}")
                trial = self._trial({**base, **chosen.texts}, cost=chosen.cost)
                running[id(trial)] = trial, chosen
                self.laboratory.submit(trial)
            if not running:
                return sorted(tried, key=lambda each: each.candidate.place)
            ended = self.laboratory.next()
            assert ended is not None
            _, candidate = running.pop(id(ended.trial))
            if ended.cancelled:
                continue
            each = self.judged(candidate, control, self._read(ended))
            if each.judgement.verdict in _OUT and candidate.cause not in self.out:
                self.out.append(candidate.cause)
            self.say(f"{each.judgement.verdict.value}: {candidate.edit.words()}")
            tried.append(each)
            if each.judgement.verdict is not TrialVerdict.VOID:
                finished.add(candidate.next_form)  # other forms would say the same

    def judged(self, candidate: Candidate, control: Run, run: Run) -> Tried:
        """What a run of a candidate shows beside the program without it."""
        return Tried(candidate, run, judge(
            candidate.shown_by, control, run, candidate.patch.checks, candidate.root, self.spread))

    def confirm(self, cause: str, control: Run, treated: Run, texts: Mapping[str, str]
                ) -> Confirmed | None:
        """Control and treated on fresh seeds, beside the first; None if there is no time."""
        costs = itertools.accumulate(1.0 + (shift not in self.controls) for shift in FRESH)
        seeds = [shift for shift, cost in zip(FRESH, costs, strict=True) if self.affordable(cost)]
        if not seeds:
            return None
        self.say("confirming on fresh seeds")
        missing = [self._trial({}, shift) for shift in seeds if shift not in self.controls]
        trials = [self._trial(texts, shift) for shift in seeds]
        runs = [self._read(each) for each in self.laboratory.run([*missing, *trials], self.jobs)]
        self.controls |= {each.shift: run for each, run in zip(missing, runs, strict=False)}
        controls = [control, *(self.controls[shift] for shift in seeds)]
        treateds = [treated, *runs[len(missing):]]
        judgements = tuple(judge(cause, before, after, spread=self.spread)
                           for before, after in zip(controls, treateds, strict=True))
        return Confirmed((0, *seeds), tuple(controls), tuple(treateds), judgements)

    # Time ----------------------------------------------------------------------------------------
    def _choose(self, waiting: Sequence[Candidate], running: Sequence[Candidate],
                finished: set[tuple[int, int, int]]) -> Candidate | None:
        """The first candidate that there is time for and that no other form stands for."""
        busy = {each.next_form for each in running} | finished
        for each in waiting:
            if each.next_form not in busy and self.affordable(each.cost):
                return each
        return None

    def affordable(self, lengths: float) -> bool:
        """Whether there is time for so many lengths of the program."""
        return self.length * lengths / max(self.jobs, 1) <= self.clock.left

    def _trial(self, texts: Mapping[str, str], shift: int = 0, cost: float = 1.0) -> Trial:
        return Trial(texts, shift, self.max_steps, self._patience(cost), state=self.state)

    def _patience(self, cost: float) -> float:
        return max(_PATIENCE * self.length * cost, _LEAST)

    def _read(self, ended: Ended) -> Run:
        self.runs += 1
        return read(ended, self.wishes, self.training)


def _worth_while(waiting: list[Candidate], plan: Plan, cured: Sequence[Candidate]
                 ) -> list[Candidate]:
    """What is still worth a trial once changes have cured the program.

    What stands before the first of them could be the better cure. So could the change for a cause
    that the record cannot tell from its own: those are all tried once, where they take no longer.
    """
    if not cured:
        return waiting
    first = min(cured, key=lambda each: each.place)
    open_causes = plan.rivals(first.cause) - {each.cause for each in cured}
    return [each for each in waiting if each.place < first.place or (
        each.cause in open_causes and each.first and each.cost <= 1)]
