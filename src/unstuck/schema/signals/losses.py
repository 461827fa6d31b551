"""Signals of losses, of the learning rate, and of other numbers that a log names."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

TRAIN_LOSS = StepSignal(
    "train-loss", "",
    "the loss on which backward() is called, without the factor of a gradient scaler",
    requires=runs.LOSS,
)
LEFT_OUT_LOSSES = StepSignal(
    "left-out-losses", "losses",
    "other batches of which the line of the trained loss has computed a loss since the last "
    "backward pass, and that this one does not reach; written where there are any, in the first "
    "steps",
    requires=runs.LOSS,
)
HELD_OUT_LOSS = StepSignal(
    "held-out-loss", "",
    "mean loss of a pass over held-out data, from which nothing is learned",
    requires=runs.VALIDATION,
)
HELD_OUT_AGAIN = StepSignal(
    "held-out-again", "",
    "1 if a pass over held-out data met the same samples as the one before it, else 0; written "
    "after each pass but the first",
    requires=runs.VALIDATION,
)
SEEN_LOSS = StepSignal(
    "seen-loss", "",
    "mean loss of a pass over training data from which nothing is learned",
    requires=runs.SEEN,
)
CONSTANT_LOSS = StepSignal(
    "constant-loss", "",
    "loss of the best prediction that ignores the input, from the targets seen so far",
    requires=runs.PLAIN_LOSS,
)
LEARNING_RATE = PlaceSignal(
    "learning-rate", "",
    "learning rate of each parameter group; written when it changes",
    requires=runs.OPTIMIZER, place="parameter group",
)
METRIC = PlaceSignal(
    "metric", "",
    "another number that a log names beside its losses, such as an accuracy",
    requires=runs.METRICS, place="column",
)
LOSS_FACTOR = PlaceSignal(
    "loss-factor", "",
    "the value passed to backward() divided by the loss that was computed; one number per "
    "backward pass",
    requires=runs.BACKWARD_OF_KNOWN_LOSS, place="loss",
)
WATCHED_BY_SCHEDULE = PlaceSignal(
    "watched-by-schedule", "",
    "the value that a scheduler such as ReduceLROnPlateau is given and decides by",
    requires=runs.SCHEDULER, place="scheduler",
)
SCHEDULER_CALLS = PlaceSignal(
    "scheduler-calls", "", "steps that a learning rate scheduler has made so far",
    requires=runs.SCHEDULER, place="scheduler",
)
