"""Loss sign: the optimizer goes downhill on something of which more would be better."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, View, Words
from unstuck.causes._measures import backward_location, failed, loss_points
from unstuck.edits import LossForm, Remedy, Safety
from unstuck.facts import Ascent
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import TRAIN_LOSS
from unstuck.words import number

_WORDS = {
    "NllLossBackward0": "the cross entropy", "NllLoss2DBackward0": "the cross entropy",
    "MseLossBackward0": "the squared error", "SmoothL1LossBackward0": "the smooth absolute error",
    "HuberLossBackward0": "the Huber error", "BinaryCrossEntropyBackward0": "the cross entropy",
    "BinaryCrossEntropyWithLogitsBackward0": "the cross entropy",
    "PowBackward0": "the squared error", "AbsBackward0": "the absolute error",
    "LogSoftmaxBackward0": "the negative log-likelihood",
    "LogSigmoidBackward0": "the negative log-likelihood",
    "LogBackward0": "the negative log-likelihood",
}


def _detect(view: View) -> Verdict:
    if not view.facts.ascents:
        if not view.facts.backwards:
            return Unknown("no backward pass was looked into", ("the graph of the loss",))
        return Absent("no loss drives an error up, as far as the signs along its graph tell")
    ascent = view.facts.ascents[0]
    others = set(view.facts.tracks) - {ascent.name}
    if others or len(view.facts.optimizers) > 1:
        # A generator drives up the error that its discriminator drives down.
        return Unknown(f"{ascent.name} drives an error up, but something else is trained too: "
                       "an adversary does so on purpose", ("what the losses are meant for",))
    return _present(view, ascent)


def _present(view: View, ascent: Ascent) -> Verdict:
    what = _WORDS.get(ascent.of, "an error")
    steps, values = loss_points(view)
    return Present(
        strength=0.95 if failed(view.outcome) or values[-1] < min(0.0, values[0]) else 0.85,
        title=f"the training drives {what} up: what is minimised went from {number(values[0])} to "
        f"{number(values[-1])}",
        since_step=0,
        location=ascent.location or backward_location(view),
        label=f"minimised, this makes {what} as large as can be",
        evidence=(
            Evidence(TRAIN_LOSS.name, ascent.name, steps, values, None,
                     f"the graph of the loss holds {what} with a minus; it went from "
                     f"{number(values[0])} to {number(values[-1])}"),
        ),
        remedies=(
            Remedy("flip the sign", Safety.SAFE, (
                LossForm("loss = -loss", "minimise the opposite"),)),
        ),
    )


CAUSE = Cause(
    slug="loss-sign",
    code="P016",
    title="Wrong sign of the loss",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss falls without end, below zero and ever faster, while the predictions "
        "get worse; or an error rises from the first step on.",
        consequence="The optimizer does its work perfectly, in the wrong direction: nothing bounds "
        "how wrong a prediction can get, so weights and loss run off to infinity.",
        why="An optimizer minimises. A log-likelihood, or any score of which more is better, "
        "needs a minus before it; a loss that has one too many is maximised.",
        detection="The graph of the loss is followed through sums and constant factors down to "
        "what measures an error (a squared or absolute difference, a cross entropy, the logarithm "
        "of a probability), and the signs are multiplied. All must be wrong at two sampled steps. "
        "A factor that may have either sign, such as a reward, ends the search.",
        limitations="Maximising by hand (weights moved along the gradient, maximize=True) is "
        "not seen, nor a score that holds no error, such as a similarity. A program that confuses "
        "a network on purpose and trains nothing else would be named.",
        references=(
            "Tobin 2019: Troubleshooting deep neural networks, flipped sign in the loss",
        ),
    ),
    needs=(TRAIN_LOSS,),
    explains=(
        "learning-rate-too-high", "non-finite-loss", "dead-relu", "exploding-gradients",
        "saturated-activations", "vanishing-gradients", "targets-not-normalised",
    ),
    detect=_detect,
)
