"""What a pattern of curves means, and what to do next, in order."""

from __future__ import annotations

from collections.abc import Sequence
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
class Advice:
    """One pattern: its meaning in a sentence, and steps of which the first is to be taken first."""

    meaning: str
    steps: tuple[str, ...]


_WATCH = ("run the program under `unstuck run`: it looks at gradients, weights and data and names "
          "the cause and the line")
_CHECK = ("ask the program where it goes wrong with `unstuck check`: can it memorise one batch, do "
          "its inputs matter, where is the label lost")
CHECK = "unstuck check"
_METRIC = ("judge the run by a metric of its task, such as the return of a policy or the quality "
           "of generated samples")
_SAME_MODE = ("compute both losses in eval mode: dropout raises the train loss alone, and so does "
              "a mean over an epoch in which the weights improved")
_ONE_BATCH = ("check whether the network can memorise one small batch: if it cannot, look for the "
              "fault in the model, the loss or the optimizer, otherwise in the data")


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
    unseen = (f"log the train {noun} as well",) if w.data != "train" else () if held_out else (
        f"log a held-out {noun} as well: without one, overfitting looks like learning",)
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
                ("let it train on, and judge it after dozens of epochs and thousands of steps",
                 *unseen,
                 "if it is too slow, raise the learning rate: first to twice, then to five times"))
        case OutcomeKind.OVERFITTING:
            return Advice(
                f"The train {noun} {'rises' if w.higher else 'falls'} but the held-out "
                + (f"{noun} does not" if held_out else "metrics get worse")
                + ", so the network overfits." if w.data == "train" else
                f"The held-out {noun} is {w.rising}, as it does when a network overfits. Without a "
                f"train {noun} this is not certain.",
                (f"keep the weights that had the best held-out {best}{keep}",
                 "use more data, data augmentation or noise on the inputs",
                 "add dropout: Dropout(p=0.1) or Dropout(p=0.25) zeroes 10 % or 25 % of the units",
                 "use fewer units, in the fully connected layers first, or add weight decay",
                 "use smaller batches"))
        case OutcomeKind.DATA_PROBLEM:
            return Advice(
                f"The held-out {noun} {'rises' if w.higher else 'falls'} but the train {noun} does "
                f"not, so something is wrong with the data or with how the {noun}"
                f"{'s' if noun == 'score' else 'es'} are computed.",
                (_SAME_MODE,
                 "check the split: are the held-out samples easier, or part of the training set?",
                 "check the training samples and their labels, and normalise the inputs", _WATCH))
        case OutcomeKind.PLATEAU:
            return Advice(
                f"{_both(w, course == 'flat', 'have', 'has')} plateaued."
                + (f" But {other}." if course in ("falling", "rising") else ""),
                ("lower the learning rate to a tenth, or halve the batch size", *unseen,
                 "raise the momentum, in case of a local minimum",
                 "only then try a larger network", _WATCH))
        case OutcomeKind.BROKEN:
            return Advice(
                f"The {w.curve} is {w.rising}. Usual reasons are the network's structure, its "
                "hyperparameters or faulty data.",
                ("divide the learning rate by 10, and again if that does not help",
                 "check the samples and labels, and normalise the inputs",
                 "check the sign of the loss, and that the gradients are cleared before each step",
                 _WATCH))
        case OutcomeKind.NOT_LEARNING:
            return Advice(
                f"The {w.curve} is flat from the first step on, so nothing was ever learned.",
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
                f"{_both(w, course == 'flat')} flat after a {'rise' if w.higher else 'fall'}: "
                "training is finished, or it is stuck at this level."
                + (f" But {other}." if course in ("falling", "rising") else ""),
                ("if the result is good enough, stop", *unseen,
                 ("otherwise lower the learning rate to a tenth: if the "
                  f"{noun} {'rises' if w.higher else 'falls'}, it was stuck"),
                 "otherwise try a larger network or better features"))
        case OutcomeKind.TOO_SHORT:
            return Advice(
                "The curve is too short to judge.", ("train longer, or log more often",))
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
    crash: str | None = None,
) -> tuple[NextStep, ...]:
    """What to do next, the first first. `crash` is what to do about the error that ended the run.

    Of causes that were found it is their remedy; of the best suspect the run that would tell; of a
    run that failed without either what helps most often. A run that went well wants nothing.
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
    steps = advice(outcome.kind, held_out).steps
    return tuple(
        NextStep(_sentence(_CHECK), CHECK) if watched and step is _WATCH
        else NextStep(_sentence(step), CHECK if watched and step is _ONE_BATCH else None)
        for step in steps)


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
