"""Unstable batch norm: batch statistics come from so few values that they are mostly noise."""

from __future__ import annotations

import math
import re

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    GOOD_SKILL,
    POOR_SKILL,
    called,
    failed,
    learned_little,
    level,
    loss_points,
    thinned,
)
from unstuck.edits import Remedy, ReplaceLayer, Safety
from unstuck.facts import LayerRole, SourceLocation
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import (
    BATCH_NORM_GAP,
    BATCH_NORM_VALUES,
    CONSTANT_LOSS,
    HELD_OUT_LOSS,
    SEEN_LOSS,
    TRAIN_IN_VALIDATION,
    TRAIN_LOSS,
)

FEW = Threshold(
    "few-values", 8.0,
    "The mean of eight values strays by a third of their deviation, so that what a sample becomes "
    "depends as much on its neighbours as on itself.",
    "Wu and He 2018: the error of batch normalisation grows steeply below eight samples",
)
VERY_FEW = Threshold(
    "very-few-values", 4.0,
    "The mean of four values strays by half of their deviation; where little is learned this is "
    "reason enough even if the program never evaluates its model.",
    "the standard error of a mean",
)
APART = Threshold(
    "loss-apart", 1.3,
    "Training and evaluation of the same weights differ somewhat by dropout and by overfitting.",
    "a choice: between a half and a fifth of the loss",
)
WORSE = Threshold(
    "evaluation-worse", 2.0,
    "A model that is much worse in eval mode, while it fits in train mode, was fitted to the "
    "statistics of its batches.",
    "a choice: overfitting alone seldom doubles the best held-out loss",
)
GAP = Threshold(
    "statistics-gap", 0.5,
    "In a healthy layer the two modes differ by the noise of the batch statistics: 0.2 standard "
    "deviations at 32 independent values.",
    "the square root of 1.5 over the number of values gives 0.5 at six",
)

_PAIR = 2.0  # two values always become -1 and 1: no size survives at all
_CRASH = re.compile(r"Expected more than 1 value per channel when training")
_SIZE = re.compile(r"\[(\d+(?:, ?\d+)*)\]")
_WINDOW = 50  # steps before an evaluation that it is compared with


def _detect(view: View) -> Verdict:
    message = view.facts.end.message or ""
    if _CRASH.search(message):
        return _crashed(view, message)
    if not view.has(BATCH_NORM_VALUES):
        if any(model.compiled for model in view.facts.models):
            return Unknown("the layers of a compiled model were not seen",
                           (BATCH_NORM_VALUES.name,))
        return Absent("no batch normalisation layer was called in train mode")
    values = {name: s.finite for name, s in view[BATCH_NORM_VALUES].items()}
    typical = {name: n for name, s in values.items() if (n := level(s)) >= 1}
    if not typical:
        return Unknown("how many values were normalised is not known", (BATCH_NORM_VALUES.name,))
    few = {name: n for name, n in typical.items() if n <= view.limit(FEW)}
    if few:
        layer = min(few, key=lambda name: few[name])
        return _few(view, layer, values[layer], few[layer])
    return _apart(view, typical)


# Few values --------------------------------------------------------------------------------------
def _few(view: View, layer: str, series: Series, number: float) -> Verdict:
    outcome = view.outcome
    pair = number <= _PAIR
    if outcome.kind in (OutcomeKind.TOO_SHORT, OutcomeKind.CRASHED) and not pair:
        return Unknown(f"{called(layer)} has {number:.0f} values per channel; whether the run "
                       "suffers is too early to tell", ("a run of more steps",))
    ratio = _evaluated(view, layer)
    little = learned_little(outcome) or (outcome.kind is OutcomeKind.TOO_SHORT and pair)
    very_few, poor = number <= view.limit(VERY_FEW), _poor_evaluation(view)
    apart = ratio is not None and abs(math.log(ratio)) >= math.log(
        view.limit(APART))
    worse = ratio is not None and ratio >= view.limit(WORSE)
    if ratio is None:
        strength = 0.8 if little and very_few else 0.35
    elif little and apart:
        strength = 0.9
    elif worse and poor:
        strength = 0.8
    elif pair and (failed(outcome) or (outcome.skill is not None and outcome.skill < GOOD_SKILL)):
        strength = 0.7
    else:
        strength = 0.6 if very_few and little else 0.3
    share = 1 / math.sqrt(number)
    title = (f"{called(layer)} takes its statistics from {number:.0f} values per channel: their "
             f"mean strays by {100 * share:.0f} % of their deviation")
    evidence = [Evidence(
        BATCH_NORM_VALUES.name, layer, *thinned(series.steps, series.values), view.limit(FEW),
        f"{called(layer)} normalises by the mean and deviation of {number:.0f} values in a "
        "typical batch")]
    if ratio is not None and strength >= 0.5:
        evidence.append(_loss_evidence(view, ratio))
    return Present(
        strength=strength, title=title, since_step=0, location=_location(view, layer),
        label=f"only {number:.0f} values per channel to take a mean and a deviation from",
        evidence=tuple(evidence), remedies=_remedies(view, layer),
    )


