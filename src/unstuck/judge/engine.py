"""Record → Diagnosis: the verdict of every cause, severity, roots before their symptoms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unstuck.curves.outcome import judge
from unstuck.curves.phases import remarks as curve_remarks
from unstuck.judge.advice import next_steps
from unstuck.judge.catalogue import causes, slug_of, threshold_names
from unstuck.judge.crashes import advice_on
from unstuck.judge.severity import badness, severity_of, with_suspect
from unstuck.judge.silencing import split
from unstuck.measures.basics import unwatched
from unstuck.measures.view import View
from unstuck.record.reader import NotMeasured, Record, read_record
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import EndKind, Log
from unstuck.schema.findings import (
    SURE,
    Absent,
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Training,
    Unknown,
    Verdict,
)
from unstuck.schema.requirements import LOSS
from unstuck.schema.signals.losses import HELD_OUT_LOSS
from unstuck.schema.version import VERSION
from unstuck.words import count, joined, lowered

NO_TREND = (OutcomeKind.TOO_SHORT, OutcomeKind.NO_TRAINING, OutcomeKind.NOT_TOLD)


@np.errstate(all="ignore")  # the numbers of a run that went wrong; settings may be the program's
def diagnose(
    record: Record | str | Path, overrides: Mapping[str, float] | None = None,
    ignore: Collection[str] = (),
) -> Diagnosis:
    """Judges a record, or the record in a folder. Same record, same version: same diagnosis.

    Each training of a process is judged by itself. The diagnosis is that of the worst, and holds
    the others.

    Args:
        record: what to judge.
        overrides: other values for thresholds, by name.
        ignore: causes whose findings are silenced, by slug or code.

    Raises:
        UnusableRecord: there is no record that can be read.
        ValueError: no cause has a threshold of an overridden name, or a name to ignore.
        BadCatalogue: a plugin with a cause cannot be used.
    """
    if not isinstance(record, Record):
        record = read_record(record)
    catalogue = causes()
    overrides = dict(overrides or {})
    known = threshold_names(catalogue)
    for name in overrides:
        if name not in known:
            raise ValueError(f"no cause has a threshold {name!r}")
    silenced = [_known(name) for name in ignore]
    found = [_diagnosed(training, catalogue, overrides, silenced) for training in record.trainings]
    if len(found) == 1:
        return found[0]
    worst = min(range(len(found)), key=lambda number: (*badness(found[number]), number))
    return replace(found[worst], training=worst, trainings=tuple(
        _as_training(training, diagnosis)
        for training, diagnosis in zip(record.trainings, found, strict=True)))


def _as_training(record: Record, diagnosis: Diagnosis) -> Training:
    built = [each.location for each in record.facts(Optimizer) if each.location is not None]
    return Training(record.begun, record.begun + max(record.steps - 1, 0),
                    built[0] if built else None, diagnosis)


def _diagnosed(
    record: Record, catalogue: Sequence[Cause], overrides: Mapping[str, float],
    silenced: Sequence[str],
) -> Diagnosis:
    """Judges one training."""
    outcome = judge(record)
    remarks = [odd.says for odd in record.oddities] + curve_remarks(record)
    if record.torn:
        remarks.append("The record is damaged: some of its lines could not be read.")
    verdicts: list[tuple[Cause, Verdict]] = []
    for cause in catalogue:
        verdict, trouble = verdict_of(record, cause, outcome, overrides)
        if record.fact(Log) is not None:
            verdict = _from_a_log(record, cause, verdict)
        verdicts.append((cause, verdict))
        remarks += trouble
    present = [(c, v) for c, v in verdicts if isinstance(v, Present)]
    findings = weigh(
        present, outcome, record.end.kind is EndKind.EXCEPTION,
        [c for c, v in verdicts if isinstance(v, Unknown)
         and not (c.needs_trend and outcome.kind in NO_TREND)],
        record.looks)
    findings = with_suspect(findings, {c.slug: c.harm for c in catalogue}, outcome)
    findings, ignored, trouble = split(findings, silenced, slug_of)
    remarks += trouble
    return Diagnosis(
        version=VERSION,
        record=record.id,
        outcome=outcome,
        findings=findings,
        verdicts=tuple((cause.slug, verdict) for cause, verdict in verdicts),
        steps=record.steps,
        remarks=tuple(dict.fromkeys(remarks)),
        ignored=ignored,
        next_steps=next_steps(outcome, findings, held_out=record.measured(HELD_OUT_LOSS),
                              watched=record.fact(Log) is None, crash=advice_on(record.end),
                              absent=[c.slug for c, v in verdicts if isinstance(v, Absent)]),
    )


def _known(name: str) -> str:
    try:
        return slug_of(name)
    except KeyError:
        raise ValueError(f"no cause is called {name!r}") from None


def _no_trend(record: Record, outcome: Outcome) -> Unknown:
    if outcome.kind is OutcomeKind.NOT_TOLD:
        return Unknown("the loss of this run does not measure what is learned",
                       ("a loss that does",))
    why = outcome.says.partition(". ")[0].rstrip(".")
    return Unknown(lowered(why), (_longer(record, outcome),))


def verdict_of(
    record: Record, cause: Cause, outcome: Outcome, overrides: Mapping[str, float]
) -> tuple[Verdict, list[str]]:
    """What one cause says of a record, and remarks on trouble. Never raises."""
    missing = tuple(s for s in cause.needs if not record.measured(s))
    if missing:
        required = joined(dict.fromkeys(s.requires for s in missing))
        return Unknown(unwatched(record) or f"the check needs {required}",
                       tuple(s.name for s in missing)), []
    view = View(record, cause, outcome, overrides)
    try:
        if cause.needs_trend and outcome.kind in NO_TREND:
            found = cause.without_trend(view) if cause.without_trend is not None else None
            return found or _no_trend(record, outcome), []
        return cause.detect(view), []
    except NotMeasured as error:
        return Unknown(str(error), (error.signal.name,)), []
    except Exception as error:
        # A cause that fails must not cost the user the verdicts of all others.
        says = f"internal error in {cause.slug}: {type(error).__name__}: {error}"
        return Unknown(says), [says]


def _from_a_log(record: Record, cause: Cause, verdict: Verdict) -> Verdict:
    """Curves may show that a cause is present, but seldom that it is absent: they lack the rest.

    A cause stays absent if it needs nothing but curves.
    """
    lacking = tuple(s.name for s in (*cause.needs, *cause.uses) if not record.measured(s))
    if isinstance(verdict, Present) or not (lacking or cause.harm is Harm.MISTAKE):
        return verdict
    return Unknown("a log contains only curves", ("a run under `unstuck run`", *lacking))


def _longer(record: Record, outcome: Outcome) -> str:
    """What a run must have for its trend to be judged."""
    if outcome.more_points is None:
        return LOSS
    if record.fact(Log) is not None:
        return f"a log with {count(outcome.more_points, 'more point')}"
    return f"a run of at least {count(record.steps + outcome.more_points, 'step')}"


# Roots and symptoms ------------------------------------------------------------------------------
def weigh(
    present: Sequence[tuple[Cause, Present]], outcome: Outcome, crashed: bool = False,
    unseen: Sequence[Cause] = (), looks: Sequence[int] = (),
) -> tuple[Finding, ...]:
    """Findings with their severity and root, roots first, the one that matters most at the top.

    Causes in `unseen` could not be judged because a measurement is missing. `looks` are the steps
    that were looked at closely.
    """
    by_slug = {cause.slug: (cause, verdict) for cause, verdict in present}
    severities = {c.slug: severity_of(c, v, outcome, crashed) for c, v in present}
    parents = {slug: _parent(slug, by_slug, looks) for slug in by_slug}
    roots = {slug: _root(slug, parents) for slug in by_slug}
    for slug, root in roots.items():
        severities[root] = min(severities[root], severities[slug], key=lambda s: s.rank)
    findings = [
        Finding(slug, cause.code, severities[slug],
                _with_doubles(cause, verdict, present, unseen, looks),
                explained_by=None if roots[slug] == slug else roots[slug])
        for slug, (cause, verdict) in by_slug.items()
    ]

    def order(finding: Finding) -> tuple[bool, int, bool, float, str]:
        cause, verdict = by_slug[finding.cause]
        return (finding.explained_by is not None, finding.severity.rank,
                cause.harm is not Harm.MISTAKE, -verdict.strength, cause.code)

    return tuple(sorted(findings, key=order))


def began_before(root: Present, symptom: Present, looks: Sequence[int] = ()) -> bool:
    """Whether a root began no later than a symptom, as far as sampled steps show.

    No update has caused what is already there in the first forward pass. What was seen at one of
    the `looks` may have begun right after the previous look.
    """
    if symptom.since_step == 0:
        return root.since_step == 0
    if root.since_step <= LIMITS.after(symptom.since_step):
        return True
    earlier = bisect_left(looks, root.since_step - 1)  # an update shows at the step after it
    return bool(looks) and (earlier == 0 or looks[earlier - 1] < symptom.since_step)


def _parent(
    slug: str, by_slug: Mapping[str, tuple[Cause, Present]], looks: Sequence[int]
) -> str | None:
    """The finding that explains another best: mistakes first, then the strongest."""
    symptom, shown = by_slug[slug]
    if shown.own:
        return None
    able = [
        (cause, verdict) for cause, verdict in by_slug.values()
        if cause.can_explain(symptom) and verdict.strength >= SURE
        and began_before(verdict, shown, looks)
    ]
    if not able:
        return None
    best = min(able, key=lambda x: (x[0].harm is not Harm.MISTAKE, -x[1].strength,
                                      x[1].since_step, x[0].code))
    return best[0].slug


def _root(slug: str, parents: Mapping[str, str | None]) -> str:
    """The end of a chain of explanations."""
    while (parent := parents[slug]) is not None:
        slug = parent
    return slug


# What the record cannot distinguish --------------------------------------------------------------
def _with_doubles(
    cause: Cause, verdict: Present, present: Sequence[tuple[Cause, Present]],
    unseen: Sequence[Cause], looks: Sequence[int],
) -> Present:
    """A finding with the causes that predict the same record, and the trial that separates them.

    Those are causes that began at the same time, as far as sampled steps show, and causes that
    could not be checked.
    """
    if verdict.strength < SURE:
        return verdict
    together = {
        other.slug: found for other, found in present
        if _alike(cause, other) and found.strength >= SURE
        and began_before(found, verdict, looks) and began_before(verdict, found, looks)
    }
    hidden = [other.slug for other in unseen if _alike(cause, other)]
    doubles = tuple(dict.fromkeys((*verdict.one_of, *together, *hidden)))
    if doubles == verdict.one_of:
        return verdict
    return replace(verdict, one_of=doubles, separated_by=verdict.separated_by or _trial(
        {cause.slug: verdict, **together}))


def _alike(cause: Cause, other: Cause) -> bool:
    return other.slug in cause.alike or cause.slug in other.alike


def _trial(suspects: Mapping[str, Present]) -> Experiment | None:
    """The runs that would separate causes: one for each, with only its first remedy applied."""
    arms = {
        slug: Arm(found.remedies[0].ladder[:1], (slug,),
                  lowered(found.remedies[0].words()).rstrip("."))
        for slug, found in suspects.items() if found.remedies
    }
    changes = [f"{arm.change()} (helps if it is {slug})" for slug, arm in arms.items()]
    return Experiment(f"run again with only one change: {', or '.join(changes)}",
                      tuple(arms.values())) if arms else None
