"""Inputs not normalised: what reaches the first layer is far from mean 0 and variance 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import ratio
from unstuck.measures.basics import first_model, last, learned_little
from unstuck.measures.origins import inputs_given
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import InsertLayer, NormaliseInputs, Remedy, Safety
from unstuck.schema.facts.models import LayerRole, Model
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.inputs import INPUT_DEVIATION, INPUT_MEAN
from unstuck.words import MOST_TIMES, joined, number, times

LARGE = Threshold(
    "large-inputs", 10.0,
    "Initialisers assume inputs of about size 1. At ten times that size, the gradient of the first "
    "layer is ten times as large, and the loss surface is a hundred times as curved along its "
    "weights. Pixels in 0..16 stay below this limit, pixels in 0..255 do not.",
    "LeCun et al. 1998, Efficient BackProp, 4.3: the Hessian grows with the inputs' second moment",
)
TINY = Threshold(
    "tiny-inputs", 0.01,
    "At a hundredth of the assumed size, the gradient of the first layer's weights almost vanishes "
    "next to that of its bias.",
    "the same argument for small inputs",
)
SPREAD = Threshold(
    "feature-spread", 100.0,
    "If feature scales differ 100-fold, the loss surface is 10,000 times as curved along one "
    "weight as along another, and no single learning rate suits both.",
    "condition number of the inputs' second moments, LeCun et al. 1998",
)
SHIFT = Threshold(
    "mean-over-deviation", 10.0,
    "If the mean is ten times the standard deviation, nearly everything that the first layer sees "
    "is the same for every sample.",
    "LeCun et al. 1998, 4.3: a mean far from zero biases all updates in one direction",
)


@dataclass(frozen=True, slots=True)
class _Scales:
    """Per feature mean, standard deviation and size (RMS); constant features left out."""

    mean: Floats
    deviation: Floats
    places: tuple[str, ...]

    @property
    def size(self) -> Floats:
        return np.hypot(self.mean, self.deviation)

    @property
    def overall(self) -> float:
        return float(np.sqrt(np.mean(self.size**2)))

    @property
    def reach(self) -> float:
        """What the largest feature reaches: one standard deviation beyond its mean."""
        widest = int(np.argsort(self.size)[-1])
        return float(abs(self.mean[widest]) + self.deviation[widest])

    @property
    def spread(self) -> float:
        """Sizes at the 90th over the 10th percentile: one odd feature alone is no spread."""
        low, high = np.quantile(self.size, [0.1, 0.9])
        return float(high / low) if low > 0 else math.nan

    @property
    def shift(self) -> float:
        still = float(np.sqrt(np.mean(self.deviation**2)))
        return float(np.sqrt(np.mean(self.mean**2))) / still if still > 0 else math.nan


def _scales(view: View) -> _Scales | None:
    # The moments are running: the last sample has seen most.
    means, deviations = last(view[INPUT_MEAN]), last(view[INPUT_DEVIATION])
    places = [p for p in means if p in deviations]
    mean = np.array([means[p] for p in places], dtype=np.float64)
    deviation = np.array([deviations[p] for p in places], dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), deviation.max(initial=0.0))
    if not varies.any():
        return None
    kept = tuple(p for p, v in zip(places, varies, strict=True) if v)
    return _Scales(mean[varies], deviation[varies], kept)


def _detect(view: View) -> Verdict:
    if not (view.has(INPUT_MEAN) and view.has(INPUT_DEVIATION)):
        return _not_measured(view)
    scales = _scales(view)
    if scales is None:
        return Unknown("no finite input feature varies", ("inputs that vary between samples",))
    faults = []
    if scales.overall >= view.limit(LARGE):
        faults.append(f"values reach {number(scales.reach)}")
    elif scales.overall <= view.limit(TINY):
        faults.append(f"values are only about {number(scales.overall)} in size")
    if scales.spread >= view.limit(SPREAD):
        faults.append(f"feature scales differ {_fold(scales.spread)}")
    if scales.shift >= view.limit(SHIFT) and (
            scales.overall >= 1 or learned_little(view.outcome)):
        faults.append(f"the mean is {times(scales.shift)} the standard deviation")
    if not faults:
        return Absent(
            f"the inputs have a usual scale (root mean square {number(scales.overall)}, feature "
            f"scales differ {_fold(scales.spread)}, mean {number(scales.shift)} times the standard "
            "deviation)"
        )
    return _present(view, scales, faults)


def _not_measured(view: View) -> Verdict:
    layers = view.record.layers()
    models = view.record.facts(Model)
    first = [layers[name] for m in models if (name := m.first_layer or "") in layers]
    if first and all(
        layer.role in (LayerRole.NORMALISATION, LayerRole.EMBEDDING) for layer in first
    ):
        kind = first[0].role.value
        article = "an" if kind[0] in "aeiou" else "a"
        return Absent(f"the first layer is {article} {kind} layer, which sets the scale itself")
    return Unknown("the inputs of the first layer were not measured",
                   (INPUT_MEAN.name, INPUT_DEVIATION.name))


def _fold(factor: float) -> str:
    return f"more than {MOST_TIMES:,}-fold" if factor > MOST_TIMES else f"{number(factor)}-fold"


def _present(view: View, scales: _Scales, faults: list[str]) -> Verdict:
    model = first_model(view)
    order = np.argsort(scales.size)
    shown = [int(order[-1]), int(order[0])] if len(order) > 1 else [int(order[0])]
    sides = [f"{side} feature (number {scales.places[i]})" for side, i in zip(
        ("largest", "smallest"), shown, strict=False)] if len(order) > 1 else ["only feature"]
    evidence = tuple(
        Evidence(
            INPUT_DEVIATION.name, scales.places[i], (0,), (float(scales.deviation[i]),), 1.0,
            f"the {side} has mean {number(scales.mean[i])} "
            f"and standard deviation {number(scales.deviation[i])} (expected: 0 and 1)",
        )
        for side, i in zip(sides, shown, strict=False)
    )
    far = max(scales.overall / view.limit(LARGE), ratio(view.limit(TINY), scales.overall),
              scales.spread / view.limit(SPREAD), scales.shift / view.limit(SHIFT))
    suffers = learned_little(view.outcome)
    strength = min(0.6 + 0.15 * math.log10(max(far, 1.0)) + 0.1 * suffers, 0.95)

    return Present(
        strength=strength,
        title=f"the inputs are not normalised: {joined(faults)} (expected: mean 0, standard "
        "deviation 1)",
        since_step=0,
        location=inputs_given(view) or (model.call_location if model is not None else None),
        label=f"the largest feature reaches {number(scales.reach)}, the smallest only "
        f"{number(scales.size[int(order[0])])}"
        if len(order) > 1 and scales.spread >= view.limit(SPREAD)
        else f"the inputs have mean {number(float(np.mean(scales.mean)))} and root mean square "
        f"{number(scales.overall)}",
        evidence=evidence,
        remedies=(
            Remedy("standardise the inputs", Safety.SAFE, (NormaliseInputs(),)),
            *_norm_layer(model, view),
        ),
    )


def _norm_layer(model: Model | None, view: View) -> tuple[Remedy, ...]:
    if model is None or not model.input_shape:
        return ()
    layers = view.record.layers()
    first = layers.get(model.first_layer or "")
    dimension = len(model.input_shape)
    if first is None or first.role is LayerRole.OTHER or dimension not in (2, 4):
        return ()
    kind = "BatchNorm1d" if dimension == 2 else "BatchNorm2d"
    layer = f"{kind}({model.input_shape[1]})"
    code = f"nn.{layer}  # as the first layer"
    return (Remedy("normalise inside the model", Safety.CHANGES_EXPERIMENT,
                   (InsertLayer("input", layer),), code_text=code),)


CAUSE = Cause(
    slug="inputs-not-normalised",
    code="D005",
    title="Inputs not normalised",
    family="Data",
    harm=Harm.CONDITION,
    symptoms=(Symptom.FLAT, Symptom.SLOW, Symptom.OSCILLATES, Symptom.NAN, Symptom.SAME),
    often=Often.COMMON,
    words=Words(
        symptom="The loss is huge at the start, jumps around, or stays at the level of a constant "
        "prediction. A learning rate that works for other programs fails here.",
        consequence="Features with large values drown out the others. Every learning rate is too "
        "high for some weights and too low for the rest. ReLU units die and sigmoids saturate in "
        "the first steps.",
        why="The gradient of a first-layer weight is proportional to the input that it "
        "multiplies, and the curvature is proportional to the square of that input. Initialisers "
        "and usual learning rates assume inputs with mean 0 and standard deviation 1.",
        detection="For each feature unstuck measures the mean and the standard deviation where "
        "the first layer with weights receives it, so after any scaling in the program. Models "
        "that begin with a normalisation or an embedding layer are not judged. Constant features "
        "are left out, and so is a single odd feature among many. If a run learns well with odd "
        "inputs, the finding is only a note.",
        limitations="Inputs may be large on purpose (counts, coordinates), with a first layer that "
        "is initialised to match. Scaling inside a hand-written forward method is seen if it comes "
        "before the first layer, but not if it comes after it.",
        references=(
            "LeCun, Bottou, Orr, Müller 1998: Efficient BackProp, section 4.3",
            "CS231n, Setting up the data and the model: data preprocessing",
        ),
    ),
    needs=(),
    uses=(INPUT_MEAN, INPUT_DEVIATION),
    thresholds=(LARGE, TINY, SPREAD, SHIFT),
    shows=Effect.INPUTS_OFF_SCALE,
    effects=(
        Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL, Effect.PLATEAU,
    ),
    detect=_detect,
)