def _remedies(view: View, layer: str) -> tuple[Remedy, ...]:
    known = view.facts.layers().get(layer)
    shapes = view.facts.parameters()
    width = next((shapes[p].shape[0] for p in known.parameters if shapes[p].shape), 0) if (
        known is not None) else 0
    groups = next((g for g in (32, 16, 8, 4, 2) if width and width % g == 0 and width > g), 1)
    return (
        Remedy("larger batches", Safety.ADVICE,
               advice="Give each batch 16 samples or more, and drop an incomplete last one.",
               code_text="DataLoader(..., batch_size=32, drop_last=True)"),
        Remedy("normalise within each sample", Safety.CHANGES_EXPERIMENT,
               (ReplaceLayer(layer, f"GroupNorm({groups}, {width or 'channels'})"),)),
    )


def _location(view: View, layer: str) -> SourceLocation | None:
    known = view.facts.layers().get(layer)
    return known.location if known is not None else None


# What the evaluation says ------------------------------------------------------------------------
def _evaluated(view: View, layer: str) -> float | None:
    """Loss in eval mode over that in train mode, at the last evaluations; None if unknown."""
    modes = view[TRAIN_IN_VALIDATION] if view.has(TRAIN_IN_VALIDATION) else {}
    if not view.has(TRAIN_LOSS) or (layer in modes and bool((modes[layer].values > 0).any())):
        return None
    train = view[TRAIN_LOSS].finite
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        series = view[signal].finite if view.has(signal) else None
        if series is None or not len(series):
            continue
        ratios = []
        last = max(1, len(series) // 3)
        for step, value in zip(series.steps[-last:], series.values[-last:], strict=True):
            near = train.values[(train.steps < step) & (train.steps >= step - _WINDOW)]
            mean = float(np.mean(near)) if len(near) else math.nan
            if mean > 0 and (ratio := float(value) / mean) > 0:
                ratios.append(ratio)
        if ratios:
            return float(np.median(ratios))
    return None


def _poor_evaluation(view: View) -> bool:
    """Whether the best loss in eval mode gains less than half of what there was, unlike train."""
    if not view.has(CONSTANT_LOSS):
        return False
    constant = level(view[CONSTANT_LOSS])
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        values = view[signal].finite.values if view.has(signal) else np.zeros(0)
        if len(values):
            return constant > 0 and 1 - float(values.min()) / constant < POOR_SKILL
    return False


def _loss_evidence(view: View, ratio: float) -> Evidence:
    says = (f"the same weights cost {ratio:.2g} times as much in eval mode" if ratio >= 1
            else f"the same weights cost only {ratio:.2g} times as much in eval mode")
    return Evidence(TRAIN_LOSS.name, "", *loss_points(view), None, says)


# Many values that are alike ----------------------------------------------------------------------
def _apart(view: View, typical: dict[str, float]) -> Verdict:
    """Many values, but the batches' statistics are far from those that evaluation will use."""
    least = min(typical.values())
    calm = Absent(f"batch normalisation has {least:.0f} values per channel or more")
    if not view.has(BATCH_NORM_GAP) or view.outcome.kind is OutcomeKind.TOO_SHORT:
        return calm
    late = {name: s.finite.since(view.facts.steps // 2) for name, s in view[BATCH_NORM_GAP].items()}
    wide = {name: level(s) for name, s in late.items() if len(s) >= 2}
    wide = {name: gap for name, gap in wide.items() if gap >= view.limit(GAP)}
    if not wide:
        return calm
    layer = next(iter(wide))  # the first in the network: which gap is widest varies
    ratio = _evaluated(view, layer)
    if ratio is None:
        return Unknown(f"{called(layer)} does something else in eval mode, but no evaluation in "
                       "eval mode was seen", (HELD_OUT_LOSS.name,))
    suffers = ratio >= view.limit(WORSE) and _poor_evaluation(view)
    if not suffers:
        return Absent("the batches' statistics scatter, but the evaluation does not suffer")
    series = view[BATCH_NORM_GAP][layer].finite
    return Present(
        strength=0.75,
        title=f"{called(layer)} puts out values {wide[layer]:.2g} standard deviations apart in "
        f"train and eval mode, and the loss is {ratio:.2g} times as high in eval mode",
        since_step=0, location=_location(view, layer),
        label="normalises differently in train mode and in eval mode",
        evidence=(
            Evidence(BATCH_NORM_GAP.name, layer, *thinned(series.steps, series.values),
                     view.limit(GAP), f"{wide[layer]:.2g} standard deviations lie between the "
                     "two modes' results for one batch"),
            _loss_evidence(view, ratio),
        ),
        remedies=_remedies(view, layer),
    )


# The error ---------------------------------------------------------------------------------------
def _crashed(view: View, message: str) -> Present:
    """PyTorch refused to normalise a single value."""
    end = view.facts.end
    found = _SIZE.search(message)
    size = [int(n) for n in found[1].split(",")] if found else []
    layers = [
        layer for layer in view.facts.layers().values()
        if layer.role is LayerRole.NORMALISATION and layer.kind.startswith(("Batch", "LazyBatch"))
    ]
    fitting = [
        layer for layer in layers if len(size) > 1 and any(
            view.facts.parameters()[p].shape == (size[1],) for p in layer.parameters)
    ]
    layer = fitting[0] if len(fitting) == 1 else None
    step = view.facts.steps
    location = layer.location if layer is not None and layer.location is not None else end.location
    shape = f"[{', '.join(map(str, size))}]" if size else "one sample"
    return Present(
        strength=0.95,
        title=f"batch normalisation in train mode got 1 value per channel, from an input of "
        f"{shape}, and the program ended",
        since_step=step, location=location,
        label="a single value has no deviation to divide by",
        evidence=(Evidence(
            BATCH_NORM_VALUES.name, layer.name if layer is not None else "", (step,), (1.0,),
            view.limit(FEW), "PyTorch refuses to take statistics of 1 value"),),
        remedies=(
            Remedy("no batch of one sample", Safety.ADVICE,
                   advice="Drop an incomplete last batch, or use larger batches; where nothing is "
                   "learned, call model.eval() first.",
                   code_text="DataLoader(..., drop_last=True)  # or model.eval() to predict"),
        ),
    )


CAUSE = Cause(
    slug="unstable-batch-norm",
    code="P010",
    title="Unstable batch norm",
    family="Program",
    # Gated by the strength: what is harmless is a note. An error of PyTorch's always counts.
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The training loss is noisy and stays high, or the loss in eval mode is far from "
        "that in train mode for the same weights.",
        consequence="What a sample becomes depends on the few others that happen to share its "
        "batch; the network cannot use the size of a feature, and what it learns in training "
        "does not fit the running averages that evaluation uses.",
        why="In train mode batch normalisation subtracts the batch's own mean and divides by its "
        "own deviation. Of n values the mean strays by one over the root of n of the deviation; "
        "two values always become minus and plus one, and a single one is refused with an error.",
        detection="The values per channel (samples times places) that each batch normalisation "
        "layer in train mode receives are counted at sampled steps; the typical batch decides, so "
        "that a small last batch does not matter. It is a finding if few values come together "
        "with a run that learned little and whose two modes disagree, or with an evaluation that "
        "is much worse. Layers in eval mode, and normalisation within a sample, do not count.",
        limitations="Batch normalisation that is a function and no layer is not seen, nor what "
        "several processes share. A few values without harm are a note. With five to eight values "
        "and no evaluation in eval mode it stays a note, too.",
        references=(
            "Ioffe and Szegedy 2015: Batch normalization",
            "Ioffe 2017: Batch renormalization",
            "Wu and He 2018: Group normalization",
        ),
    ),
    needs=(),
    uses=(BATCH_NORM_VALUES, BATCH_NORM_GAP, TRAIN_LOSS, HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS,
          TRAIN_IN_VALIDATION),
    thresholds=(FEW, VERY_FEW, APART, WORSE, GAP),
    explains=("learning-rate-too-high", "learning-rate-too-low", "dead-relu", "noise-floor",
              "vanishing-gradients", "exploding-gradients"),
    detect=_detect,
)
