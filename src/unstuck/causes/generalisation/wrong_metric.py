"""Wrong metric: the training is sound, and what the program counts as right is not."""

from __future__ import annotations

import math

from unstuck.measures.basics import level, measured, unread_loss
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.scores import Counting, Score
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.scores import TOLD_SCORE, TRUE_SCORE
from unstuck.words import percent

AGREED = Threshold(
    "agreed-scores", 3.0,
    "The variable must have held a number that only the wrong way of counting gives, at three "
    "different times. Once may be a coincidence.",
    "definition",
)
DOES = {
    Counting.COLUMN: "takes the largest of a single column, which is always class 0",
    Counting.ROUNDED: "rounds logits as if they were probabilities, so that a sure answer of 4.2 "
    "becomes 4 and counts as wrong",
    Counting.PAIRS: "compares each prediction with the labels of all samples of its batch",
}
BETTER = {
    Counting.COLUMN: "Count a prediction as class 1 where the logit is above zero: (outputs > 0). "
    "argmax is for outputs with one column for each class.",
    Counting.ROUNDED: "Compare the logits with zero: (outputs > 0). Or apply a sigmoid before "
    "rounding.",
    Counting.PAIRS: "Give both sides the same shape: outputs.squeeze(1) and labels, or outputs and "
    "labels.unsqueeze(1).",
}


def _detect(view: View) -> Verdict:
    scores = view.record.facts(Score)
    found = [s for s in scores if s.how is not Counting.RIGHT and s.agreed >= view.limit(AGREED)]
    if found:
        return _present(view, max(found, key=lambda s: (s.location is not None, s.agreed)))
    if any(s.how is Counting.RIGHT and s.agreed >= view.limit(AGREED) for s in scores):
        return Absent("the program's score is the share of right predictions")
    unseen = unread_loss(view.record)
    losses = view.record.facts(Loss)
    if not any(_of_one_logit(loss) for loss in losses):
        return Absent("no loss of a single logit for two classes was seen, with which these "
                      "mistakes are made") if unseen is None else Unknown(
            unseen, ("a loss from torch.nn or torch.nn.functional",))
    return Unknown("no score was seen that the program computes of predictions and labels",
                   (TOLD_SCORE.name,))


def _of_one_logit(loss: Loss) -> bool:
    return loss.function == "binary_cross_entropy_with_logits" and (
        len(loss.input_shape) == 1 or math.prod(loss.input_shape[1:]) == 1)


def _present(view: View, score: Score) -> Present:
    told, true = (level(view[signal][score.name]) for signal in (TOLD_SCORE, TRUE_SCORE))
    name = score.name.rpartition(": ")[2]
    return Present(
        strength=0.95, certain=True,
        title=f"`{name}` {DOES[score.how]}: it says {percent(told)}, and {percent(true)} of the "
        "predictions are right",
        since_step=int(view[TOLD_SCORE][score.name].steps[0]),
        location=score.location,
        label="does not count the right predictions",
        evidence=(
            measured(view, TOLD_SCORE, score.name, None, f"the score, as the program counts it: "
                     f"{percent(told)} (its value agreed {score.agreed:,} times)"),
            measured(view, TRUE_SCORE, score.name, None,
                     f"the share of right predictions at the same times: {percent(true)}"),
        ),
        remedies=(Remedy("count the right predictions", Safety.ADVICE,
                         advice=BETTER[score.how]),),
    )


CAUSE = Cause(
    slug="wrong-metric",
    code="E002",
    title="Wrong metric",
    family="Generalisation",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.METRIC,),
    words=Words(
        symptom="The loss falls as it should, and the accuracy stays at the share of one class, "
        "near one half, or falls.",
        consequence="A good network is taken for a bad one. Changes are made to a training that "
        "has no fault, and the wrong epoch is kept as the best.",
        why="Three mistakes with a single output for two classes raise no error. argmax over one "
        "column is always 0. Rounding a logit is not rounding a probability. And a column of "
        "predictions compared with a row of labels gives every pair of samples.",
        detection="While the program evaluates a binary classifier with one logit, unstuck counts "
        "the right predictions itself, and in these three wrong ways. A variable whose name speaks "
        "of a score must hold the number of a wrong way, and of no right one, three times.",
        limitations="Only binary classifiers with one logit and the loss "
        "binary_cross_entropy_with_logits are looked at, and only if the labels and the score "
        "are variables where the model is called. Everything else is left alone: top-k, "
        "thresholds, averages over classes and running means are all meant by somebody.",
        references=(
            "PyTorch documentation: broadcasting semantics, torch.argmax, torch.round",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(TOLD_SCORE, TRUE_SCORE),
    thresholds=(AGREED,),
    detect=_detect,
)
