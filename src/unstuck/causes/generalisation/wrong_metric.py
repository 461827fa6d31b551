"""Wrong metric: the training is sound, and what the program counts as right is not."""

from __future__ import annotations

import math

from unstuck.measures.basics import level, measured, unread_loss, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import CountRight, Remedy, Safety
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.scores import Code, Counting, Score, Scoring
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.scores import TOLD_SCORE, TRUE_SCORE
from unstuck.torch_api import BINARY, CLASSES
from unstuck.words import number, percent

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
    Counting.TWICE: "takes the sigmoid of what is a probability already, which is always above a "
    "half",
    Counting.PAIRS: "compares each prediction with the labels of all samples of its batch",
    Counting.ALL: "compares each prediction with the targets of all samples",
    Counting.AXIS: "takes, for each class, the sample or the step with the largest output",
    Counting.BATCHES: "divides the number of right predictions by the number of batches",
    Counting.SHARES: "adds up the shares of right predictions in the batches, and divides the sum "
    "by the number of samples",
}
BETTER = {
    Counting.COLUMN: "Count a prediction as class 1 where the logit is above zero: (outputs > 0). "
    "argmax is for outputs with one column for each class.",
    Counting.ROUNDED: "Compare the logits with zero: (outputs > 0). Or apply a sigmoid before "
    "rounding.",
    Counting.TWICE: "The model returns probabilities: compare them with a half as they are, "
    "(outputs > 0.5).",
    Counting.PAIRS: "Give predictions and labels the same shape. For several classes leave out "
    "keepdim=True in argmax or max. For a single output compare outputs.squeeze(1) with labels.",
    Counting.ALL: "Give predictions and targets the same shape: outputs.squeeze(1). A column less "
    "a row is a square.",
    Counting.AXIS: "Take the class with the largest output for each sample: outputs.argmax(dim=1).",
    Counting.SHARES: "Add up how many predictions are right, not their share: .sum() in place of "
    ".mean().",
    Counting.BATCHES: "Divide by the number of samples: len(loader.dataset). len(loader) is the "
    "number of batches.",
}


def _detect(view: View) -> Verdict:
    scores = view.record.facts(Score)
    found = [s for s in scores if s.how is not Counting.RIGHT and s.agreed >= view.limit(AGREED)]
    if found:
        return _present(view, max(found, key=lambda s: (s.location is not None, s.agreed)))
    if any(s.how is Counting.RIGHT for s in scores):
        return Absent("the program's score is the share of right predictions")
    record = view.record
    labelled = [loss for loss in record.facts(Loss) if _has_one_label(loss)]
    for scoring in record.facts(Scoring):
        if scoring.code is Code.VALUES and labelled:
            return _of_values(scoring, labelled[0])
    code = {each.code for each in record.facts(Scoring)}
    if unwatched(record) is None and code == {Code.SILENT}:
        return Absent("nothing in the program's code counts right predictions")
    unseen = unread_loss(record)
    if unseen is not None:
        return Unknown(unseen, ("a loss from torch.nn or torch.nn.functional",))
    if not any(_is_of_classes(loss) for loss in record.facts(Loss)):
        return Absent("no loss of a classifier was seen, with which these mistakes are made")
    if unwatched(record) is None and code == {Code.LARGEST} and all(
        _has_one_label(loss) for loss in record.facts(Loss) if _is_of_classes(loss)
    ):
        return Absent("the code compares the class with the largest output of each sample with "
                      "its label")
    return Unknown(
        "no score was seen that the program computes of predictions and labels",
        ("an evaluation under torch.no_grad() that keeps its score in a variable such as acc",))


def _is_of_classes(loss: Loss) -> bool:
    return loss.function in CLASSES or (
        loss.function in BINARY
        and (len(loss.input_shape) == 1 or math.prod(loss.input_shape[1:]) == 1))


