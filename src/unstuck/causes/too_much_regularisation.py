"""Too much regularisation: dropout or decay takes away what the network would learn."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    called,
    constant_loss,
    drawn,
    failed,
    final,
    learned_little,
    loss_points,
    train_loss_at_the_end,
)
from unstuck.causes._steps import main_optimizer
from unstuck.edits import Dropout, OptimizerArgument, Remedy, Safety
from unstuck.facts import Layer, LayerRole, Optimizer
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import (
    CONSTANT_LOSS,
    GRADIENT_NORM,
    HELD_OUT_LOSS,
    SEEN_LOSS,
    TRAIN_LOSS,
    UPDATE_NORM,
    WEIGHT_NORM,
)
from unstuck.words import number, percent

DROPPED = Threshold(
    "dropped-share", 0.7,
    "Dropouts of 0.1 to 0.5 are usual; where seven of ten units are zeroed at a time, what is "
    "left changes with every step.",
    "Srivastava et al. 2014: keep 0.5 to 0.8 of hidden units",
)
DROWNED = Threshold(
    "drowning-dropout", 0.9,
    "Each output of such a layer strays by three times its size from step to step. In a run that "
    "learned nothing that is reason enough, for nothing was left to be seen in eval mode.",
    "the deviation of inverted dropout is the root of p / (1 - p)",
)
MODES = Threshold(
    "train-over-eval", 1.1,
    "The same network without dropout is better by a tenth, more than it gains in the steps over "
    "which the train loss is averaged: dropout is what it struggles with.",
    "with usual dropout and much learned the two losses differ by more, but both are low",
)
SOMETHING = Threshold(
    "least-eval-skill", 0.05,
    "Without dropout the network must be better than a constant, or it is not dropout alone that "
    "keeps it down.",
    "outcome rules call a loss no better than a constant's from 0.96 of it on",
)
ENOUGH = Threshold(
    "most-eval-skill", 0.67,
    "A network that takes two thirds off a constant's loss when nothing is dropped has learned "
    "under its dropout, which its train loss then does not show.",
    "between half, which is little, and nine tenths, which is good",
)
SHRUNK = Threshold(
    "weights-shrunk", 0.5,
    "The weight matrices have lost half of their norm and more since the start.",
    "training makes weights grow as a rule; zoo programs keep nine tenths of theirs at least",
)
PULL = Threshold(
    "share-of-decay", 0.3,
    "The decay pulls at the weights with a third of the loss's gradient and more.",
    "at usual decays of 1e-4 to 1e-2 it is some per cent",
)
# They add the decay to the gradient, before any scaling; others take it off the weights.
COUPLED = ("SGD", "ASGD", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta")
EARLY = 5  # steps, before which a decay has had no time to make the gradient small


def _detect(view: View) -> Verdict:
    if not learned_little(view.outcome):
        return Absent("the network learned under what restrains it")
    if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.OVERFITTING, OutcomeKind.CRASHED):
        return Absent(f"the outcome is {view.outcome.kind}")
    verdicts = [_dropout(view), _decay(view)]
    for kind in (Present, Unknown):
        found = next((verdict for verdict in verdicts if isinstance(verdict, kind)), None)
        if found is not None:
            return found
    return verdicts[0]


# Dropout -----------------------------------------------------------------------------------------
def _eval_loss(view: View) -> tuple[str, float] | None:
    """The last loss in eval mode, on training data if the program has it."""
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        if (quiet := final(view, signal)) is not None:
            return signal.name, quiet
    return None


def _dropout(view: View) -> Verdict:
    limit = view.limit(DROPPED)
    strong = [x for x in view.facts.layers().values()
              if x.role is LayerRole.DROPOUT and x.dropped is not None and x.dropped >= limit]
    if not strong:
        return Absent("neither a dropout nor a decay is strong enough to keep the network from "
                      "learning")
    layer = max(strong, key=lambda x: x.dropped or 0.0)
    does = f"{called(layer.name)} zeroes {percent(layer.dropped or 0)} of its units"
    train = train_loss_at_the_end(view)
    other, constant = _eval_loss(view), constant_loss(view)
    if other is None or not constant or not constant > 0:
        return Unknown(f"{does}; what the network does without that was not measured",
                       ("the training loss in eval mode",))
    name, quiet = other
    skill = 1 - quiet / constant
    if skill >= view.limit(ENOUGH):
        return Absent(f"without dropout the network does well: {number(quiet)}")
    if failed(view.outcome) and (layer.dropped or 0.0) >= view.limit(DROWNED):
        return _dropout_present(view, layer, train, name, quiet)
    if not (skill >= view.limit(SOMETHING) and train >= view.limit(MODES) * quiet):
        return Unknown(f"{does}, but the network is no better without that",
                       ("a run with half the dropout",))
    return _dropout_present(view, layer, train, name, quiet)


def _dropout_present(view: View, layer: Layer, train: float, name: str, quiet: float) -> Present:
    share = layer.dropped or 0.0
    steps, points = loss_points(view)
    strength = 0.85 if train >= 1.2 * quiet else 0.75 if train >= view.limit(MODES) * quiet else (
        0.6)
    ladder = tuple(Dropout(p) for p in (0.25, 0.1, 0.5, 0.01) if p < share)
    return Present(
        strength=strength, since_step=0, location=layer.location,
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


# Weight decay ------------------------------------------------------------------------------------
def _pulls(view: View, optimizer: Optimizer) -> dict[int, float]:
    """How strong the decay was beside the loss, at each sampled step: of all weights together.

    A layer that gets no gradient leaves its weights to any decay, however weak; so no layer is
    judged by itself, and the decay is held against the gradients of all.
    """
    decay, rate = optimizer.weight_decay or 0.0, optimizer.learning_rate or 0.0
    coupled = optimizer.kind in COUPLED
    pull: dict[int, float] = {}
    against: dict[int, float] = {}
    for signal, sums in ((WEIGHT_NORM, pull),
                         (GRADIENT_NORM if coupled else UPDATE_NORM, against)):
        for name, series in view[signal].items():
            if name in optimizer.parameters:
                for step, size in zip(series.steps.tolist(), series.values.tolist(), strict=True):
                    sums[step] = sums.get(step, 0.0) + size * size
    return {
        step: decay * (1.0 if coupled else rate) * math.sqrt(pull[step] / size)
        for step, size in against.items()
        if step in pull and size > 0 and math.isfinite(pull[step] / size)
    }


def _decay(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or not (optimizer.weight_decay or 0.0) > 0:
        return Absent("no weight decay was set")
    if not (view.has(WEIGHT_NORM) and view.has(UPDATE_NORM) and view.has(GRADIENT_NORM)):
        return Unknown("the weights were not measured", (WEIGHT_NORM.name,))
    shapes = {n: p.shape for n, p in view.facts.parameters().items()}
    left = {
        name: float(sizes[-1] / sizes[0]) for name, series in view[WEIGHT_NORM].items()
        if len(shapes.get(name, ())) >= 2 and name in optimizer.parameters
        and len(sizes := series.finite.values) >= 3 and sizes[0] > 0
    }
    pulls = _pulls(view, optimizer)
    early = [pull for step, pull in pulls.items() if step < EARLY]
    if not left or not early:
        return Unknown("too few gradients were measured to weigh the decay against them",
                       (GRADIENT_NORM.name, "a run without weight decay"))
    # A gradient that is gone lets any decay win: it must have been strong from the start.
    shrunk = float(np.median(list(left.values())))
    pull = min(float(np.median(early)), float(np.median(list(pulls.values()))))
    most, least = view.limit(SHRUNK), view.limit(PULL)
    if not (shrunk <= most and pull >= least):
        return Absent(f"the weights kept {percent(shrunk)} of their norm, and the decay pulls with "
                      f"{percent(pull)} of what the loss does")
    first = next(name for name in left if left[name] <= shrunk)
    return _decay_present(view, optimizer, first, shrunk, pull)


def _decay_present(
    view: View, optimizer: Optimizer, name: str, shrunk: float, pull: float
) -> Present:
    decay = optimizer.weight_decay or 0.0
    sizes = view[WEIGHT_NORM][name].finite
    steps, points = loss_points(view)
    first, last = float(sizes.values[0]), float(sizes.values[-1])
    return Present(
        strength=0.85 if shrunk <= view.limit(SHRUNK) / 2 else 0.75, since_step=0,
        location=optimizer.location,
        title=f"the weight decay of {number(decay)} has shrunk the weights to {percent(shrunk)} "
        f"of their norm: it pulls with {percent(pull)} of what the loss does",
        label="pulls the weights to zero faster than the loss lets them grow",
        evidence=(
            drawn(WEIGHT_NORM, name, sizes, view.limit(SHRUNK) * first,
                  f"{name} goes from {number(first)} to {number(last)}"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {number(points[-1])}"),
        ),
        remedies=(Remedy("less weight decay", Safety.CHANGES_EXPERIMENT, tuple(
            OptimizerArgument(optimizer.name, "weight_decay", v)
            for v in (1e-4, 1e-3, 1e-2, 0.0) if v < decay)),),
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
        detection="In a run that learned little: a dropout layer that zeroes seven units of ten "
        "or more while the same network without it is clearly better, and better than a constant, "
        "but far from good; of nine units of ten or more, if nothing was learned at all. Or weight "
        "matrices that lost half of their norm under a decay that pulled with a third of the "
        "loss's gradient from the first steps on, all weights taken together.",
        limitations="Where dropout of less than nine tenths leaves a network no better than a "
        "constant in eval mode either, only a trial tells. A penalty that the program adds to its "
        "loss by hand is not weighed, nor is noise on the inputs. Dropout by a function names no "
        "share.",
        references=(
            "Srivastava et al. 2014: Dropout",
            "Krogh, Hertz 1991: A simple weight decay can improve generalization",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(DROPPED, DROWNED, MODES, SOMETHING, ENOUGH, SHRUNK, PULL),
    explains=("vanishing-gradients", "learning-rate-too-low", "learning-rate-too-high",
              "too-narrow", "too-shallow", "too-deep", "bad-initialisation", "dead-relu"),
    needs_trend=True,
    detect=_detect,
)
