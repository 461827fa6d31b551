"""What several causes ask of a record: does the run suffer, how far do updates move the weights.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from unstuck.curves.statistics import end_level
from unstuck.measures.view import View
from unstuck.record.reader import Record
from unstuck.record.series import Floats, Integers, PlaceSeries, Series
from unstuck.schema.edits import Edit, OptimizerArgument, literal
from unstuck.schema.facts.calls import CallRole, ModelCall
from unstuck.schema.facts.losses import Backward, Loss
from unstuck.schema.facts.models import (
    MATMUL,
    STAND_IN,
    Activation,
    Layer,
    LayerRole,
    Model,
    Parameter,
)
from unstuck.schema.facts.optimizers import Optimizer, Scheduler, sets_the_rate
from unstuck.schema.facts.run import NonFinite
from unstuck.schema.findings import Absent, Evidence, Outcome, OutcomeKind, Unknown
from unstuck.schema.places import SourceLocation
from unstuck.schema.quantities import PlaceSignal, Signal, StepSignal
from unstuck.schema.signals.losses import CONSTANT_LOSS, LEARNING_RATE, TRAIN_LOSS
from unstuck.schema.signals.parameters import UPDATE_NORM, WEIGHT_NORM
from unstuck.torch_api import BATCH_NORM
from unstuck.words import number

FAILED = frozenset({OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING})
UNSURE = 0.5  # an outcome less sure than this counts for nothing
UNSURE_FAILURE = 0.35  # but a failure: what learns is not mistaken for one so easily
POOR_SKILL = 0.5  # a run that removes less than half of the best constant's loss learned little
BY_HEART = 0.98  # the share of the best constant's loss that is gone when samples may be known
FAIR_SKILL = 0.75  # a run that rests with more than a quarter of a constant's loss fell short
GOOD_SKILL = 0.9  # of the best constant's loss is gone
MATRIX_SHARE = 0.1  # of torch's default scale: a matrix below it was set to (nearly) zero
MOST_RATIOS = 20_000_000  # of updates to weights that are held at a time


def failed(outcome: Outcome) -> bool:
    """Whether the run failed, as far as its curve says."""
    return outcome.kind in FAILED and outcome.confidence >= UNSURE_FAILURE


def succeeded(outcome: Outcome) -> bool:
    """Whether the run is known to have learned nearly all that there is."""
    return not failed(outcome) and outcome.skill is not None and outcome.skill >= GOOD_SKILL


def learned_little(outcome: Outcome) -> bool:
    """Whether the run failed or its skill is known to be low."""
    if failed(outcome):
        return True
    return outcome.skill is not None and outcome.skill < POOR_SKILL


# What was looked at ------------------------------------------------------------------------------
def unwatched(record: Record) -> str | None:
    """Why a signal may be missing; None if the whole training was watched.

    Only then does a signal that was never written mean that there was nothing to measure.
    """
    if record.torn:
        return "some lines of the record could not be read"
    if record.oddities:
        return record.oddities[0].says.rstrip(".")
    if not record.facts(Model) or not record.steps:
        return "no model was seen in training"
    return None


def no_held_out_loss(view: View) -> Absent | Unknown:
    """What can be said of overfitting where no loss of held-out data is known."""
    unseen = unwatched(view.record)
    memorised = (view.outcome.skill or 0.0) >= BY_HEART and any(
        call.role is CallRole.HELD_OUT for call in view.record.facts(ModelCall))
    if unseen is None and memorised:
        return Unknown("the network has nearly memorised its training data, and the program "
                       "computes no loss that unstuck knows on its held-out data",
                       ("a validation loss from torch.nn",))
    if unseen is None:
        return Absent("the run computed no held-out loss that could have risen")
    return Unknown(f"it is not known whether the program has held-out data: {unseen}",
                   ("a run that computes a validation loss every epoch",))


def unread_loss(record: Record) -> str | None:
    """Why the targets of a loss are not known; None if every loss is one that is known."""
    if not record.facts(Loss):
        return "no loss function of the program was recognised"
    unread = next((x for x in record.facts(Loss) if x.hand_written and not x.input_shape), None)
    if unread is None:
        return None
    line = f" at line {unread.location.line}" if unread.location is not None else ""
    return f"the hand-written loss{line} was not recognised"


def made_at(record: Record, loss: Loss) -> SourceLocation | None:
    """Where what a loss receives is made: a module's construction, or an operation; else the loss.
    """
    layer = record.layers().get(loss.input_layer or "")
    if layer is not None and layer.location is not None:
        return layer.location
    return loss.input_location or loss.location


def activation_at(record: Record, loss: Loss) -> str | None:
    """The name of the activation function that makes what a loss receives, where none is a module.
    """
    return next((each.name for each in record.facts(Activation)
                 if each.location is not None and each.location == loss.input_location), None)


def first_model(view: View) -> Model | None:
    """The model that is first called in training."""
    return next((m for m in view.record.facts(Model) if m.call_location is not None), None)


def weights(parameters: Iterable[Parameter]) -> int:
    """How many numbers these parameters hold."""
    return sum(math.prod(p.shape) for p in parameters)


def mode_layers(view: View) -> list[Layer]:
    """The dropout and batch normalisation layers of all models."""
    return [layer for layer in view.record.layers().values()
            if layer.role is LayerRole.DROPOUT or BATCH_NORM in layer.kind]


def risky_function(record: Record) -> str | None:
    """A function in the line of a hand-written loss that can turn finite numbers into NaN."""
    for loss in record.facts(Loss):
        if loss.hand_written and loss.location is not None and loss.location.text:
            found = _RISKY.search(loss.location.text)
            if found:
                return found["name"]
    return None


_RISKY = re.compile(r"\b(?P<name>log|log2|log10|log1p|sqrt|rsqrt|pow|reciprocal|acos|asin)\(")


# Updates -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Updates:
    """Update over weight norm: `ratios` has shape (matrices, sampled steps), NaN where unknown.

    A non-finite update is unknown too: a NaN gradient makes one at any rate.
    """

    names: tuple[str, ...]
    steps: Integers
    ratios: Floats

    def only(self, names: Iterable[str]) -> Updates:
        """The rows of some matrices."""
        wanted = set(names)
        rows = [i for i, name in enumerate(self.names) if name in wanted]
        return Updates(tuple(self.names[i] for i in rows), self.steps, self.ratios[rows])

    def typical(self) -> Floats:
        """Per sampled step the median over matrices; NaN where none is known."""
        return nan_median(self.ratios, axis=0)


def by_unit(view: View, parameter: Parameter) -> tuple[int, ...]:
    """The shape of weights with the units first, as torch's own layers hold them."""
    layer = view.record.layers().get(parameter.layer)
    turned = layer is not None and layer.kind == MATMUL and len(parameter.shape) == 2
    return parameter.shape[::-1] if turned else parameter.shape


