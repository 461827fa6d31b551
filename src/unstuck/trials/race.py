"""Carries out trials within a budget of time: screens changes, and confirms one on fresh seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Laboratory, Trial
from unstuck.trials.plan import Candidate, Plan
from unstuck.trials.verdict import Judgement, Run, TrialVerdict, judge, read

FRESH = (1, 2)  # by which the seeds of a confirmation are moved
_PATIENCE = 5.0  # times as long as the control may a treated run take
_LEAST = 20.0  # seconds that every trial may take

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

    laboratory: Laboratory
    wishes: Settings
    clock: Clock
    jobs: int = 1
    say: Say = lambda _: None
    length: float = 0.0  # seconds of one run, as the control took
    runs: int = 0
    training: int | None = None  # that is to be cured, of a program that trains several times

    def control(self) -> Run:
        """The program as it is."""
        self.say("running the program as it is")
        began = time.monotonic()
        run = self._read(self.laboratory.run([Trial()])[0])
        if run.diagnosis is not None:
            self.training = run.diagnosis.training
        self.length = max(self.length, run.ended.seconds or time.monotonic() - began)
        return run

    def screen(
        self, control: Run, plan: Plan, base: Mapping[str, str]
    ) -> list[Tried]:
        """Tries candidates until one cures the program and none before it could, or time is up.

        `base` are the texts that were changed before; those of a candidate lie over them.
        """
        waiting = list(plan.candidates)
        tried: list[Tried] = []
        running: dict[int, Candidate] = {}
        finished: set[tuple[int, int, int]] = set()
        while True:
            found = min((t.candidate.place for t in tried
                         if t.judgement.verdict is TrialVerdict.CURED), default=None)
            if found is not None:  # what stands behind it can win no more
                waiting = [c for c in waiting if c.place < found]
            while waiting and len(running) < self.jobs:
                chosen = self._choose(waiting, running, finished)
                if chosen is None:
                    break
                waiting.remove(chosen)
                self.say(f"trying: {chosen.edit.words()}")
                trial = Trial({**base, **chosen.texts}, seconds=self._patience(chosen.cost))
                running[id(trial)] = chosen
                self.laboratory.submit(trial)
            if not running:
                return sorted(tried, key=lambda each: each.candidate.place)
            ended = self.laboratory.next()
            assert ended is not None
            candidate = running.pop(id(ended.trial))
            run = self._read(ended)
            judgement = judge(candidate.cause, control, run, candidate.patch.checks,
                              candidate.root)
            self.say(f"{judgement.verdict.value}: {candidate.edit.words()}")
            tried.append(Tried(candidate, run, judgement))
            if judgement.verdict is not TrialVerdict.VOID:
                finished.add(candidate.next_form)  # other forms would say the same

    def confirm(self, cause: str, control: Run, treated: Run, texts: Mapping[str, str]
                ) -> Confirmed | None:
        """Control and treated on fresh seeds, beside the first; None if there is no time."""
        seeds = [shift for number, shift in enumerate(FRESH)
                 if self.affordable(2.0 * (number + 1))]
        if not seeds:
            return None
        self.say("confirming on fresh seeds")
        trials = [Trial(each, shift, seconds=self._patience(1.0))
                  for shift in seeds for each in ({}, texts)]
        runs = [self._read(ended) for ended in self.laboratory.run(trials, self.jobs)]
        controls, treateds = [control, *runs[::2]], [treated, *runs[1::2]]
        judgements = tuple(judge(cause, before, after)  # on equal seeds, so nothing else differs
                           for before, after in zip(controls, treateds, strict=True))
        return Confirmed((0, *seeds), tuple(controls), tuple(treateds), judgements)

    # Time ----------------------------------------------------------------------------------------
    def _choose(self, waiting: Sequence[Candidate], running: Mapping[int, Candidate],
                finished: set[tuple[int, int, int]]) -> Candidate | None:
        """The first candidate that there is time for and that no other form stands for."""
        busy = {each.next_form for each in running.values()} | finished
        for each in waiting:
            if each.next_form not in busy and self.affordable(each.cost):
                return each
        return None

    def affordable(self, lengths: float) -> bool:
        """Whether there is time for so many lengths of the program."""
        return self.length * lengths / max(self.jobs, 1) <= self.clock.left

    def _patience(self, cost: float) -> float:
        return max(_PATIENCE * self.length * cost, _LEAST)

    def _read(self, ended: Ended) -> Run:
        self.runs += 1
        return read(ended, self.wishes, self.training)