def _has_one_label(loss: Loss) -> bool:
    """Whether a loss has one output for each class, and a label for each sample, in one dimension.
    """
    return loss.function in CLASSES and len(loss.input_shape) == 2 and len(loss.target_shape) == 1


def _half(view: View) -> float:
    """The output of a single column that lies between both classes."""
    functions = {loss.function for loss in view.record.facts(Loss)}
    return 0.5 if "binary_cross_entropy" in functions else 0.0


def _of_values(scoring: Scoring, loss: Loss) -> Present:
    """The largest outputs themselves are compared with the labels, and the score is zero."""
    return Present(
        strength=0.9,
        title="the labels are compared with the largest output of each sample, not with its class: "
        "no prediction counts as right",
        since_step=0,
        location=scoring.location,
        label="compares outputs with labels",
        evidence=(Evidence("", loss.name, (), (), None, "the code takes the first part of what "
                           "max(dim=1) returns: the values. The classes are the second part"),),
        remedies=(Remedy("count the right predictions", Safety.ADVICE, advice="Take the class with "
                         "the largest output: outputs.argmax(dim=1)."),),
    )


def _present(view: View, score: Score) -> Present:
    told, true = (level(view[signal][score.name]) for signal in (TOLD_SCORE, TRUE_SCORE))
    name = score.name.rpartition(": ")[2]
    agreed = f"its value agreed {score.agreed:,} times" if score.held else (
        "by the shapes of both sides")
    of_batches = score.how is Counting.BATCHES  # which somebody may want, if hardly by such a name
    values = score.how is Counting.ALL
    says = number(told) if of_batches or values else percent(told)
    right = number(true) if values else percent(true)
    of = "is right" if values else "of the predictions are right"
    return Present(
        strength=0.95, certain=not of_batches,
        title=f"`{name}` {DOES[score.how]}: it says {says}, and {right} {of}",
        since_step=int(view[TOLD_SCORE][score.name].steps[0]),
        location=score.location,
        label="is not a share of the samples" if of_batches else
        "a column less a row is a square" if values else "does not count the right predictions",
        evidence=(
            measured(view, TOLD_SCORE, score.name, None, f"the score, as the program counts it: "
                     f"{says} ({agreed})"),
            measured(view, TRUE_SCORE, score.name, None,
                     f"{'the same error' if values else 'the share of right predictions'} at the "
                     f"same times{', sample by sample' * values}: {right}"),
        ),
        remedies=(Remedy("count the right predictions", Safety.SAFE,
                         (CountRight(score.location, score.how.value, _half(view)),),
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
        why="Some mistakes raise no error. A column of predictions, such as argmax makes with "
        "keepdim=True, compared with a row of labels gives every pair of samples. argmax over the "
        "wrong axis picks a sample instead of a class. With a single output for two classes, "
        "argmax over its one column is always 0, and rounding a logit is not rounding a "
        "probability. len(loader) is a number of batches, and right predictions are samples.",
        detection="While the program evaluates a classifier without gradients, unstuck counts the "
        "right predictions itself, and in these wrong ways; also of the samples that an index or a "
        "mask picks. A variable whose name speaks of a score must hold the number of a wrong way, "
        "and of no right one, three times. Where values are predicted as a column and the targets "
        "are a row, any variable that holds a mean error of all pairs, or the share of the "
        "variance that it leaves, is found in the same way.",
        limitations="The labels and the score must be variables where the model is called, or in "
        "what these hold; of a score that is returned or printed at once, only the comparison of a "
        "column with a row is seen. Scores of training batches are not looked at. Everything else "
        "is left alone: top-k, thresholds, averages over classes and running means are all meant "
        "by somebody.",
        references=(
            "PyTorch documentation: broadcasting semantics, torch.argmax, torch.round",
        ),
    ),
    needs=(),
    uses=(TRUE_SCORE, TOLD_SCORE),
    thresholds=(AGREED,),
    detect=_detect,
)
