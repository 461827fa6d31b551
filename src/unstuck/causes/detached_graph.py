"""Detached graph: the loss's graph ends before layers that an optimizer is to train."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import called, thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import Cut, Parameter
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, REACHED, UPDATE_NORM
from unstuck.words import joined, percent

STEPS = Threshold(
    "detached-steps", 2.0,
    "A single loss may leave out on purpose what another loss of the program trains.",
    "never a single event",
)


def _detect(view: View) -> Verdict:
    whole = next((c for c in view.facts.cuts if not c.before), None)
    if whole is not None:
        return _without_graph(view, whole)
    if not view.has(REACHED):
        return Unknown(f"{REACHED.name} was not measured", (REACHED.name,))
    steps = len({int(s) for series in view[REACHED].values() for s in series.steps})
    if steps < view.limit(STEPS):
        return Unknown(f"only {steps} step was looked at", ("a run of more steps",))
    for cut in view.facts.cuts:
        lost = _lost(view, cut)
        if lost:
            return _present(view, cut, lost)
    return Absent("no layer that is to be trained is cut off from the loss")


def _lost(view: View, cut: Cut) -> list[Parameter]:
    """Trainable weights before a cut that no loss reaches and that never had a gradient."""
    reached = view[REACHED]
    gradients = view[GRADIENT_NORM] if view.has(GRADIENT_NORM) else {}
    stepped = view[UPDATE_NORM] if view.has(UPDATE_NORM) else {}
    lost = []
    for parameter in view.facts.parameters().values():
        if parameter.layer not in cut.before or not parameter.trainable or parameter.loaded:
            continue
        series = reached.get(parameter.name)
        if series is None or len(np.unique(series.steps)) < view.limit(STEPS):
            return []
        steps = stepped.get(parameter.name)
        if steps is None or len(np.unique(steps.steps)) < view.limit(STEPS):
            return []  # its optimizer has its turn at other steps, perhaps with another loss
        if np.any(series.values != 0):
            return []  # another loss trains this part: the cut is meant
        gradient = gradients.get(parameter.name)
        if gradient is not None and np.any(gradient.values != 0):
            return []
        lost.append(parameter)
    return lost


def _size(parameters: list[Parameter]) -> int:
    return sum(math.prod(p.shape) for p in parameters)


def _present(view: View, cut: Cut, lost: list[Parameter]) -> Verdict:
    reached = view[REACHED]
    every = [p for p in view.facts.parameters().values() if p.trainable]
    share = percent(_size(lost) / max(_size(every), 1))
    names = joined([called(name) for name in cut.before])
    return Present(
        # Without a word in the source that cuts, the output may only be unused.
        strength=0.9 if cut.seen else 0.45,
        title=f"the loss does not reach {names[:80]}: {_size(lost)} of {_size(every)} weights "
        f"({share}) get no gradient",
        since_step=int(reached[lost[0].name].steps[0]),
        location=cut.location,
        label=f"the graph ends before {called(cut.name)[:40]}",
        evidence=tuple(
            Evidence(REACHED.name, p.name,
                     *thinned(reached[p.name].steps, reached[p.name].values), 1.0,
                     f"{p.name} {p.shape} is held by an optimizer; no loss reaches it")
            for p in lost[:5]
        ),
        remedies=_REMEDIES,
    )


def _without_graph(view: View, cut: Cut) -> Verdict:
    every = [p for p in view.facts.parameters().values() if p.trainable]
    which = f"none of {_size(every)} trainable weights" if every else "no weight of an optimizer"
    return Present(
        strength=0.95,
        title=f"the loss has no graph that leads to the network: {which} gets a gradient",
        since_step=0,
        location=cut.location,
        label="the graph that is to be differentiated is lost here",
        evidence=(Evidence(REACHED.name, "", (0,), (0.0,), 1.0,
                           "the loss reaches no parameter at all"),),
        remedies=_REMEDIES,
    )


_REMEDIES = (
    Remedy(
        "keep the graph", Safety.ADVICE,
        advice="Leave out what ends the graph between the layers and the loss: detach, .data, "
        "item, numpy, argmax, a new tensor made of an old one's values, no_grad. Detach a copy "
        "where one is wanted for a plot or a log.",
    ),
)


CAUSE = Cause(
    slug="detached-graph",
    code="P006",
    title="Detached graph",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The network learns less than it should, or nothing, and some of its layers never "
        "get a gradient although an optimizer holds them.",
        consequence="The layers before the cut stay random; those behind it learn on top of noise. "
        "Where the loss itself is cut off, nothing learns or the program ends in an error.",
        why="Gradients flow along the graph that autograd records. A detached tensor, a number, an "
        "array, an index, or anything computed under no_grad starts without one.",
        detection="The loss's graph reaches none of the layers called first, though an optimizer "
        "holds them, and the first layer that it reaches was given an input without a graph. "
        "No other loss of the run reaches them and they never had a gradient.",
        limitations="A cut in one of several branches is not seen. A part that another "
        "loss trains is taken to be detached on purpose, and so are loaded weights.",
        references=("PyTorch: torch.Tensor.detach", "PyTorch: autograd mechanics"),
    ),
    needs=(),
    uses=(REACHED, GRADIENT_NORM, UPDATE_NORM),
    thresholds=(STEPS,),
    explains=(
        "too-narrow", "too-shallow", "noise-floor", "learning-rate-too-low", "vanishing-gradients",
        "parameters-not-in-optimizer", "bad-initialisation", "dead-relu",
    ),
    detect=_detect,
)
