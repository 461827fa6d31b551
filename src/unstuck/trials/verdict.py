"""What a trial has shown: the treated record, judged as any other, against that of the control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from unstuck.judge.catalogue import find
from unstuck.judge.engine import diagnose
from unstuck.measures.basics import GOOD_SKILL, failed, learned_little
from unstuck.record.reader import Record, UnusableRecord, read_record, trained_in
from unstuck.repair.patch import Check
from unstuck.rules.cause import Cause, Harm
from unstuck.rules.effects import Effect, following
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.optimizers import Optimizer, Scheduler
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.stored import Altered
from unstuck.schema.findings import Absent, Diagnosis, OutcomeKind, Present, Severity, Unknown
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.settings import Settings
from unstuck.trials.trial import Ended
from unstuck.trials.yardstick import CONSTANT, Spread, Yardstick, measure, printed
from unstuck.words import joined, lowered

LEAST_GAIN = 0.05  # of the yardstick; a difference below it is no difference
NO_SPREAD = Spread()


class TrialVerdict(StrEnum):
    """What one change did to the program."""

    CURED = "cured"  # the fault is gone, nothing new has come, and the network learns better
    REMOVED = "removed"  # the fault is gone, but the network learns no better
    MASKS = "masks"  # the network learns better, but the fault is still there
    BETTER = "better"  # it learns better; whether the fault is gone could not be measured
    NO_EFFECT = "no effect"
    WORSE = "worse"
    VOID = "void"  # the change did not do what was asked, so the trial says nothing
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program, read and judged. Without a record there is nothing to judge."""

    ended: Ended
    record: Record | None
    diagnosis: Diagnosis | None
    yardstick: Yardstick | None

    @property
    def healthy(self) -> bool:
        """Whether it learned, and nothing counted was found."""
        return (self.diagnosis is not None and not self.ended.crashed
                and not self.diagnosis.counted() and not learned_little(self.diagnosis.outcome))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a trial; `because` is a clause. `gain` is that of the yardstick."""

    verdict: TrialVerdict
    because: str
    gain: float | None = None
    revealed: tuple[str, ...] = ()  # causes that the control could not be checked for


def read(ended: Ended, wishes: Settings, training: int | None = None) -> Run:
    """Reads and judges what a trial left.

    Args:
        ended: the trial.
        wishes: of the project.
        training: which training of the program is judged, where it trains several times, so that
            control and treated are compared in the same one; by default the worst.
    """
    if ended.record is None:
        return Run(ended, None, None, None)
    try:
        record = read_record(trained_in(Path(ended.record)))
    except UnusableRecord:
        return Run(ended, None, None, None)
    diagnosis = diagnosed(record, wishes, training)
    record = record.trainings[diagnosis.training]
    return Run(ended, record, diagnosis, measure(record, diagnosis.outcome))


def diagnosed(record: Record, wishes: Settings, training: int | None = None) -> Diagnosis:
    """What is said of one training of a record, by default of the worst."""
    diagnosis = diagnose(record, wishes.thresholds, wishes.ignore)
    if not diagnosis.trainings:
        return diagnosis
    number = diagnosis.training if training is None else min(training, len(record.later))
    return replace(diagnosis.trainings[number].diagnosis, training=number)


def judge(cause: str, control: Run, treated: Run, checks: Sequence[Check] = (),
          root: str | None = None, spread: Spread = NO_SPREAD) -> Judgement:
    """Whether a change against a cause cured the program.

    Args:
        cause: the slug of the finding that the change is for.
        control: the program as it was, with the same seeds.
        treated: the program with the change.
        checks: what the treated record must show, or the change did not do what was asked.
        root: another cause that must be gone as well: the one that explains the finding.
        spread: how far the program as it was differs from itself with other seeds; only what goes
            beyond it is a difference.
    """
    if treated.ended.no_view is not None:
        return Judgement(TrialVerdict.UNPROVEN, treated.ended.no_view)
    if treated.ended.hung:
        return Judgement(TrialVerdict.UNPROVEN, "it did not end in time")
    if treated.ended.crashed and not control.ended.crashed:
        return Judgement(TrialVerdict.VOID, f"the program then ends with {how_it_crashed(treated)}")
    if treated.record is None or treated.diagnosis is None:
        return Judgement(TrialVerdict.VOID, "nothing of it was recorded")
    if control.record is None or control.diagnosis is None:
        return Judgement(TrialVerdict.UNPROVEN, "nothing of the program as it is was recorded")
    same = equal(control.record, treated.record) and control.ended.output == treated.ended.output
    # Memory that is no longer kept, for instance, changes no loss.
    if same and not isinstance(dict(treated.diagnosis.verdicts).get(cause), Absent):
        return Judgement(TrialVerdict.VOID, "the program trains exactly as before")
    failed_check = next((each for each in checks if not met(each, treated.record)), None)
    if failed_check is not None:
        return Judgement(TrialVerdict.VOID, f"{failed_check.where} then does not have "
                         f"{failed_check.subject.partition('.')[2]} {failed_check.value}")
    # What mends the score itself may have to hold out others, and a true score is a lower one.
    flattering = find(cause).harm is Harm.DISTRUST
    if not flattering and _other_samples(control.record, treated.record):
        return Judgement(TrialVerdict.VOID, "other samples are then held out, so that nothing can "
                         "be compared")
    gain, least = _gain(control, treated, spread)
    repaired = control.ended.crashed and not treated.ended.crashed
    shown = printed(control.ended.output, treated.ended.output)
    shown = shown if shown is not None and shown.is_score else None
    # Of losses of two kinds little can be said; then the program's own score is heard as well.
    told = shown is not None and shown.halves and judged_by(control, treated) in (None, "targets")
    better = repaired or _healed(control, treated) or told or (gain is not None and gain > least)
    # Against the untrained model another loss may look worse and be none.
    # Nor is it worse if the score that the program itself prints gets better.
    worse = not (better or flattering) and gain is not None and gain < -least and (
        _alike(control, treated)) and not (shown is not None and shown.gains)
    before = dict(control.diagnosis.verdicts)
    after = dict(treated.diagnosis.verdicts)
    counted = [f.cause for f in treated.diagnosis.counted() if f.cause != cause]
    # Who does not learn cannot overfit, or stop too early: that shows only where a network learns.
    hidden = {slug for slug in counted if better and gain is not None and _shows_late(find(slug))}
    new = [slug for slug in counted if isinstance(before.get(slug), Absent) and slug not in hidden]
    revealed = tuple(slug for slug in counted
                     if slug in hidden or isinstance(before.get(slug), Unknown))
    verdict = after.get(cause)
    if root is not None and isinstance(after.get(root), Present):
        verdict, cause = after[root], root  # a symptom is gone at best
    if worse:
        return Judgement(TrialVerdict.WORSE, "the network learns less", gain)
    if isinstance(verdict, Present):
        still = next((f.severity for f in treated.diagnosis.findings if f.cause == cause),
                     Severity.NOTE)
        if better and treated.healthy and find(cause).family == "Budget":
            return Judgement(TrialVerdict.CURED, "the network learns, and more would help", gain)
        if better:
            return Judgement(TrialVerdict.MASKS, f"{cause} is still found ({still.value})", gain)
        return Judgement(TrialVerdict.NO_EFFECT, f"{cause} is still found", gain)
    if isinstance(verdict, Unknown) or verdict is None:
        if treated.ended.crashed:
            return Judgement(TrialVerdict.NO_EFFECT,
                             f"the program still ends with {how_it_crashed(treated)}", gain)
        why = lowered(verdict.reason.rstrip(".")) if verdict is not None else "it was not checked"
        found = TrialVerdict.BETTER if better else TrialVerdict.UNPROVEN
        return Judgement(found, f"whether {cause} is gone is unknown: {why}", gain)
    if new:
        found = TrialVerdict.MASKS if better else TrialVerdict.NO_EFFECT
        return Judgement(found, f"it brings {joined(new)}", gain)
    if failed(treated.diagnosis.outcome) and _failing(control):
        return Judgement(TrialVerdict.REMOVED, f"{cause} is gone, but the network does not learn",
                         gain, revealed)
    was_counted = any(each.cause == cause for each in control.diagnosis.counted())
    # What only spoils a score is cured once it is gone, whatever the network has learned.
    if better or flattering or (was_counted and not _failing(control)):
        return Judgement(TrialVerdict.CURED, f"{cause} is gone", gain, revealed)
    return Judgement(TrialVerdict.REMOVED, f"{cause} is gone, but the network learns no better",
                     gain, revealed)


def _shows_late(cause: Cause) -> bool:
    """Whether a cause shows in networks that learn only."""
    memorises = Effect.MEMORISES in (cause.shows, *following(cause.effects))
    return cause.harm is Harm.OVERFIT or cause.family == "Budget" or (
        memorises and cause.harm is Harm.CONDITION)


def met(check: Check, record: Record) -> bool:
    """Whether a record shows what a patch was to do, as far as it can be looked up."""
    what, _, name = check.subject.partition(".")
    if what == "optimizer":
        known = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}
        # What a schedule has made of the learning rate by the first step says nothing.
        scheduled = name == "lr" and any(
            each.optimizer == check.where for each in record.facts(Scheduler))
        found = [getattr(each, known[name], None) for each in record.facts(Optimizer)
                 if each.name == check.where] if name in known and not scheduled else []
        return not found or any(
            value is None or math.isclose(value, float(check.value), rel_tol=1e-6)
            for value in found)
    if check.subject == "layer.kind":  # a function that was exchanged is no layer
        kinds = {layer.kind for layer in record.layers().values()}
        return check.where not in kinds or check.value in kinds
    return True


def equal(first: Record, second: Record) -> bool:
    """Whether two runs had the very same losses."""
    if first.steps != second.steps:
        return False
    for signal in (TRAIN_LOSS, HELD_OUT_LOSS):
        if first.measured(signal) != second.measured(signal):
            return False
        if first.measured(signal):
            a, b = first.series(signal), second.series(signal)
            if len(a) != len(b) or not np.array_equal(a.values, b.values, equal_nan=True):
                return False
    return first.measured(TRAIN_LOSS)


def how_it_crashed(run: Run) -> str:
    """How a program came to its end, in words."""
    if run.ended.signal is not None:
        return f"signal {run.ended.signal}"
    if run.record is not None and run.record.end.kind is EndKind.EXCEPTION:
        says = f": {run.record.end.message}" if run.record.end.message else ""
        return (run.record.end.message if run.record.end.message
                and run.record.end.message.startswith(run.record.end.exception or "?")
                else f"{run.record.end.exception}{says}")
    last = next((line for line in reversed(run.ended.output.splitlines()) if line.strip()), "")
    return f"status {run.ended.status}" + (f" ({last.strip()[:200]})" if last else "")


def _failing(run: Run) -> bool:
    return run.ended.crashed or (
        run.diagnosis is not None and learned_little(run.diagnosis.outcome))


def _healed(control: Run, treated: Run) -> bool:
    """Whether a run that failed has become one that learns: by outcome, where skill is unknown."""
    assert control.diagnosis is not None
    assert treated.diagnosis is not None
    outcome = treated.diagnosis.outcome
    good = outcome.skill is None or outcome.skill >= GOOD_SKILL
    return failed(control.diagnosis.outcome) and not learned_little(outcome) and good


def _gain(control: Run, treated: Run, spread: Spread) -> tuple[float | None, float]:
    """The difference of the yardsticks where both were measured, and the least that is one."""
    measure_of = judged_by(control, treated)
    if measure_of is None:
        return None, LEAST_GAIN
    before, after, apart = (
        getattr(each, measure_of) for each in (control.yardstick, treated.yardstick, spread))
    return after - before, max(LEAST_GAIN, apart)


def judged_by(control: Run, treated: Run) -> str | None:
    """Which skill of a yardstick two runs are compared by; None if they have none in common.

    A loss that does not tell whether a network learns is no measure. With a rare class each class
    counts alike; where another loss is computed, the targets are what
    both can be measured by.
    """
    before, after = control.yardstick, treated.yardstick
    if before is None or after is None or any(
        run.diagnosis is not None and run.diagnosis.outcome.kind is OutcomeKind.NOT_TOLD
        for run in (control, treated)
    ):
        return None
    names = [
        *["classes"] * (before.uneven or after.uneven),
        *["targets"] * (before.losses != after.losses),
        "held_out",
        *["training"] * _alike(control, treated),
        "untrained",
    ]
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None and max(old, new) > -1:
            return name  # as bad as counts says nothing
    return None


def _other_samples(control: Record, treated: Record) -> bool:
    """Whether a change has moved the border between training and held-out samples.

    A program that draws held-out samples anew holds out others the longer it runs, which says
    nothing, so only runs of as many steps are compared. Held-out samples of which no loss was
    computed count only where classes are predicted, so both runs must have counted some. A stored
    sample that each fetch changes counts again in each epoch, until none changes it any more.
    """
    if control.facts(Altered) and not treated.facts(Altered):
        return False

    def held_out(record: Record) -> Kept | None:
        return next((each for each in record.facts(Kept)
                     if each.name == "held-out" and not each.composed), None)

    before, after = held_out(control), held_out(treated)
    return control.steps == treated.steps and before is not None and after is not None and (
        0 < before.samples != after.samples > 0)


def _alike(control: Run, treated: Run) -> bool:
    return control.yardstick is not None and treated.yardstick is not None and (
        control.yardstick.against == treated.yardstick.against == CONSTANT)
