"""What a pattern of curves means, and what to do next, in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from unstuck.curves.wording import Wording
from unstuck.schema.findings import (
    Confidence,
    Finding,
    NextStep,
    Outcome,
    OutcomeKind,
    Severity,
)
from unstuck.words import count, lowered


@dataclass(frozen=True, slots=True)
class Step:
    """Something to try, and the causes that it treats: where none of them is there, it is vain."""

    text: str
    treats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """One pattern: its meaning in a sentence, and steps of which the first is to be taken first."""

    meaning: str
    steps: tuple[Step, ...]


_WATCH = Step("run the program under `unstuck run`: it looks at gradients, weights and data and "
              "names the cause and the line")
_CHECK = ("ask the program where it goes wrong with `unstuck check`: can it memorise one batch, do "
          "its inputs matter, where is the label lost")
CHECK = "unstuck check"
_METRIC = Step("judge the run by a metric of its task, such as the return of a policy or the "
               "quality of generated samples")
_SAME_MODE = Step("compute both losses in eval mode: dropout raises the train loss alone, and so "
                  "does a mean over an epoch in which the weights improved")
_ONE_BATCH = Step("check whether the network can memorise one small batch: if it cannot, look for "
                  "the fault in the model, the loss or the optimizer, otherwise in the data")
_DATA = Step("check the training samples and their labels, and normalise the inputs",
             ("labels-unrelated-to-inputs", "non-finite-data", "outliers", "inputs-not-normalised"))
_DIVIDE = Step("divide the learning rate by 10, and again if that does not help",
               ("learning-rate-too-high",))


def advice(kind: OutcomeKind, held_out: bool, best_step: str = "", *,
           course: str = "", words: Wording = Wording()) -> Advice:  # noqa: B008 frozen
    """The advice for an outcome.

    Args:
        kind: what became of the run.
        held_out: whether there is a held-out curve; without one overfitting cannot be seen.
        best_step: where the held-out loss was best, "" if that says nothing.
        course: where the held-out curve has been going lately: "falling", "flat" or "rising"; ""
            if that is not known.
        words: how the curves are spoken of.
    """
    w, noun = words, words.noun
    keep = f" ({best_step})" if best_step else ""
    unseen = (Step(f"log the train {noun} as well"),) if w.data != "train" else (
        () if held_out else (Step(
            f"log a held-out {noun} as well: without one, overfitting looks like learning"),))
    best = noun if held_out or w.data != "train" else "metric"  # overfitting was seen by it
    other = {"falling": f"the held-out {noun} is {w.falling}",
             "rising": f"the held-out {noun} is {w.rising}",
             "flat": f"the held-out {noun} is flat"}.get(course, "")
    match kind:
        case OutcomeKind.LEARNING:
            return Advice(
                f"{_both(w, course == 'falling')} {w.falling}, so the network is still learning."
                + (f" But {other}." if course in ("flat", "rising") else "")
                + f" Single steps may go {'down' if w.higher else 'up'}.",
                (Step("let it train on, and judge it after dozens of epochs and thousands of "
                      "steps"),
                 *unseen,
                 Step("if it is too slow, raise the learning rate: first to twice, then to five "
                      "times", ("learning-rate-too-low",))))
        case OutcomeKind.OVERFITTING:
            return Advice(
                f"The train {noun} {'rises' if w.higher else 'falls'} but the held-out "
                + (f"{noun} does not" if held_out else "metrics get worse")
                + ", so the network overfits." if w.data == "train" else
                f"The held-out {noun} is {w.rising}, as it does when a network overfits. Without a "
                f"train {noun} this is not certain.",
                (Step(f"keep the weights that had the best held-out {best}{keep}"),
                 Step("use more data, data augmentation or noise on the inputs"),
                 Step("add dropout: Dropout(p=0.1) or Dropout(p=0.25) zeroes 10 % or 25 % of the "
                      "units"),
                 Step("use fewer units, in the fully connected layers first, or add weight decay"),
                 Step("use smaller batches")))
        case OutcomeKind.DATA_PROBLEM:
            return Advice(
                f"The held-out {noun} {'rises' if w.higher else 'falls'} but the train {noun} does "
                f"not, so something is wrong with the data or with how the {noun}"
                f"{'s' if noun == 'score' else 'es'} are computed.",
                (_SAME_MODE,
                 Step("check the split: are the held-out samples easier, or part of the training "
                      "set?"),
                 _DATA, _WATCH))
        case OutcomeKind.PLATEAU:
            return Advice(
                f"{_both(w, course == 'flat', 'have', 'has')} plateaued."
                + (f" But {other}." if course in ("falling", "rising") else ""),
                (Step("lower the learning rate to a tenth, or halve the batch size",
                      ("noise-floor", "learning-rate-too-high")), *unseen,
                 Step("raise the momentum, in case of a local minimum", ("momentum-too-low",)),
                 Step("try a larger network", ("too-narrow", "too-shallow")), _WATCH,
                 Step("compare with the best result known for such data: where the inputs do not "
                      "determine the targets, no loss falls to zero")))
        case OutcomeKind.BROKEN:
            return Advice(
                f"The {w.curve} is {w.rising}. Usual reasons are the network's structure, its "
                "hyperparameters or faulty data.",
                (_DIVIDE, _DATA,
                 Step("check the sign of the loss, and that the gradients are cleared before each "
                      "step", ("loss-sign", "gradients-not-zeroed")), _WATCH))
        case OutcomeKind.NOT_LEARNING:
            return Advice(
                f"The {w.curve} is flat from the first step on, so nothing was ever learned.",
                (_WATCH, _ONE_BATCH,
                 Step("normalise inputs and targets to mean 0 and standard deviation 1",
                      ("inputs-not-normalised", "targets-not-normalised")),
                 Step("check that the optimizer has the model's parameters, and the loss reaches "
                      "them", ("parameters-not-in-optimizer", "detached-graph")),
                 Step("try learning rates of 0.1, 0.01 and 0.001, then leaky ReLU against dead "
                      "units", ("learning-rate-too-high", "learning-rate-too-low", "dead-relu"))))
        case OutcomeKind.DIVERGED:
            return Advice(
                "The loss exploded. After one Inf or NaN in an update, all weights stay NaN.",
                (_DIVIDE,
                 Step("look for NaN, Inf and extreme outliers in the data, and normalise the "
                      "inputs", ("non-finite-data", "outliers", "inputs-not-normalised")),
                 Step("check the weights of every layer, and each exp, log and sqrt in the loss"),
                 _WATCH,
                 Step("clip gradients only for the time being, because clipping hides the cause")))
        case OutcomeKind.CONVERGED:
            return Advice(
                f"{_both(w, course == 'flat')} flat after a {'rise' if w.higher else 'fall'}: "
                "training is finished, or it is stuck at this level."
                + (f" But {other}." if course in ("falling", "rising") else ""),
                (Step("if the result is good enough, stop"), *unseen,
                 Step("otherwise lower the learning rate to a tenth: if the "
                      f"{noun} {'rises' if w.higher else 'falls'}, it was stuck"),
                 Step("otherwise try a larger network or better features")))
        case OutcomeKind.TOO_SHORT:
            return Advice(
                "The curve is too short to judge.", (Step("train longer, or log more often"),))
        case OutcomeKind.NOT_TOLD:
            return Advice(
                "The loss does not measure what is learned.",
                (_METRIC,))
        case _:
            return Advice("There is no training in this log.", (_WATCH,))


def _both(words: Wording, both: bool, many: str = "are", one: str = "is") -> str:
    """The subject and the auxiliary of a sentence about the train curve, or about both."""
    plural = "scores" if words.higher else "losses"
    return (f"The train and held-out {plural} {many}" if both
            else f"The {words.curve} {one}")


def next_steps(
    outcome: Outcome, findings: Sequence[Finding], *, held_out: bool, watched: bool,
    absent: Collection[str] = (), crash: str | None = None,
) -> tuple[NextStep, ...]:
    """What to do next, the first first. `crash` is what to do about the error that ended the run.

    Of causes that were found it is their remedy; of the best suspect the run that would tell; of a
    run that failed without either what helps most often, unless all that it treats is `absent`. A
    run that went well wants nothing.
    """
    roots = [f for f in findings if f.severity is not Severity.NOTE and f.explained_by is None]
    if roots:
        return tuple(_to_settle(finding) for finding in roots)
    if crash is not None:
        return (NextStep(crash),)
    if outcome.kind in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED):
        return ()
    if outcome.kind is OutcomeKind.TOO_SHORT and watched:
        how = "longer" if outcome.more_points is None else (
            f"for at least {count(outcome.more_points, 'more step')}")
        return (NextStep(f"Train {how}."),)
    return tuple(
        NextStep(_sentence(_CHECK), CHECK) if watched and step is _WATCH
        else NextStep(_sentence(step.text), CHECK if watched and step is _ONE_BATCH else None)
        for step in advice(outcome.kind, held_out).steps
        if not step.treats or not set(step.treats) <= set(absent))


def _to_settle(finding: Finding) -> NextStep:
    """What to do about one finding."""
    command = f"unstuck explain {finding.cause}"
    if finding.confidence is not Confidence.POSSIBLE or not finding.remedies:
        words = finding.remedies[0].words() if finding.remedies else finding.title
        return NextStep(_sentence(words), command)
    if finding.separated_by is not None:
        return NextStep(_sentence(finding.separated_by.words), command)
    return NextStep(
        f"Change one thing and run again: {lowered(finding.remedies[0].words()).rstrip('.')}. If "
        f"that helps, the cause is {finding.cause}.", command)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."
