"""Clipping throttles: a gradient clip so tight that every step is cut to almost nothing."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    expression,
    learned_little,
    level,
    loss_points,
    nan_median,
    thinned,
    weight_updates,
)
from unstuck.edits import Clip, Remedy, Safety, literal
from unstuck.facts import Clipping
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import CLIP_NORM, GRADIENT_NORM, TRAIN_LOSS, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import number, percent

ALWAYS = Threshold(
    "clipped-steps", 0.9,
    "A clip is for the odd explosion; one that cuts nine steps of ten sets the length of all.",
    "Pascanu et al. 2013 set it between half and ten times the average norm",
)
FACTOR = Threshold(
    "cut-by", 20.0,
    "Cutting by a small factor is usual in recurrent networks and transformers; by twenty it is "
    "another learning rate.",
    "healthy zoo programs are cut by 10 at most",
)
SLOW = Threshold(
    "throttled-update", 2e-3,
    "What is left of the steps moves the weights by no more than about the usual thousandth; an "
    "optimizer that rescales (Adam) makes up for any clip.",
    "CS231n: about 1e-3 is usual",
)
AT_LIMIT = Threshold(
    "elements-at-limit", 0.7,
    "Where the root mean square of a clipped gradient is near the limit for single values, most of "
    "its values are at the limit.",
    "it is 1 where all are",
)
FEWEST = 10  # clipped steps


def _detect(view: View) -> Verdict:
    clippings = view.facts.clippings
    if not clippings:
        return Absent("no call that clips gradients was seen")
    limits = {c.limit for c in clippings}
    if len(limits) > 1 or len({c.function for c in clippings}) > 1:
        return Unknown("gradients are clipped at several limits, and it was not told apart which "
                       "cut what", ("one clipping at a time",))
    clipping = clippings[0]
    if not clipping.limit > 0 or math.isinf(clipping.limit):
        return Absent(f"the limit {number(clipping.limit)} clips nothing")
    if not learned_little(view.outcome) or view.outcome.kind in (
        OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.CRASHED, OutcomeKind.TOO_SHORT,
    ):
        return Absent("the run does not suffer from short steps")
    updates = weight_updates(view)
    left = float(np.nanmax(nan_median(updates.ratios, axis=1))) if updates.names else math.nan
    if not math.isfinite(left):
        return Unknown("no update of a weight matrix was measured", (UPDATE_NORM.name,))
    if not left <= view.limit(SLOW):
        return Absent(f"the steps are long enough: {percent(left)} of the weights")
    by_value = _by_value(view, clipping, left)
    if clipping.function == "clip_grad_value_":
        return by_value
    if not view.has(CLIP_NORM):
        return Unknown("the norm before clipping was not measured", (CLIP_NORM.name,))
    norms = view[CLIP_NORM].finite
    if len(norms) < FEWEST:
        return Unknown(f"only {len(norms)} clipped steps were seen", ("a run of more steps",))
    cut = float(np.mean(norms.values > clipping.limit))
    factor = float(np.median(norms.values)) / clipping.limit
    if not (cut >= view.limit(ALWAYS) and factor >= view.limit(FACTOR)):
        return Absent(f"{percent(cut)} of the steps are clipped, the typical one by a factor of "
                      f"{number(max(factor, 1.0))}")
    return _present(
        view, clipping, left, CLIP_NORM.name, norms, f"{percent(cut)} of all steps are cut, the "
        f"typical one to 1/{factor:.0f} of its length", 0.9,
        float(np.percentile(norms.values, 90)))


def _by_value(view: View, clipping: Clipping, left: float) -> Verdict:
    """Clipping of single values tells no norm; what the optimizer saw then lies at the limit."""
    shares = []
    best: Series | None = None
    for name, parameter in view.facts.parameters().items():
        if name in view[GRADIENT_NORM] and len(parameter.shape) >= 2:
            series = view[GRADIENT_NORM][name]
            rms = level(series) / math.sqrt(max(math.prod(parameter.shape), 1))
            shares.append(rms / clipping.limit)
            best = best or series
    share = float(np.median(shares)) if shares else math.nan
    if best is None or not share >= view.limit(AT_LIMIT):
        return Absent(f"the gradients are at {percent(share)} of the limit for single values"
                      if shares else "no gradient of a matrix was measured")
    return _present(
        view, clipping, left, GRADIENT_NORM.name, best,
        f"the gradient's values are at {percent(min(share, 1.0))} of the limit "
        f"{number(clipping.limit)} in all matrices", 0.7, clipping.limit * 1e3)


def _present(
    view: View, clipping: Clipping, left: float, signal: str, series: Series, says: str,
    strength: float, fitting: float,
) -> Present:
    steps, values = thinned(series.steps, series.values)
    loss_steps, losses = loss_points(view)
    limit = number(clipping.limit)
    raised = float(f"{fitting:.1g}")
    written = expression(clipping.location)
    return Present(
        strength=strength,
        title=f"gradients are clipped at {limit}: {says}, and moves the weights by "
        f"{percent(left)} of their size",
        since_step=int(series.steps[0]),
        location=clipping.location,
        label=says if len(says) <= 110 else f"the limit {limit} cuts all steps",
        evidence=(
            Evidence(signal, "", steps, values, clipping.limit,
                     f"the typical gradient norm is {number(float(np.median(series.values)))}, the "
                     f"limit {limit}"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss went from {number(losses[0])} to {number(losses[-1])}"),
        ),
        remedies=(
            Remedy("raise the limit above the usual norm", Safety.CHANGES_EXPERIMENT,
                   (Clip(raised), Clip(float(f"{3 * fitting:.1g}"))),
                   code_text=None if written is None or clipping.function != "clip_grad_norm_"
                   else f"clip_grad_norm_(model.parameters(), {literal(raised)})"),
            Remedy("remove the clip", Safety.CHANGES_EXPERIMENT,
                   advice="Leave the clipping out, and see whether the norm ever explodes."),
        ),
    )


CAUSE = Cause(
    slug="clipping-throttles",
    code="O005",
    title="Clipping throttles",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss falls smoothly and extremely slowly, as with a far too small learning "
        "rate, although the rate is a usual one.",
        consequence="Every step has the same tiny length, however large the gradient is, and the "
        "training would need many times as long.",
        why="Clipping by norm scales a gradient down to the limit. With a limit far below the "
        "usual norm this happens at every step, so that the rate in effect is the rate times the "
        "limit over the norm.",
        detection="The norm before clipping is known for every step. Nearly all of them must be "
        "above the limit, the typical one by a factor of twenty or more, the steps that are left "
        "must be short against the weights, and the run must have learned little. Adam makes up "
        "for any constant factor, so its steps stay long.",
        limitations="Clipping that a program does by hand is not seen. On a device other than "
        "the CPU the norm is not read, for that would wait for it. For clipping of single values "
        "only gradients that lie at the limit everywhere count.",
        references=(
            "Pascanu, Mikolov, Bengio 2013: Training recurrent networks (arXiv 1211.5063)",
        ),
    ),
    needs=(UPDATE_NORM, WEIGHT_NORM, TRAIN_LOSS, GRADIENT_NORM),
    uses=(CLIP_NORM,),
    thresholds=(ALWAYS, FACTOR, SLOW, AT_LIMIT),
    explains=("learning-rate-too-low", "noise-floor"),
    needs_trend=True,
    detect=_detect,
)