def drawing(view: View, scheme: str) -> str:
    """The code of an initialisation where weights are plain tensors; "" where modules hold them."""
    if not any(model.kind == STAND_IN for model in view.record.facts(Model)):
        return ""
    inputs = "(inputs + units)" if scheme.startswith("xavier") else "inputs"
    return f"w = torch.randn(inputs, units) * (2 / {inputs}) ** 0.5"


def weight_updates(view: View) -> Updates:
    """How far each step moved each weight matrix, relative to the matrix.

    Left out are vectors (biases, norms), loaded weights, matrices at or near zero, which any step
    moves far, and embeddings, of which a step leaves most rows, unless there is nothing else.
    """
    moved, sizes = view[UPDATE_NORM], view[WEIGHT_NORM]
    layers = view.record.layers()
    names = [
        p.name
        for p in view.record.parameters().values()
        if p.trainable and not p.loaded and len(p.shape) >= 2 and min(p.shape) > 0
        and p.name in moved and p.name in sizes
    ]
    embeddings = {name for name, layer in layers.items() if layer.role is LayerRole.EMBEDDING}
    parameters = view.record.parameters()
    names = [n for n in names if parameters[n].layer not in embeddings] or names
    steps = np.unique(np.concatenate([moved[n].steps for n in names] or [np.zeros(0, np.int64)]))
    steps = steps[spread(len(steps), max(MOST_RATIOS // max(len(names), 1), 2))]
    at = {step: column for column, step in enumerate(steps.tolist())}
    ratios = np.full((len(names), len(steps)), np.nan)
    for row, name in enumerate(names):
        shape = by_unit(view, parameters[name])
        floor = MATRIX_SHARE * math.sqrt(math.prod(shape) / (3 * math.prod(shape[1:])))
        size = dict(zip(sizes[name].steps.tolist(), sizes[name].values.tolist(), strict=True))
        for step, change in zip(moved[name].steps, moved[name].values, strict=True):
            weight = size.get(int(step), math.nan)
            if not weight > floor or math.isinf(weight) or int(step) not in at:
                continue
            if math.isfinite(change):
                ratios[row, at[int(step)]] = float(change) / weight
    if view.record.fact(Optimizer) is None:
        # By hand, gradients may add up over passes between which no weight is moved.
        moves = np.nansum(ratios, axis=0) > 0
        steps, ratios = steps[moves], ratios[:, moves]
    known = ~np.all(np.isnan(ratios), axis=1) if len(names) else np.zeros(0, dtype=bool)
    return Updates(tuple(n for n, k in zip(names, known, strict=True) if k), steps, ratios[known])


def nan_median(values: Floats, axis: int) -> Floats:
    """The median over what is not NaN; NaN, without a warning, where nothing is."""
    if not values.shape[axis]:
        return np.full(np.delete(values.shape, axis), np.nan)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return np.asarray(np.nanmedian(values, axis=axis), dtype=np.float64)


def level(series: Series) -> float:
    """The median of the finite values, NaN if there are none."""
    values = series.finite.values
    return float(np.median(values)) if len(values) else math.nan


def spread(count: int, most: int) -> Integers:
    """At most `most` of the indices below `count`, evenly picked, the first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def thinned(
    steps: Integers, values: Floats, most: int = 200
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Points for an evidence, at most `most`, evenly picked, the first and last among them."""
    picked = spread(len(steps), most)
    return tuple(int(steps[i]) for i in picked), tuple(float(values[i]) for i in picked)


def loss_points(view: View) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The train loss as points for an evidence."""
    series = view[TRAIN_LOSS]
    return thinned(series.steps, series.values)


def train_loss_at_the_end(view: View) -> float:
    """The level at which the training loss ends, NaN if it was never finite."""
    losses = view[TRAIN_LOSS].finite.values
    return end_level(losses)[0] if len(losses) else math.nan


def loss_ends_at(view: View) -> float:
    """Where the training loss ends, to be said: its level, or its last value if that is not finite.
    """
    last = float(view[TRAIN_LOSS].values[-1])
    return train_loss_at_the_end(view) if math.isfinite(last) else last


def final(view: View, signal: StepSignal) -> float | None:
    """The last finite value of a signal, None if there is none."""
    if not view.has(signal) or not len(view[signal].finite):
        return None
    return float(view[signal].finite.values[-1])


def last(series: PlaceSeries) -> dict[str, float]:
    """The last finite value of each place; a place that was never finite is left out."""
    return {
        place: float(values.finite.values[-1])
        for place, values in series.items() if len(values.finite)
    }


def drawn(signal: Signal, where: str, series: Series, bound: float | None, says: str) -> Evidence:
    """The points of a series as an evidence."""
    return Evidence(signal.name, where, *thinned(series.steps, series.values, 1000), bound, says)


def measured(
    view: View, signal: PlaceSignal, place: str, bound: float | None, says: str
) -> Evidence:
    """The finite values of a signal at one place as an evidence."""
    return drawn(signal, place, view[signal][place].finite, bound, says)


def constant_loss(view: View) -> float | None:
    """What the best constant prediction costs, None if it is unknown."""
    return final(view, CONSTANT_LOSS)


def backward_location(view: View) -> SourceLocation | None:
    """The first line that starts a backward pass and is known."""
    return next((b.location for b in view.record.facts(Backward) if b.location is not None), None)


# Optimizers --------------------------------------------------------------------------------------
def optimizer_of(view: View, names: Iterable[str]) -> Optimizer | None:
    """The optimizer with most of the named parameters; the first of several."""
    wanted = set(names)
    best = max(view.record.facts(Optimizer), key=lambda o: len(wanted & set(o.parameters)),
               default=None)
    if best is None or not wanted & set(best.parameters):
        return None
    return at_its_peak(view.record, best)


def at_its_peak(record: Record, optimizer: Optimizer) -> Optimizer:
    """The optimizer with its highest learning rate: at first use, a warm-up has a part of it.

    A schedule that sets the peak itself has taken the place of what was given.
    """
    schedule = sets_the_rate(record.facts(Scheduler), optimizer)
    if schedule is not None:
        return replace(optimizer, learning_rate=schedule.target, options=tuple(
            each for each in optimizer.options if each.name != "lr"))
    known = [s.finite.values for name, s in record.series(LEARNING_RATE).items()
             if name.rpartition(".")[0] == optimizer.name] if record.measured(
                 LEARNING_RATE) else []
    peak = max((float(values.max()) for values in known if len(values)), default=0.0)
    now = optimizer.learning_rate
    return replace(optimizer, learning_rate=peak) if now is not None and peak > now else optimizer


def typed(value: float) -> float:
    """A number of one digit, as one would type it: 0.003 for 0.0032."""
    return float(format(value, ".1g"))


def rate_of(optimizer: Optimizer | None) -> str:
    """The learning rate behind "the learning rate", empty if it is not known: " of 0.05"."""
    if optimizer is None or optimizer.learning_rate is None:
        return ""
    return f" of {number(optimizer.learning_rate)}"


def rates(optimizer: Optimizer, values: Iterable[float]) -> tuple[Edit, ...]:
    """A ladder of learning rates, each rounded to what one would type, each once."""
    unique = dict.fromkeys(typed(value * _of_schedule(optimizer)) for value in values)
    return tuple(
        OptimizerArgument(optimizer.name, "lr", value)
        for value in unique
        if value > 0 and math.isfinite(value)
    )


def _of_schedule(optimizer: Optimizer) -> float:
    """What a rate is typed as, as a share of what a schedule makes of it at its peak."""
    given = next((option.value for option in optimizer.options if option.name == "lr"), "")
    peak = optimizer.learning_rate
    try:
        return min(float(given) / peak, 1.0) if peak and float(given) > 0 else 1.0
    except ValueError:
        return 1.0


def expression(location: SourceLocation | None) -> str | None:
    """The source text under a location, if it is one line and was kept."""
    if location is None or location.text is None or location.line != location.end_line:
        return None
    return location.text[location.column - 1 : location.end_column - 1]


def rate_code(optimizer: Optimizer, rate: float) -> str:
    """The construction of an optimizer, as the user wrote it, with another learning rate."""
    written = expression(optimizer.location)
    if written is not None:
        share = _of_schedule(optimizer)
        rate = rate if share == 1 else typed(rate * share)
        changed, count = re.subn(r"\blr\s*=\s*[^,()]+(?=[,)])", f"lr={literal(rate)}", written)
        if count == 1:
            return changed
    return f"{optimizer.kind}(model.parameters(), lr={literal(rate)})"


def last_good_step(view: View) -> float:
    """The last step before the run's first non-finite number, infinite if all are finite."""
    found = view.record.fact(NonFinite)
    return math.inf if found is None else found.step - 1
