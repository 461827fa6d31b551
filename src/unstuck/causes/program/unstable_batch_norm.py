"""Unstable batch norm: the statistics come from so few values, or batches, that they are noise."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from unstuck.measures.basics import (
    GOOD_SKILL,
    failed,
    learned_little,
    level,
    loss_points,
    thinned,
)
from unstuck.measures.evaluation import eval_over_train, poor_evaluation
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    BatchSize,
    DropLast,
    Edit,
    LayerArgument,
    Remedy,
    ReplaceLayer,
    Safety,
    Together,
)
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.models import LayerRole, Model
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.modes import BATCH_NORM_GAP, BATCH_NORM_VALUES, TRAIN_IN_VALIDATION
from unstuck.words import called, count, number, percent, times

FEW = Threshold(
    "few-values", 8.0,
    "The mean of eight values is uncertain by a third of their standard deviation, so the "
    "normalised value of a sample depends strongly on the rest of its batch.",
    "Wu and He 2018: the error of batch normalisation grows steeply below eight samples",
)
VERY_FEW = Threshold(
    "very-few-values", 4.0,
    "The mean of four values is uncertain by half of their standard deviation. If the network "
    "learns little, this is reason enough even when the program never evaluates its model.",
    "the standard error of a mean",
)
APART = Threshold(
    "loss-apart", 1.3,
    "With the same weights, the losses of training and evaluation differ somewhat because of "
    "dropout and overfitting.",
    "a choice: between a fifth and a half of the loss",
)
WORSE = Threshold(
    "evaluation-worse", 2.0,
    "A model that fits in train mode but is much worse in eval mode was fitted to the statistics "
    "of its batches.",
    "a choice: overfitting alone seldom doubles the best held-out loss",
)
FOLLOWS = Threshold(
    "momentum-that-forgets", 0.75,
    "Running statistics of which a batch replaces three quarters are those of the last batches.",
    "the weight of the newest batch is 0.1 by default; Keras's 0.99 for the old ones is 0.01 here",
)
UNMOVED = Threshold(
    "start-that-is-left", 0.1,
    "Running statistics begin at a mean of 0 and a variance of 1. A tenth of that beside nine "
    "tenths of what was measured is no longer a large part.",
    "a choice: with the default momentum it takes 22 batches",
)
ROUGH = Threshold(
    "uncertain-mean", 0.15,
    "The mean of a single batch that is uncertain by so many standard deviations moves what all "
    "later layers get.",
    "one over the square root of 45 values",
)
GAP = Threshold(
    "statistics-gap", 0.5,
    "In a healthy layer the two modes differ only by the noise of the batch statistics, which is "
    "0.2 standard deviations at 32 independent values.",
    "the square root of 1.5 over the number of values is 0.5 at six values",
)

_PAIR = 2.0  # two values always become -1 and 1: no size survives at all
_CRASH = re.compile(r"Expected more than 1 value per channel when training")
_SIZE = re.compile(r"\[(\d+(?:, ?\d+)*)\]")


def _detect(view: View) -> Verdict:
    message = view.record.end.message or ""
    if _CRASH.search(message):
        return _crashed(view, message)
    if not view.has(BATCH_NORM_VALUES):
        if any(model.compiled for model in view.record.facts(Model)):
            return Unknown("the layers of a compiled model cannot be observed",
                           ("a run without torch.compile",))
        return Absent("no batch normalisation layer was called in train mode")
    values = {name: s.finite for name, s in view[BATCH_NORM_VALUES].items()}
    typical = {name: n for name, s in values.items() if (n := level(s)) >= 1}
    if not typical:
        return Unknown("the number of values per channel was not recorded",
                       (BATCH_NORM_VALUES.name,))
    followed = _last_batch(view, values, typical)
    if followed is not None:
        return followed
    unmoved = _unmoved(view, typical)
    if unmoved is not None:
        return unmoved
    few = {name: n for name, n in typical.items() if n <= view.limit(FEW)}
    if few:
        layer = min(few, key=lambda name: few[name])
        return _few(view, layer, values[layer], few[layer])
    return _apart(view, typical)


# Running statistics of the last batch alone ------------------------------------------------------
def _last_batch(
    view: View, values: Mapping[str, Series], typical: Mapping[str, float]
) -> Present | None:
    """Layers whose running statistics are hardly more than those of the last batch."""
    layers = view.record.layers()
    momenta = {name: momentum for name in typical
               if name in layers and (momentum := layers[name].momentum) is not None
               and momentum >= view.limit(FOLLOWS)}
    layer = min(momenta, key=lambda name: typical[name], default=None)
    ratio = eval_over_train(view, layer) if layer is not None else None
    if layer is None or ratio is None:
        return None  # what no evaluation uses does no harm
    momentum, error = momenta[layer], 1 / math.sqrt(typical[layer])
    suffers = ratio >= view.limit(WORSE) or error >= view.limit(ROUGH)
    kinds = sorted({layers[name].kind for name in momenta})
    evidence = [Evidence(
        BATCH_NORM_VALUES.name, layer, *thinned(values[layer].steps, values[layer].values), None,
        f"{called(layer)} gets {count(round(typical[layer]), 'value')} per channel from a typical "
        f"batch, so the mean of one batch is uncertain by {percent(error)} of their standard "
        "deviation")]
    if ratio >= view.limit(APART):
        evidence.append(_loss_evidence(view, ratio))
    return Present(
        strength=0.85 if suffers else 0.3, since_step=0, location=layers[layer].location,
        title=f"evaluation uses the statistics of the last batch: with a momentum of "
        f"{number(momentum)}, {called(layer)} forgets {percent(momentum)} of its running mean at "
        "each batch (PyTorch's default: 10 %)",
        label=f"a momentum of {number(momentum)} keeps only {percent(1 - momentum)} of what was "
        "there",
        evidence=tuple(evidence),
        remedies=(Remedy(
            "average over more batches", Safety.SAFE,
            tuple(_momentum(kinds, value) for value in ("0.1", "0.01")),
            advice="In PyTorch the momentum is the weight of the newest batch: what Keras calls "
            f"{number(momentum)} is {number(round(1 - momentum, 6))} here."),),
    )


def _unmoved(view: View, typical: Mapping[str, float]) -> Present | None:
    """Layers whose running statistics are still in part those that they were built with."""
    if not view.has(BATCH_NORM_GAP):
        return None
    layers, gaps = view.record.layers(), view[BATCH_NORM_GAP]
    left = {name: (1 - momentum) ** view.record.steps for name in typical
            if name in layers and (momentum := layers[name].momentum) is not None
            and 0 <= momentum < 1 and name in gaps and len(gaps[name].finite)
            and gaps[name].finite.values[-1] >= view.limit(GAP)}
    layer = max(left, key=lambda name: left[name], default=None)
    ratio = eval_over_train(view, layer) if layer is not None else None
    if layer is None or ratio is None or not (
            left[layer] >= view.limit(UNMOVED) and ratio >= view.limit(WORSE)):
        return None
    momentum = layers[layer].momentum or 0.0
    kinds = sorted({layers[name].kind for name in left})
    return Present(
        strength=0.85, since_step=0, location=layers[layer].location,
        title=f"evaluation uses statistics that {called(layer)} was built with: with a momentum of "
        f"{number(momentum)}, {percent(left[layer])} of its running mean are still the 0 of the "
        f"start after {count(view.record.steps, 'batch')}",
        label=f"a momentum of {number(momentum)} takes in {percent(momentum)} of each batch "
        "(PyTorch's default: 10 %)",
        evidence=(_gap_evidence(view, layer, float(gaps[layer].finite.values[-1])),
                  _loss_evidence(view, ratio)),
        remedies=(Remedy("take in more of each batch", Safety.SAFE,
                         tuple(_momentum(kinds, value) for value in ("0.1", "0.01"))),),
    )


def _momentum(kinds: list[str], value: str) -> Edit:
    edits = tuple(LayerArgument(kind, "momentum", value) for kind in kinds)
    return edits[0] if len(edits) == 1 else Together(
        edits, f"set the momentum of each batch normalisation to {value}")


# Few values --------------------------------------------------------------------------------------
def _few(view: View, layer: str, series: Series, typical: float) -> Verdict:
    outcome = view.outcome
    pair, values = typical <= _PAIR, count(round(typical), "value")
    if outcome.kind in (OutcomeKind.TOO_SHORT, OutcomeKind.CRASHED) and not pair:
        return Unknown(f"{called(layer)} gets only {values} per channel, but it is too early to "
                       "say whether the run suffers from it", ("a longer run",))
    ratio = eval_over_train(view, layer)
    little = learned_little(outcome) or (outcome.kind is OutcomeKind.TOO_SHORT and pair)
    very_few, poor = typical <= view.limit(VERY_FEW), poor_evaluation(view)
    apart = ratio is not None and abs(math.log(ratio)) >= math.log(view.limit(APART))
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
    title = (f"{called(layer)} computes its batch statistics from only {values} per channel, so "
             f"their mean is uncertain by {percent(1 / math.sqrt(typical))} of their standard "
             "deviation")
    evidence = [Evidence(
        BATCH_NORM_VALUES.name, layer, *thinned(series.steps, series.values), view.limit(FEW),
        f"{called(layer)} gets {values} per channel from a typical batch (healthy: more than "
        f"{number(view.limit(FEW))})")]
    if ratio is not None and strength >= 0.5:
        evidence.append(_loss_evidence(view, ratio))
    return Present(
        strength=strength, title=title, since_step=0, location=_location(view, layer),
        of_value=very_few,
        label=f"only {values} per channel for a mean and a standard deviation",
        evidence=tuple(evidence), remedies=_remedies(view, layer),
    )


def _remedies(view: View, layer: str) -> tuple[Remedy, ...]:
    return (
        Remedy("larger batches", Safety.CHANGES_EXPERIMENT, (BatchSize(32), BatchSize(64)),
               advice="Give each batch at least 16 samples, and drop an incomplete last batch.",
               code_text="DataLoader(..., batch_size=32, drop_last=True)"),
        Remedy("normalise within each sample", Safety.CHANGES_EXPERIMENT,
               (_in_groups(view, layer),)),
    )


def _in_groups(view: View, layer: str) -> Edit:
    """Group normalisation in the place of each batch normalisation: all see the same batches."""
    shapes = view.record.parameters()
    edits: list[Edit] = []
    for name, known in view.record.layers().items():
        width = next((shapes[p].shape[0] for p in known.parameters if shapes[p].shape), 0)
        if width and (name == layer or known.kind.startswith("BatchNorm")):
            groups = next((g for g in (32, 16, 8, 4, 2) if width % g == 0 and width > g), 1)
            edits.append(ReplaceLayer(name, f"GroupNorm({groups}, {width})"))
    if not edits:
        return ReplaceLayer(layer, "GroupNorm(1, channels)")
    return edits[0] if len(edits) == 1 else Together(
        tuple(edits), "replace each batch normalisation with a group normalisation")


def _location(view: View, layer: str) -> SourceLocation | None:
    known = view.record.layers().get(layer)
    return known.location if known is not None else None


def _gap_evidence(view: View, layer: str, gap: float) -> Evidence:
    series = view[BATCH_NORM_GAP][layer].finite
    return Evidence(
        BATCH_NORM_GAP.name, layer, *thinned(series.steps, series.values), view.limit(GAP),
        f"for the same batch, the two modes give outputs that differ by {number(gap)} standard "
        f"deviations (healthy: under {number(view.limit(GAP))})")


def _loss_evidence(view: View, ratio: float) -> Evidence:
    says = (f"with the same weights, the loss in eval mode is {times(ratio)} the loss in train "
            "mode (expected: about the same)")
    return Evidence(TRAIN_LOSS.name, "", *loss_points(view), None, says)


# Many values that are alike ----------------------------------------------------------------------
def _apart(view: View, typical: dict[str, float]) -> Verdict:
    """Many values, but the batches' statistics are far from those that evaluation will use."""
    least = min(typical.values())
    calm = Absent(
        f"a typical batch has {count(round(least), 'value')} or more per channel for each layer")
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        return calm
    middle = view.record.steps // 2
    gaps = view[BATCH_NORM_GAP].items() if view.has(BATCH_NORM_GAP) else ()
    late = {name: s.finite.since(middle) for name, s in gaps}
    if any(len(late.get(name, ())) < 2 and (eval_over_train(view, name) or 0) >= view.limit(WORSE)
           for name in typical):
        return Unknown("the loss is worse in eval mode, and the outputs of the two modes were "
                       "compared too seldom", (BATCH_NORM_GAP.name,))
    wide = {name: level(s) for name, s in late.items() if len(s) >= 2}
    wide = {name: gap for name, gap in wide.items() if gap >= view.limit(GAP)}
    if not wide:
        return calm
    layer = next(iter(wide))  # the first in the network: which gap is widest varies
    ratio = eval_over_train(view, layer)
    if ratio is None:
        return Unknown(f"{called(layer)} behaves differently in eval mode, but the program never "
                       "evaluates the model in eval mode", (HELD_OUT_LOSS.name,))
    suffers = ratio >= view.limit(WORSE) and poor_evaluation(view)
    if not suffers:
        return Absent("the batch statistics vary, but the loss in eval mode does not suffer")
    return Present(
        strength=0.75,
        title=f"the outputs of {called(layer)} differ by {number(wide[layer])} standard deviations "
        f"between train and eval mode, and the loss is {times(ratio)} as high in eval mode",
        since_step=0, location=_location(view, layer),
        label="normalises differently in train mode and in eval mode",
        evidence=(_gap_evidence(view, layer, wide[layer]), _loss_evidence(view, ratio)),
        remedies=_remedies(view, layer),
    )


