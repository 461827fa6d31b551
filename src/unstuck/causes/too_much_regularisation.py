"""Too much regularisation: dropout or decay takes away what the network would learn."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import called, constant_loss, learned_little, loss_points, percent
from unstuck.causes._steps import main_optimizer
from unstuck.edits import Dropout, OptimizerArgument, Remedy, Safety, number
from unstuck.facts import Layer, LayerRole
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import (
    CONSTANT_LOSS,
    HELD_OUT_LOSS,
    SEEN_LOSS,
    TRAIN_LOSS,
    UPDATE_NORM,
    WEIGHT_NORM,
)

DROPPED = Threshold(
    "dropped-share", 0.7,
    "Dropouts of 0.1 to 0.5 are usual; where seven of ten units are zeroed at a time, what is "
    "left changes with every step.",
    "Srivastava et al. 2014: keep 0.5 to 0.8 of hidden units",
)
MODES = Threshold(
    "train-over-eval", 1.05,
    "The same network without dropout is better by a twentieth, on data that are no easier: "
    "dropout is what it struggles with.",
    "with usual dropout and much learned the two losses differ by more, but both are low",
)
SHRUNK = Threshold(
    "weights-shrunk", 0.5,
    "The weight matrices have lost half of their norm and more since the start.",
    "training makes weights grow as a rule; zoo programs keep theirs",
)
PULL = Threshold(
    "share-of-decay", 0.3,
    "The decay's part of a step is a third of the whole step and more.",
    "at usual decays of 1e-4 to 1e-2 it is some per cent",
)
ENOUGH = 0.75  # skill in eval mode from which nobody would speak of underfitting


def _detect(view: View) -> Verdict:
    if not learned_little(view.outcome):
        return Absent("the network learned under what restrains it")
    if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.OVERFITTING, OutcomeKind.CRASHED):
        return Absent(f"the outcome is {view.outcome.kind}")
    return _dropout(view) or _decay(view) or Absent(
        "neither a dropout nor a decay is strong enough to keep the network from learning")


def _eval_loss(view: View) -> tuple[str, float] | None:
    """The last loss in eval mode, on training data if the program has it."""
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        if view.has(signal) and len(series := view[signal].finite):
            return signal.name, float(series.values[-1])
    return None


def _dropout(view: View) -> Verdict | None:
    layers = [x for x in view.facts.layers().values()
              if x.role is LayerRole.DROPOUT and x.dropped is not None]
    strong = [x for x in layers if x.dropped is not None and x.dropped >= view.limit(DROPPED)]
    if not strong:
        return None
    layer = max(strong, key=lambda x: x.dropped or 0.0)
    losses = view[TRAIN_LOSS].finite.values
    train = float(losses[-max(len(losses) // 10, min(len(losses), 5)):].mean())
    other = _eval_loss(view)
    if other is None:
        return Unknown(f"{called(layer.name)} zeroes {percent(layer.dropped or 0)} of its units; "
                       "what the network does without that was not measured",
                       ("the training loss in eval mode",))
    name, quiet = other
    constant = constant_loss(view)
    if constant and 1 - quiet / constant >= ENOUGH:
        return Absent(f"without dropout the network does well: {number(quiet)}")
    if not train >= view.limit(MODES) * quiet:
        return Unknown(f"{called(layer.name)} zeroes {percent(layer.dropped or 0)} of its units, "
                       "but the network is no better without that",
                       ("a run with half the dropout",))
    return _dropout_present(view, layer, train, name, quiet)


def _dropout_present(view: View, layer: Layer, train: float, name: str, quiet: float) -> Present:
    share = layer.dropped or 0.0
    steps, points = loss_points(view)
    ladder = tuple(Dropout(p) for p in (0.25, 0.1, 0.5, 0.01) if p < share)
    return Present(
        strength=0.85 if train >= 1.2 * quiet else 0.75, since_step=0, location=layer.location,
        title=f"{called(layer.name)} zeroes {percent(share)} of its units at every step: the loss "
        f"is {number(train)} with it and {number(quiet)} without, and neither is low",
        label=f"leaves {percent(1 - share)} of the units",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"in training the loss ends at {number(train)}"),
            Evidence(name, "", (view.facts.steps,), (quiet,), None,
                     f"without dropout the same network has {number(quiet)}"),
        ),
        remedies=(Remedy("less dropout", Safety.CHANGES_EXPERIMENT, ladder),),
    )


def _decay(view: View) -> Verdict | None:
    optimizer = main_optimizer(view)
    if optimizer is None or not (optimizer.weight_decay or 0.0) > 0 or not optimizer.learning_rate:
        return None
    decay, rate = optimizer.weight_decay or 0.0, optimizer.learning_rate
    if not (view.has(WEIGHT_NORM) and view.has(UPDATE_NORM)):
        return Unknown("the weights were not measured", (WEIGHT_NORM.name,))
    momentum = optimizer.momentum or 0.0
    added = 1 / max(1 - momentum, 1e-3) if optimizer.kind == "SGD" else 1.0
    shapes = {n: p.shape for n, p in view.facts.parameters().items()}
    shrunk, pulls, drawn = [], [], None
    for name, sizes in view[WEIGHT_NORM].items():
        if len(shapes.get(name, ())) < 2 or name not in optimizer.parameters:
            continue
        sizes = sizes.finite
        if len(sizes) < 3 or not sizes.values[0] > 0 or name not in view[UPDATE_NORM]:
            continue
        shrunk.append(float(sizes.values[-1] / sizes.values[0]))
        moved = dict(zip(view[UPDATE_NORM][name].steps.tolist(),
                         view[UPDATE_NORM][name].values.tolist(), strict=True))
        pulls += [rate * decay * added * size / moved[step]
                  for step, size in zip(sizes.steps.tolist(), sizes.values.tolist(), strict=True)
                  if step >= 5 and math.isfinite(moved.get(step, math.nan)) and moved[step] > 0]
        if drawn is None or shrunk[-1] == min(shrunk):
            drawn = (name, sizes)
    if not pulls or drawn is None:
        return None
    left, pull = float(np.median(shrunk)), float(np.median(pulls))
    if not (left <= view.limit(SHRUNK) and pull >= view.limit(PULL)):
        return None
    name, sizes = drawn
    steps, points = loss_points(view)
    ladder = tuple(OptimizerArgument(optimizer.name, "weight_decay", v)
                   for v in (1e-4, 1e-3, 1e-2, 0.0) if v < decay)
    return Present(
        strength=0.85 if left <= view.limit(SHRUNK) / 2 else 0.75, since_step=0,
        location=optimizer.location,
        title=f"the weight decay of {number(decay)} has shrunk the weights to {percent(left)} of "
        f"their norm, and makes {percent(min(pull, 1.0))} of a step",
        label="pulls the weights to zero faster than the loss lets them grow",
        evidence=(
            Evidence(WEIGHT_NORM.name, name, tuple(map(int, sizes.steps)),
                     tuple(map(float, sizes.values)), view.limit(SHRUNK) * float(sizes.values[0]),
                     f"{name} goes from {number(float(sizes.values[0]))} to "
                     f"{number(float(sizes.values[-1]))}"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {number(points[-1])}"),
        ),
        remedies=(Remedy("less weight decay", Safety.CHANGES_EXPERIMENT, ladder),),
    )


CAUSE = Cause(
    slug="too-much-regularisation",
    code="R002",
    title="Too much regularisation",
    family="Generalisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="Neither the training data nor new data are predicted well, and more epochs do "
        "not change that.",
        consequence="The network stays far simpler than the task, whatever its size.",
        why="Dropout hides units so that none is relied on; weight decay makes large weights "
        "costly. Beyond some strength too few units are left to compute with, or the decay pulls "
        "weights to zero faster than the gradient can raise them.",
        how_we_tell="In a run that learned little: a dropout layer that zeroes seven units of ten "
        "or more while the same network without it has a clearly lower loss that is not low "
        "either; or weight matrices that lost half of their norm while the decay makes a third "
        "of each step.",
        known_problems="A penalty that the program adds to its loss by hand is not weighed, nor is "
        "noise on the inputs. Dropout by a function names no share.",
        references=(
            "Srivastava et al. 2014: Dropout",
            "Krogh, Hertz 1991: A simple weight decay can improve generalization",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(DROPPED, MODES, SHRUNK, PULL),
    explains=("vanishing-gradients", "learning-rate-too-low", "too-narrow",
              "too-shallow", "bad-initialisation", "dead-relu"),
    needs_trend=True,
    detect=_detect,
)
