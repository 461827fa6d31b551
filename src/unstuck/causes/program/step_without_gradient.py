"""Step without gradient: the optimizer finds no gradients when it steps."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import backward_location, thinned
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, ZeroGrad
from unstuck.schema.facts.optimizers import Clearing, Optimizer
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import EMPTY_STEP, UPDATE_NORM
from unstuck.words import count

TIMES = Threshold(
    "empty-times", 2.0,
    "A single step without gradients is a common way to silence a scheduler's warning before "
    "training.",
    "a single event is never enough for a finding",
)
SHARE = Threshold(
    "empty-share", 0.5,
    "If only a few steps find no gradients, they may belong to a phase in which part of the model "
    "is not trained.",
    "at least half of the steps must be lost",
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
    holds = {o.name: o.parameters for o in view.record.facts(Optimizer)}
    for name, series in view[EMPTY_STEP].items():
        series = series.finite
        seen = max(seen, len(series))
        empty = series.values >= 1
        if not empty.sum() >= view.limit(TIMES) or not np.mean(empty) >= view.limit(SHARE):
            continue
        steps = {int(s) for s in series.steps[empty]}
        # Where no clearing was seen, gradients may be taken elsewhere: then the weights move.
        still = _still(view, steps, holds.get(name, ()))
        if still or view.record.facts(Clearing):
            return _present(view, name, series)
    if seen < view.limit(TIMES):
        return Unknown(f"gradients were checked at only {count(seen, 'step')}", ("a longer run",))
    return Absent("the optimizers find gradients when they step")


def _present(view: View, name: str, series: Series) -> Verdict:
    empty = series.values >= 1
    cleared = [c.location for c in view.record.facts(Clearing) if c.location is not None]
    built = [o.location for o in view.record.facts(Optimizer) if o.name == name]
    backward = backward_location(view)
    location: SourceLocation | None
    lost = f"{int(empty.sum())} of {count(len(series), 'sampled step')}"
    found_none = f"{name} found no gradient at {lost}"
    if cleared:
        title = f"gradients are cleared between the backward pass and the step: {found_none}"
        label, location = "clears the gradients that backward has just computed", cleared[0]
        advice = "Move this line before the backward pass, or after the step."
    elif backward is not None:
        title = f"gradients disappear between the backward pass and the step: {found_none}"
        label, location = "its gradients are gone when the optimizer steps", backward
        advice = "Clear the gradients before the backward pass or after the step, never in between."
    else:
        title = f"backward is never called: {found_none}"
        label = "never gets a gradient"
        location = built[0] if built and built[0] is not None else None
        advice = "Call loss.backward() before optimizer.step()."
    return Present(
        strength=0.95, certain=True,
        title=title,
        since_step=int(series.steps[np.flatnonzero(empty)[0]]),
        location=location,
        label=label,
        evidence=(
            Evidence(EMPTY_STEP.name, name, *thinned(series.steps, series.values), 0.0,
                     f"{lost} had no gradient (drawn as 1)"),
        ),
        remedies=(Remedy("keep the gradients until the step", Safety.SAFE,
                         (ZeroGrad(name, early=True),), advice=advice)
                  if cleared or backward is not None else
                  Remedy("keep the gradients until the step", Safety.ADVICE, advice=advice),),
    )


CAUSE = Cause(
    slug="step-without-gradient",
    code="P002",
    title="Step without gradient",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.CHANCE),
    words=Words(
        symptom="The loss stays where it began, whatever the learning rate, and no error is "
        "raised.",
        consequence="The optimizer skips weights that have no gradient. The network stays as it "
        "was initialised, however long the program runs.",
        why="A step uses what the backward pass has left in .grad. If zero_grad comes between the "
        "two, or backward is never called, there is nothing to use.",
        detection="Before each sampled step, the parameters that the backward pass reached are "
        "checked. The step counts as empty if none of them has a gradient. Gradients of zero count "
        "as none only if a call was seen to clear values other than zero, because the backward "
        "pass can compute zeros too.",
        limitations="If only some of an optimizer's parameters are cleared, the step still finds "
        "gradients and nothing is reported. Steps with a closure are not checked.",
        references=(
            "Karpathy 2018: the most common neural net mistakes",
            "PyTorch: torch.optim, taking an optimization step",
        ),
    ),
    needs=(EMPTY_STEP,),
    uses=(UPDATE_NORM,),
    thresholds=(TIMES, SHARE),
    effects=(
        Effect.INPUTS_OFF_SCALE, Effect.BAD_START, Effect.UNITS_DIE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
    ),
    detect=_detect,
)