def _loader(view: View) -> SourceLocation | None:
    """The first loader of batches."""
    return next((x.location for x in view.record.facts(Loader) if x.location is not None), None)


# The error ---------------------------------------------------------------------------------------
def _crashed(view: View, message: str) -> Present:
    """PyTorch refused to normalise a single value."""
    end = view.record.end
    found = _SIZE.search(message)
    size = [int(n) for n in found[1].split(",")] if found else []
    layers = [
        layer for layer in view.record.layers().values()
        if layer.role is LayerRole.NORMALISATION and layer.kind.startswith(("Batch", "LazyBatch"))
    ]
    fitting = [
        layer for layer in layers if len(size) > 1 and any(
            view.record.parameters()[p].shape == (size[1],) for p in layer.parameters)
    ]
    layer = fitting[0] if len(fitting) == 1 else None
    step = view.record.steps
    location = layer.location if layer is not None and layer.location is not None else end.location
    given = f"input shape [{', '.join(map(str, size))}]" if size else "an input of one sample"
    return Present(
        strength=0.95,
        title="the program crashed because batch normalisation in train mode received only 1 "
        f"value per channel ({given})",
        since_step=step, location=location,
        label="a single value has no standard deviation to divide by",
        evidence=(Evidence(
            BATCH_NORM_VALUES.name, layer.name if layer is not None else "", (step,), (1.0,),
            view.limit(FEW), "PyTorch raises an error for batch statistics of 1 value"),),
        remedies=(
            Remedy("avoid batches of one sample", Safety.SAFE, (DropLast(_loader(view)),),
                   advice="Drop an incomplete last batch, or use larger batches. Before you only "
                   "predict, call model.eval().",
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
    symptoms=(Symptom.EVAL, Symptom.OVERFITS),
    words=Words(
        symptom="The training loss is noisy and stays high. Or, with the same weights, the loss in "
        "eval mode is far from the loss in train mode.",
        consequence="The output for a sample depends on the few other samples that happen to share "
        "its batch. The network cannot use the size of a feature. What it learns in training does "
        "not fit the running averages that evaluation uses.",
        why="In train mode, batch normalisation subtracts the mean of the batch and divides by its "
        "standard deviation. The mean of n values is uncertain by one standard deviation over the "
        "square root of n. Two values always become -1 and 1, and PyTorch refuses a single value "
        "with an error.",
        detection="A momentum of three quarters or more leaves the running statistics to the last "
        "batch: a finding if evaluation uses them, and is much worse or the batches are small. A "
        "tiny one leaves them at the values that they were built with. At sampled steps, unstuck "
        "counts the values per channel (samples times positions) that each batch normalisation "
        "layer receives in train mode. The typical batch decides, so a small last batch does not "
        "matter. Few values become a finding if the run learned little and its loss differs "
        "between the two modes, or if evaluation is much worse. Layers in eval mode, and "
        "normalisation within a sample, do not count.",
        limitations="Batch normalisation that is called as a function is not seen. Statistics that "
        "several processes share are not seen either. Few values that do no harm are only a note. "
        "With five to eight values and no evaluation in eval mode, the finding stays a note too.",
        references=(
            "Ioffe and Szegedy 2015: Batch normalization",
            "Ioffe 2017: Batch renormalization",
            "Wu and He 2018: Group normalization",
        ),
    ),
    needs=(),
    uses=(BATCH_NORM_VALUES, BATCH_NORM_GAP, TRAIN_LOSS, HELD_OUT_LOSS, SEEN_LOSS, CONSTANT_LOSS,
          TRAIN_IN_VALIDATION),
    thresholds=(FEW, VERY_FEW, APART, WORSE, FOLLOWS, UNMOVED, ROUGH, GAP),
    effects=(Effect.SAMPLES_FEW, Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH,
             Effect.UPDATES_TOO_SMALL, Effect.PLATEAU),
    detect=_detect,
)
