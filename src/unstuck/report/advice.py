"""What a pattern of curves means and what to do next, in order. Words only: nothing is judged."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.findings import OutcomeKind


@dataclass(frozen=True, slots=True)
class Advice:
    """One pattern: its meaning in a sentence, and steps of which the first is to be taken first."""

    meaning: str
    steps: tuple[str, ...]


_WATCH = ("run the program under `unstuck run`: it looks at gradients, weights and data and names "
          "the cause and the line")
_SAME_MODE = ("compute both losses in eval mode: dropout raises the train loss alone, and so does "
              "a mean over an epoch in which the weights improved")
_ONE_BATCH = ("check whether the network can memorise one small batch: if it cannot, look for the "
              "fault in the model, the loss or the optimizer, otherwise in the data")


def advice(kind: OutcomeKind, held_out: bool, best_step: str = "") -> Advice:
    """The advice for an outcome.

    Args:
        kind: what became of the run.
        held_out: whether there is a held-out curve; without one overfitting cannot be seen.
        best_step: where the held-out loss was best, "" if that says nothing.
    """
    both = "The train and held-out losses are" if held_out else "The train loss is"
    have = "The train and held-out losses have" if held_out else "The train loss has"
    keep = f" ({best_step})" if best_step else ""
    unseen = () if held_out else (
        "log a held-out loss as well: without one, overfitting looks like learning",)
    match kind:
        case OutcomeKind.LEARNING:
            return Advice(
                f"{both} falling, so the network is still learning. Single steps may go up.",
                ("let it train on, and judge it after dozens of epochs and thousands of steps",
                 *unseen,
                 "if it is too slow, raise the learning rate: first to twice, then to five times"))
        case OutcomeKind.OVERFITTING:
            return Advice(
                "The train loss falls but the held-out loss does not, so the network overfits.",
                (f"keep the weights that had the best held-out loss{keep}",
                 "use more data, data augmentation or noise on the inputs",
                 "add dropout: Dropout(p=0.1) or Dropout(p=0.25) zeroes 10 % or 25 % of the units",
                 "use fewer units, in the fully connected layers first, or add weight decay",
                 "use smaller batches"))
        case OutcomeKind.DATA_PROBLEM:
            return Advice(
                "The held-out loss falls but the train loss does not, so something is wrong with "
                "the data or with how the losses are computed.",
                (_SAME_MODE,
                 "check the split: are the held-out samples easier, or part of the training set?",
                 "check the training samples and their labels, and normalise the inputs", _WATCH))
        case OutcomeKind.PLATEAU:
            return Advice(
                f"{have} plateaued after an initial fall.",
                ("lower the learning rate to a tenth, or halve the batch size", *unseen,
                 "raise the momentum, in case of a local minimum",
                 "only then try a larger network", _WATCH))
        case OutcomeKind.BROKEN:
            return Advice(
                ("The train loss is" if held_out else both) + " rising. Usual reasons are the "
                "network's structure, its hyperparameters or faulty data.",
                ("divide the learning rate by 10, and again if that does not help",
                 "check the samples and labels, and normalise the inputs",
                 "check the sign of the loss, and that the gradients are cleared before each step",
                 _WATCH))
        case OutcomeKind.NOT_LEARNING:
            return Advice(
                "The train loss is flat from the first step on, so nothing was ever learned.",
                (_WATCH, _ONE_BATCH,
                 "normalise inputs and targets to mean 0 and standard deviation 1",
                 "check that the optimizer has the model's parameters, and the loss reaches them",
                 "try learning rates of 0.1, 0.01 and 0.001, then leaky ReLU against dead units"))
        case OutcomeKind.DIVERGED:
            return Advice(
                "The loss exploded. After one Inf or NaN in an update, all weights stay NaN.",
                ("divide the learning rate by 10, and again if that does not help",
                 "look for NaN, Inf and extreme outliers in the data, and normalise the inputs",
                 "check the weights of every layer, and each exp, log and sqrt in the loss", _WATCH,
                 "clip gradients only for the time being, because clipping hides the cause"))
        case OutcomeKind.CONVERGED:
            return Advice(
                f"{both} flat after a fall: training is finished, or it is stuck at this level.",
                ("if the result is good enough, stop", *unseen,
                 "otherwise lower the learning rate to a tenth: if the loss falls, it was stuck",
                 "otherwise try a larger network or better features"))
        case OutcomeKind.TOO_SHORT:
            return Advice(
                "The curve is too short to judge.", ("train longer, or log more often",))
        case _:
            return Advice("There is no training in this log.", (_WATCH,))


def next_step(kind: OutcomeKind) -> str:
    """What to do first about a run that was watched whole and whose cause is not known; "" if
    there is nothing to advise.
    """
    if kind in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED, OutcomeKind.TOO_SHORT):
        return ""
    return next((step for step in advice(kind, held_out=True).steps if step is not _WATCH), "")
