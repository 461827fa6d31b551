"""Clipping throttles: a gradient clip so tight that every step is cut to almost nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce

import numpy as np

from unstuck.measures.basics import (
    GOOD_SKILL,
    expression,
    learned_little,
    level,
    loss_ends_at,
    loss_points,
    nan_median,
    thinned,
    typed,
    weight_updates,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Clip, Remedy, RemoveClip, Safety, literal
from unstuck.schema.facts.gradients import ChangedGradient
from unstuck.schema.facts.optimizers import Clipping
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import CLIP_NORM, GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import number, percent, times

ALWAYS = Threshold(
    "clipped-steps", 0.9,
    "Clipping is meant for occasional explosions. If it shortens nine of ten steps, it sets the "
    "length of all of them.",
    "Pascanu et al. 2013 set the limit to between half and ten times the average norm",
)
FACTOR = Threshold(
    "cut-by", 20.0,
    "Clipping by a small factor is usual in recurrent networks and transformers. Clipping by a "
    "factor of 20 amounts to a different learning rate.",
    "in healthy example programs the factor is 10 at most",
)
SLOW = Threshold(
    "throttled-update", 2e-3,
    "The clipped steps change the weights by no more than about the usual 0.1 %. An optimizer that "
    "rescales its steps, such as Adam, makes up for any clipping.",
    "CS231n: about 0.1 % is usual",
)
CRAWLS = Threshold(
    "crawling-update", 5e-4,
    "The loss falls to the end, and no step at any look changed the weights by more than half of "
    "the usual 0.1 %: the run is on its way and does not get there.",
    "half of the usual update",
)
AT_LIMIT = Threshold(
    "elements-at-limit", 0.7,
    "If the root mean square of a clipped gradient is near the limit for single values, most of "
    "its values are at the limit.",
    "the ratio is 1 if all values are at the limit",
)
FEWEST = 10  # clipped steps
PLAINLY = 5  # times the factor: so plain a finding is no mere note where the loss falls
BY_HAND = "by hand"
SAME = 1e-2  # relative: programs add something small to the norm that they divide by


def _detect(view: View) -> Verdict:
    clippings = view.record.facts(Clipping)
    norms = _lengths(view)
    by_hand = None if clippings else _same_length(view, norms)
    if not clippings and by_hand is None:
        if view.record.facts(ChangedGradient) and len(norms) < FEWEST:
            return Unknown("too few norms of the gradients that the program changes were measured "
                           f"({len(norms)})", (f"a run with at least {FEWEST} close looks",))
        return Absent("no gradient clipping was seen, nor gradients that are cut to one length")
    limits = {c.limit for c in clippings}
    if len(limits) > 1 or len({c.function for c in clippings}) > 1:
        return Unknown("gradients are clipped at several limits, and which limit applied to which "
                       "gradient is not known", ("a run with a single clipping call",))
    clipping = by_hand or clippings[0]
    if not clipping.limit > 0 or math.isinf(clipping.limit):
        return Absent(f"a clipping limit of {number(clipping.limit)} clips nothing")
    skill, little = view.outcome.skill, learned_little(view.outcome)
    on_its_way = view.outcome.kind is OutcomeKind.LEARNING and (
        skill is None or skill < GOOD_SKILL)
    # A schedule may end a run that crawls as if it had arrived, and no constant tells.
    on_its_way = on_its_way or (view.outcome.kind is OutcomeKind.CONVERGED and skill is None)
    if not (little or on_its_way) or view.outcome.kind in (
        OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.CRASHED, OutcomeKind.TOO_SHORT,
    ):
        return Absent("the run does not suffer from steps that are too short")
    updates = weight_updates(view)
    left = float(np.nanmax(nan_median(updates.ratios, axis=1))) if updates.names else math.nan
    if not math.isfinite(left):
        return Unknown("no update of a weight matrix was measured", (UPDATE_NORM.name,))
    if not left <= view.limit(SLOW if little else CRAWLS):
        return Absent(f"the updates are large enough, relative to the weights ({percent(left)})")
    if by_hand is not None:
        return _present(view, by_hand, left, GRADIENT_NORM.name, norms, "cuts the gradient to the "
                        f"same length at {percent(view.limit(ALWAYS))} of the steps or more",
                        0.85, 100 * by_hand.limit)
    by_value = _by_value(view, clipping, left)
    if clipping.function == "clip_grad_value_":
        return by_value
    if not view.has(CLIP_NORM):
        return Unknown("the gradient norm before clipping was not measured", (CLIP_NORM.name,))
    norms = view[CLIP_NORM].finite
    if len(norms) < FEWEST:
        return Unknown(f"too few clipped steps were seen ({len(norms)})",
                       (f"a run with at least {FEWEST} clipped steps",))
    cut = float(np.mean(norms.values > clipping.limit))
    factor = float(np.median(norms.values)) / clipping.limit
    if not (cut >= view.limit(ALWAYS) and factor >= view.limit(FACTOR)):
        return Absent(f"clipping is too mild to throttle training ({percent(cut)} of the steps are "
                      f"clipped, and the median gradient norm is {times(factor)} the limit)")
    found = _present(
        view, clipping, left, CLIP_NORM.name, norms, f"shortens {percent(cut)} of the steps, "
        f"typically by a factor of {number(factor)}", 0.9,
        float(np.percentile(norms.values, 90)))
    return replace(found, hides_outcome=not little and factor >= PLAINLY * view.limit(FACTOR))


def _lengths(view: View) -> Series:
    """The norm of all gradients together, at the steps at which each was measured."""
    parts = [series.finite for series in view[GRADIENT_NORM].values()]
    steps = reduce(np.intersect1d, (part.steps for part in parts)) if parts else np.empty(0, int)
    squares = [part.values[np.isin(part.steps, steps)] ** 2 for part in parts]
    return Series(steps, np.sqrt(np.sum(squares, axis=0)) if parts else np.empty(0))


def _same_length(view: View, norms: Series) -> Clipping | None:
    """A clipping by hand: whatever the gradient was, it has the same norm before nearly all steps.

    The program must have changed gradients itself: those of all samples at once hardly differ
    while the weights hardly move.
    """
    changed = view.record.facts(ChangedGradient)
    if not changed or len(norms) < FEWEST:
        return None
    limit = float(np.median(norms.values))
    if not np.mean(np.abs(norms.values - limit) <= SAME * limit) >= view.limit(ALWAYS):
        return None
    return Clipping(BY_HAND, changed[0].location, limit)


def _by_value(view: View, clipping: Clipping, left: float) -> Verdict:
    """Clipping of single values gives no norm, but leaves the optimizer values at the limit."""
    shares = []
    best: Series | None = None
    for name, parameter in view.record.parameters().items():
        if name in view[GRADIENT_NORM] and len(parameter.shape) >= 2:
            series = view[GRADIENT_NORM][name]
            rms = level(series) / math.sqrt(max(math.prod(parameter.shape), 1))
            shares.append(rms / clipping.limit)
            best = best or series
    share = float(np.median(shares)) if shares else math.nan
    if best is None:
        return Unknown("no gradient of a weight matrix was measured", (GRADIENT_NORM.name,))
    if not share >= view.limit(AT_LIMIT):
        return Absent(f"a typical gradient value is only {percent(share)} of the clipping limit")
    return _present(
        view, clipping, left, GRADIENT_NORM.name, best,
        "cuts most gradient values (their root mean square is "
        f"{percent(min(share, 1.0))} of the limit)", 0.7, clipping.limit * 1e3)


def _present(
    view: View, clipping: Clipping, left: float, signal: str, series: Series, says: str,
    strength: float, fitting: float,
) -> Present:
    steps, values = thinned(series.steps, series.values)
    loss_steps, losses = loss_points(view)
    limit = number(clipping.limit)
    return Present(
        strength=strength, of_value=clipping.function != BY_HAND,
        title=f"gradient clipping at {limit} throttles the training: it {says} (usual: only "
        "occasional steps are clipped)",
        since_step=int(series.steps[0]),
        location=clipping.location,
        label=f"this limit {says}",
        evidence=(
            Evidence(signal, "", steps, values, clipping.limit,
                     f"clipping leaves updates of only {percent(left)} of the weights (median "
                     f"gradient norm {number(float(np.median(series.values)))}, limit {limit})"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss went from {number(losses[0])} to "
                     f"{number(loss_ends_at(view))}"),
        ),
        remedies=_remedies(clipping, fitting),
    )


def _remedies(clipping: Clipping, fitting: float) -> tuple[Remedy, ...]:
    without = Remedy(
        "remove the clip", Safety.CHANGES_EXPERIMENT,
        (RemoveClip(clipping.location),) if clipping.location is not None else (),
        advice="Leave out the clipping and check whether the gradient norm ever explodes.")
    if clipping.function == BY_HAND:  # a higher limit behind it would change nothing
        return (without,)
    raised = typed(fitting)
    written = expression(clipping.location)
    return (
        Remedy("raise the limit above the usual gradient norm", Safety.CHANGES_EXPERIMENT,
               (Clip(raised), Clip(typed(3 * fitting))),
               code_text=None if written is None or clipping.function != "clip_grad_norm_"
               else f"clip_grad_norm_(model.parameters(), {literal(raised)})"),
        without,
    )


CAUSE = Cause(
    slug="clipping-throttles",
    code="O005",
    title="Clipping throttles",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.PLATEAU),
    often=Often.SELDOM,
    words=Words(
        symptom="The loss falls smoothly but extremely slowly. It looks as if the learning rate "
        "were far too small, although it is a usual one.",
        consequence="Every step has the same tiny length, however large the gradient is. The "
        "training would take many times as long.",
        why="Clipping by norm scales a gradient down to the limit. If the limit is far below the "
        "usual norm, this happens at every step. The effective learning rate is then the learning "
        "rate times the limit, divided by the norm.",
        detection="At every step unstuck knows the gradient norm before clipping. Nearly all "
        "norms must be above the limit, and the typical one at least 20 times the limit. The "
        "clipped steps must be short relative to the weights, and the run must have learned "
        "little. Adam makes up for any constant factor, so its steps stay long.",
        limitations="Clipping that a program does by hand is seen only if it changes the gradients "
        "in place and cuts nearly every step to the same length. On a device other than the CPU "
        "the norm is not read because reading it would stall the device. Clipping of single values "
        "is detected only if most values of the gradients are at the limit.",
        references=(
            "Pascanu, Mikolov, Bengio 2013: Training recurrent networks (arXiv 1211.5063)",
        ),
    ),
    needs=(UPDATE_NORM, WEIGHT_NORM, TRAIN_LOSS, GRADIENT_NORM),
    uses=(CLIP_NORM,),
    thresholds=(ALWAYS, FACTOR, SLOW, AT_LIMIT, CRAWLS),
    shows=Effect.GRADIENTS_TOO_LARGE,
    effects=(Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    needs_trend=True,
    detect=_detect,
)
