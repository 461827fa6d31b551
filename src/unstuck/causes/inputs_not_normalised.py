"""Inputs not normalised: what reaches the first layer is far from mean 0 and variance 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import last, learned_little
from unstuck.edits import InsertLayer, NormaliseInputs, Remedy, Safety
from unstuck.facts import LayerRole, Model
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Floats
from unstuck.signals import INPUT_DEVIATION, INPUT_MEAN
from unstuck.trends import ratio
from unstuck.words import number

LARGE = Threshold(
    "large-inputs", 10.0,
    "Initialisers assume inputs of size 1. At ten times that the first layer's gradient is ten "
    "times as large and the loss surface a hundred times as steep along its weights. Pixels in "
    "0..16 keep below it; 0..255 do not.",
    "LeCun et al. 1998, Efficient BackProp, 4.3: the Hessian grows with the inputs' second moment",
)
TINY = Threshold(
    "tiny-inputs", 0.01,
    "At a hundredth of the assumed size the first layer's gradient almost vanishes beside its "
    "bias.",
    "the same argument downwards",
)
SPREAD = Threshold(
    "feature-spread", 100.0,
    "Features whose sizes differ by 100 make the surface ten thousand times as steep along one "
    "weight as along another: no one rate serves both.",
    "condition number of the inputs' second moments, LeCun et al. 1998",
)
SHIFT = Threshold(
    "mean-over-deviation", 10.0,
    "Where the mean is ten times the deviation nearly all of what the first layer sees is the "
    "same for every sample.",
    "LeCun et al. 1998, 4.3: a mean far from zero biases all updates in one direction",
)


@dataclass(frozen=True, slots=True)
class _Scales:
    """Per feature mean, deviation and size (root mean square); constant features left out."""

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
        return Unknown("no input feature varies or is finite", ("inputs that vary",))
    faults = []
    if scales.overall >= view.limit(LARGE):
        faults.append(f"their size is {number(scales.overall)}")
    elif scales.overall <= view.limit(TINY):
        faults.append(f"their size is only {number(scales.overall)}")
    if scales.spread >= view.limit(SPREAD):
        faults.append(f"their sizes differ by a factor of {number(scales.spread)}")
    if scales.shift >= view.limit(SHIFT) and scales.overall >= 1:
        faults.append(f"their mean is {number(scales.shift)} times their deviation")
    if not faults:
        return Absent(
            f"the inputs of the first layer have size {number(scales.overall)}, a spread of "
            f"{number(scales.spread)} and a mean of {number(scales.shift)} deviations"
        )
    return _present(view, scales, faults)


def _not_measured(view: View) -> Verdict:
    layers = view.facts.layers()
    first = [layers[name] for m in view.facts.models if (name := m.first_layer or "") in layers]
    if first and all(
        layer.role in (LayerRole.NORMALISATION, LayerRole.EMBEDDING) for layer in first
    ):
        kind = first[0].role.value
        return Absent(f"the first layer is a {kind} layer, which sets the scale itself")
    return Unknown("the inputs of the first layer were not measured",
                   (INPUT_MEAN.name, INPUT_DEVIATION.name))


def _model(view: View) -> Model | None:
    """The model that meets the data first."""
    known = [m for m in view.facts.models if m.call_location is not None]
    return known[0] if known else None


def _present(view: View, scales: _Scales, faults: list[str]) -> Verdict:
    model = _model(view)
    order = np.argsort(scales.size)
    shown = [int(order[-1]), int(order[0])] if len(order) > 1 else [int(order[0])]
    sides = ("largest", "smallest")
    evidence = tuple(
        Evidence(
            INPUT_DEVIATION.name, scales.places[i], (0,), (float(scales.deviation[i]),), 1.0,
            f"the {side} feature, number {scales.places[i]}, has mean {number(scales.mean[i])} "
            f"and deviation {number(scales.deviation[i])}; 0 and 1 are assumed",
        )
        for side, i in zip(sides, shown, strict=False)
    )
    far = max(scales.overall / view.limit(LARGE), ratio(view.limit(TINY), scales.overall),
              scales.spread / view.limit(SPREAD), scales.shift / view.limit(SHIFT))
    suffers = learned_little(view.outcome)
    strength = min(0.6 + 0.15 * math.log10(max(far, 1.0)) + 0.1 * suffers, 0.95)
    widest = int(order[-1])
    return Present(
        strength=strength,
        title=f"the inputs are not normalised: {'; '.join(faults)} (healthy: mean 0, deviation 1)",
        since_step=0,
        location=model.call_location if model is not None else None,
        label=f"features reach {number(abs(scales.mean[widest]) + scales.deviation[widest])}"
        f" and the smallest has size {number(scales.size[int(order[0])])}"
        if len(order) > 1 and scales.spread >= view.limit(SPREAD)
        else f"the inputs have mean {number(float(np.mean(scales.mean)))} and size "
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
    layers = view.facts.layers()
    first = layers.get(model.first_layer or "")
    dimension = len(model.input_shape)
    if first is None or dimension not in (2, 4):
        return ()
    kind = "BatchNorm1d" if dimension == 2 else "BatchNorm2d"
    layer = f"{kind}({model.input_shape[1]})"
    code = f"nn.{layer}  # as the first layer"
    return (Remedy("normalise within the model", Safety.CHANGES_EXPERIMENT,
                   (InsertLayer("input", layer),), code_text=code),)


CAUSE = Cause(
    slug="inputs-not-normalised",
    code="D005",
    title="Inputs not normalised",
    family="Data",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss is huge at the start, jumps, or stays at the level of a constant "
        "prediction; a rate that is right for other programs fails.",
        consequence="Features with large numbers drown the others, and every rate is too high for "
        "some weights and too low for the rest. Rectifiers die and sigmoids saturate in the first "
        "steps.",
        why="The gradient of a first-layer weight is proportional to the input that it "
        "multiplies, and the curvature to its square. Initialisers and usual rates assume inputs "
        "with mean 0 and deviation 1.",
        detection="Mean and deviation of each feature are taken where the model's first layer "
        "with weights receives them, after any scaling of the program's own. Models that begin "
        "with a normalisation or an embedding are not meant. Constant features are left out, and "
        "a single odd feature is no spread. Odd inputs with which a run learns well are a note.",
        limitations="Inputs may be large on purpose (counts, coordinates) and the first layer "
        "be initialised to match. Scaling inside a hand-written forward before the first layer is "
        "seen, scaling after it is not.",
        references=(
            "LeCun, Bottou, Orr, Müller 1998: Efficient BackProp, section 4.3",
            "CS231n, Setting up the data and the model: data preprocessing",
        ),
    ),
    needs=(),
    uses=(INPUT_MEAN, INPUT_DEVIATION),
    thresholds=(LARGE, TINY, SPREAD, SHIFT),
    explains=(
        "learning-rate-too-high", "learning-rate-too-low", "non-finite-loss", "dead-relu",
        "saturated-activations", "exploding-gradients", "vanishing-gradients",
        "bad-initialisation", "noise-floor",
    ),
    detect=_detect,
)
