"""Not shuffled: the batches are sorted by label, so each holds few classes."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import drawn, level, unread_loss, unwatched
from unstuck.measures.idle import discarded, kept
from unstuck.measures.origins import input_steps, nearest
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, Shuffle
from unstuck.schema.facts.calls import CallRole, ModelCall, StepKind
from unstuck.schema.facts.data import Fetch, Loader
from unstuck.schema.facts.loops import Loop
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.findings import Absent, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE, LABEL_AGREEMENT, LABEL_AGREEMENT_BETWEEN
from unstuck.torch_api import BINARY, CLASSES, IN_ORDER, SHUFFLES
from unstuck.words import count, percent

SORTED = Threshold(
    "label-sorting", 0.5,
    "0 means random batches, and 1 means batches of a single class. Metric learning draws batches "
    "with several samples of each of many classes, which stay below 0.2. Batches with two of ten "
    "classes stay below 0.45.",
    "intraclass correlation of the labels, with both ends given by definition",
)
BATCHES = Threshold(
    "label-batches", 8.0,
    "The first batches of sorted data all hold the same class, and so do all batches of data with "
    "a single class. Only after several classes have appeared can the two be distinguished.",
    "a choice: a single event is never enough",
)
RARE_CLASSES = Threshold(
    "one-class-share", 0.8,
    "If two samples from different batches nearly always have the same label, one class "
    "dominates. Too few samples of other classes remain to judge their order.",
    "a class with nine tenths of the samples gives 0.8",
)


def _unseen(view: View) -> Verdict:
    """No class labels were compared: because there are none, or because they are not known."""
    blind = unread_loss(view.record)
    if blind is not None:
        return Unknown(blind, ("a classification loss of torch.nn.functional",))
    classes = [loss for loss in view.record.facts(Loss) if _labels_samples(loss)]
    if any(loss.function not in BINARY for loss in classes):
        return Unknown("no batch with several samples had class labels",
                       ("batches of several samples",))
    if classes:
        return _binary(view, classes[0])
    blind = unwatched(view.record)
    if blind is not None:
        return Unknown(blind, (LABEL_AGREEMENT.name,))
    return Absent("no loss of the program takes one class label for each sample")


def _labels_samples(loss: Loss) -> bool:
    """Whether a loss takes one class label for each sample."""
    if loss.function in CLASSES:
        return len(loss.target_shape) == 1
    return loss.function in BINARY and math.prod(loss.target_shape[1:]) == 1


def _binary(view: View, loss: Loss) -> Verdict:
    """Labels of 0 and 1 that are floats are not compared: only a loader shows their order."""
    sizes = {(fetch.samples, fetch.batch_size) for fetch in view.record.facts(Fetch)}
    training = [x for x in view.record.facts(Loader) if (x.samples, x.batch_size) in sizes]
    if training and all(x.sampler == SHUFFLES for x in training):
        return Absent("the training loader reads its samples in random order")
    return Unknown(f"whether batches are shuffled cannot be checked for {loss.function}",
                   ("a training DataLoader with shuffle=True",))


def _detect(view: View) -> Verdict:
    if not view.has(LABEL_AGREEMENT) or not view.has(LABEL_AGREEMENT_BETWEEN):
        return _unseen(view)
    reason = "no batch of several samples had class labels"
    for place, found in view[LABEL_AGREEMENT].items():
        within = found.finite
        between = view[LABEL_AGREEMENT_BETWEEN].get(place)
        if between is None or not len(between.finite):
            continue
        function = next((x.function for x in view.record.facts(Loss) if x.name == place), place)
        if function in BINARY and view.outcome.kind is OutcomeKind.NOT_TOLD:
            reason = "of adversaries, each is trained with the labels of its own turn"
            continue
        expected = float(between.finite.values[-1])
        if len(within) < view.limit(BATCHES):
            reason = f"the labels of only {count(len(within), 'batch')} could be compared"
            continue
        if not expected < view.limit(RARE_CLASSES):
            reason = "nearly all labels belong to one class"
            continue
        ordered = (float(np.median(within.values)) - expected) / (1 - expected)
        if not ordered >= view.limit(SORTED):
            return Absent("two samples of one batch have the same label about as often as two "
                          "samples of different batches")
        return _present(view, place, expected, ordered)
    return Unknown(reason, ("a longer run, with labels of several classes",))


def _present(view: View, place: str, expected: float, ordered: float) -> Present:
    within = view[LABEL_AGREEMENT][place].finite
    typical = float(np.median(within.values))
    loader = _loader(view)
    dropped = discarded(view, shuffles=True)
    return Present(
        strength=0.95 if ordered >= 0.7 else 0.8,
        title="the training data are not shuffled: two samples of one batch have the same label in "
        f"{percent(typical)} of cases (expected if shuffled: {percent(expected)})",
        since_step=0,
        location=dropped[0].location if dropped else _location(view, place, loader),
        of_value=not dropped,
        label="its result is not kept" if dropped
        else "reads the samples in stored order, which is sorted by label",
        evidence=(
            drawn(LABEL_AGREEMENT, place, within, expected,
                  f"two samples of one batch have the same label in {percent(typical)} of cases "
                  f"(median over {count(len(within), 'batch')}), two samples of different batches "
                  f"in {percent(expected)}"),
        ),
        remedies=(
            *kept(dropped),
            Remedy("shuffle the training data", Safety.SAFE,
                   (Shuffle(_location(view, place, loader)),),
                   advice="Draw the training samples in a new random order in each epoch.",
                   code_text="DataLoader(train_set, batch_size=..., shuffle=True)"
                   if loader is not None else "order = torch.randperm(len(x))  # each epoch"),
        ),
    )


def _loader(view: View) -> Loader | None:
    """The loader that trains: of those that keep the order, the one with batches of that size."""
    ordered = [x for x in view.record.facts(Loader) if x.sampler == IN_ORDER]
    if view.has(BATCH_SIZE):
        size = level(view[BATCH_SIZE])
        fitting = [x for x in ordered if x.batch_size == size]
        return fitting[0] if fitting else None
    return ordered[0] if len(ordered) == 1 else None


def _location(view: View, place: str, loader: Loader | None) -> SourceLocation | None:
    if loader is not None:
        return loader.location
    made = nearest(input_steps(view), StepKind.CALLED)
    loops = {loop.location.line for loop in view.record.facts(Loop)}
    if made is not None and made.line in loops:
        return made  # a function brings the batches of the loop
    loss = next((x for x in view.record.facts(Loss) if x.name == place), None)
    places = [m.call_location for m in view.record.facts(Model) if m.call_location is not None]
    if loss is not None:
        places += [at for at in (loss.call_location, loss.location) if at is not None]
    held = next((call.variable.name for call in view.record.facts(ModelCall)
                 if call.role is CallRole.TRAIN and call.first and call.variable is not None), None)
    # Where a variable is cut into batches, rather than a function that is given one.
    cut = [at for at in places if held is not None and f"{held}[" in (at.text or "")]
    return next(iter((*cut, *places)), None)


CAUSE = Cause(
    slug="not-shuffled",
    code="D007",
    title="Training data not shuffled",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OSCILLATES, Symptom.PLATEAU),
    words=Words(
        symptom="The training loss is tiny for a while and then jumps up, again and again. "
        "Held-out samples are all classified as whatever class came last.",
        consequence="For many steps in a row, the network sees only one class. It learns to "
        "predict that class and forgets the others, over and over.",
        why="Each step follows the gradient of its batch. That gradient represents the data only "
        "if the batch is drawn at random from all of them. If a data set is stored class by class, "
        "each batch pulls the network towards its own class.",
        detection="At sampled steps, the class labels of a batch are compared with one another "
        "and with those of other steps. In random order, two labels of one batch agree as often "
        "as two labels of different batches. Unequal classes or small batches do not change that.",
        limitations="Sorted targets of a regression are not checked. A program that trains on one "
        "class after another on purpose, as in continual learning, is reported too. In the first "
        "steps, before a second class appears, the verdict is unknown.",
        references=(
            "Bengio 2012: Practical recommendations for gradient-based training",
            "Bottou 2012: Stochastic gradient descent tricks",
        ),
    ),
    needs=(),
    uses=(LABEL_AGREEMENT, LABEL_AGREEMENT_BETWEEN, BATCH_SIZE),
    thresholds=(SORTED, BATCHES, RARE_CLASSES),
    shows=Effect.BATCHES_ALIKE,
    effects=(Effect.CLASSES_RARE, Effect.GRADIENTS_TOO_LARGE, Effect.UPDATES_TOO_SMALL),
    detect=_detect,
)
