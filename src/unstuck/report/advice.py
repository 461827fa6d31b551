"""What a pattern of curves means and what to do next, in order. Words only: nothing is judged."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.findings import OutcomeKind


@dataclass(frozen=True, slots=True)
class Advice:
    """One pattern: its meaning in a sentence, and steps of which the first is to be taken first."""

    meaning: str
    steps: tuple[str, ...]


_WATCH = ("run the program under `unstuck run`: it sees gradients, weights and data, and names the "
          "cause and the line")
_SAME_MODE = ("take both losses in eval mode: dropout, or a mean over an epoch in which the "
              "weights changed, lifts the train loss alone")


def advice(kind: OutcomeKind, held_out: bool, best_step: str = "") -> Advice:
    """The advice for an outcome.

    Args:
        kind: what became of the run.
        held_out: whether there is a held-out curve; without one overfitting cannot be seen.
        best_step: where the held-out loss was best, "" where that says nothing.
    """
    both = "Train and held-out loss" if held_out else "The train loss"
    keep = f" ({best_step})" if best_step else ""
    unseen = () if held_out else (
        "log a held-out loss too: without one nobody can tell learning from overfitting",)
    match kind:
        case OutcomeKind.LEARNING:
            return Advice(
                f"{both} falling: the network is still learning; single steps may go up.",
                ("let it train on: judge after dozens of epochs and thousands of iterations",
                 *unseen,
                 "only if it is too slow, raise the learning rate (twice, then five times)"))
        case OutcomeKind.OVERFITTING:
            return Advice(
                "Train loss falling, held-out loss not: the network overfits.",
                (f"keep the weights of the best held-out loss{keep}",
                 "more data, or augmentation and noise on the inputs",
                 "dropout: keep 0.75 or 0.9 of the units, which is Dropout(p=0.25) or (p=0.1)",
                 "fewer units, in the fully connected layers first, or weight decay",
                 "smaller batches"))
        case OutcomeKind.DATA_PROBLEM:
            return Advice(
                "Train loss flat, held-out loss falling: the data are at fault.",
                (_SAME_MODE,
                 "look at the split: are held-out samples easier, or also in the training set?",
                 "look at the training samples and their labels, and normalise them", _WATCH))
        case OutcomeKind.PLATEAU:
            return Advice(
                f"{both} flat after a fall: a bottleneck.",
                ("lower the learning rate to a tenth, or the batch size to a half", *unseen,
                 "more momentum, against a local minimum",
                 "only then a larger network", _WATCH))
        case OutcomeKind.BROKEN:
            return Advice(
                f"{both} rising: bad structure, hyper-parameters or uncleaned data."
                if not held_out else
                "The train loss rises: bad structure, hyper-parameters or uncleaned data.",
                ("divide the learning rate by 10, and again",
                 "look at the samples and labels, and normalise them",
                 "is the sign of the loss right, and are gradients cleared at each step?", _WATCH))
        case OutcomeKind.NOT_LEARNING:
            return Advice(
                "Flat from the first step on: nothing was ever learned.",
                (_WATCH,
                 "normalise inputs and targets: mean 0, deviation 1",
                 "does the optimizer hold the model's parameters, and does the loss reach them?",
                 "try learning rates 0.1, 0.01, 0.001; then leaky ReLU against dead units"))
        case OutcomeKind.DIVERGED:
            return Advice(
                "The loss exploded; after one Inf or NaN every weight is NaN for good.",
                ("divide the learning rate by 10, and again",
                 "look for NaN, Inf and far outliers in the data, and normalise them",
                 "look at any layer's weights, and at exp, log and sqrt in the loss", _WATCH,
                 "clip the gradient only for the time being: it hides the cause"))
        case OutcomeKind.CONVERGED:
            return Advice(
                f"{both} flat after a fall: the training is done, or stuck at this height.",
                ("if the result is good enough, stop", *unseen,
                 "else lower the learning rate to a tenth: a further fall means that it was stuck",
                 "else a larger network, or better features"))
        case OutcomeKind.TOO_SHORT:
            return Advice(
                "Too little to tell: judge only after enough iterations.",
                ("train longer, or log more often",))
        case _:
            return Advice("No training can be seen.", (_WATCH,))
