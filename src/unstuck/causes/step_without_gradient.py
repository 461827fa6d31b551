"""Step without gradient: the optimizer finds nothing to follow when its step comes."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import backward_location, thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import SourceLocation
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import EMPTY_STEP, UPDATE_NORM

TIMES = Threshold(
    "empty-times", 2.0,
    "A lone step without gradient is a common way to quiet a scheduler before training.",
    "never a single event",
)
SHARE = Threshold(
    "empty-share", 0.5,
    "Steps that are empty now and then may belong to a phase in which a part rests.",
    "most steps of the run must be lost",
)


def _still(view: View, steps: set[int], held: tuple[str, ...]) -> bool:
    """Whether no weight moved at these steps, so that no update came from elsewhere."""
    if not view.has(UPDATE_NORM):
        return False
    moves = [
        value for name, series in view[UPDATE_NORM].items() if name in held
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True)
        if step in steps
    ]
    return bool(moves) and all(value == 0 for value in moves)


def _detect(view: View) -> Verdict:
    seen = 0
    holds = {o.name: o.parameters for o in view.facts.optimizers}
    for name, series in view[EMPTY_STEP].items():
        series = series.finite
        seen = max(seen, len(series))
        empty = series.values >= 1
        if not empty.sum() >= view.limit(TIMES) or not np.mean(empty) >= view.limit(SHARE):
            continue
        steps = {int(s) for s in series.steps[empty]}
        # Where no clearing was seen, gradients may be taken elsewhere: then the weights move.
        still = _still(view, steps, holds.get(name, ()))
        if still or view.facts.clearings:
            return _present(view, name, series)
    if seen < view.limit(TIMES):
        return Unknown(f"gradients were looked at before {seen} steps only",
                       ("a run of more steps",))
    return Absent("the optimizers find gradients at their steps")


def _present(view: View, name: str, series: Series) -> Verdict:
    empty = series.values >= 1
    cleared = [c.location for c in view.facts.clearings if c.location is not None]
    built = [o.location for o in view.facts.optimizers if o.name == name]
    backward = backward_location(view)
    location: SourceLocation | None
    count = f"at {int(empty.sum())} of {len(series)} sampled steps {name} found no gradient"
    if cleared:
        title = f"gradients are cleared before they are used: {count}"
        label, location = "clears what backward has just computed", cleared[0]
        advice = "Move this line in front of the backward pass, or behind the step."
    elif backward is not None:
        title = f"gradients are gone before they are used: {count}"
        label, location = "leaves gradients that are gone when the step comes", backward
        advice = "Clear the gradients before the backward pass or behind the step, not between."
    else:
        title = f"backward is never called: {count}"
        label = "never gets a gradient"
        location = built[0] if built and built[0] is not None else None
        advice = "Call loss.backward() before the optimizer's step."
    return Present(
        strength=0.95,
        title=title,
        since_step=int(series.steps[np.flatnonzero(empty)[0]]),
        location=location,
        label=label,
        evidence=(
            Evidence(EMPTY_STEP.name, name, *thinned(series.steps, series.values), 0.0,
                     f"1 marks a step without gradient: {int(empty.sum())} of {len(series)}"),
        ),
        remedies=(Remedy("let the gradients live until the step", Safety.ADVICE, advice=advice),),
    )


CAUSE = Cause(
    slug="step-without-gradient",
    code="P002",
    title="Step without gradient",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss stays where it began, whatever the learning rate, and nothing fails.",
        consequence="The optimizer passes over weights that have no gradient, so the network "
        "stays as it was initialised however long the program runs.",
        why="A step follows what backward has left in .grad. Where zero_grad comes between the "
        "two, or backward is not called at all, there is nothing to follow.",
        detection="Before a sampled step the parameters that the backward pass reached are "
        "looked at. None of them has a gradient, although they were reached; zeros count only "
        "where a call was seen to clear what was not zero before, since backward can compute "
        "zeros too.",
        limitations="Where only a part of an optimizer's parameters is cleared, the step "
        "still finds gradients and nothing is said. Steps with a closure are not looked at.",
        references=(
            "Karpathy 2018: the most common neural net mistakes",
            "PyTorch: torch.optim, taking an optimization step",
        ),
    ),
    needs=(EMPTY_STEP,),
    uses=(UPDATE_NORM,),
    thresholds=(TIMES, SHARE),
    explains=(
        "learning-rate-too-low", "vanishing-gradients", "dead-relu", "schedule-mistake",
        "parameters-not-in-optimizer", "inputs-not-normalised", "bad-initialisation",
    ),
    detect=_detect,
)
