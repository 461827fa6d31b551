"""Gradients not zeroed: every step follows the sum of all gradients since the start."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import backward_location, thinned
from unstuck.edits import Remedy, Safety, ZeroGrad
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import CARRIED_GRADIENT
from unstuck.words import percent

SHARE = Threshold(
    "carried-share", 0.1,
    "A part that is never cleared, such as a second model of the same optimizer, is the same "
    "mistake; a lone parameter may be a choice.",
    "definition; a run that clears its gradients carries none",
)
TIMES = Threshold(
    "carried-times", 2.0,
    "One step may follow a gradient that was left on purpose, for instance after a warm-up pass.",
    "never a single event",
)


def _detect(view: View) -> Verdict:
    carried = {name: series.finite for name, series in view[CARRIED_GRADIENT].items()}
    guilty: dict[str, Series] = {}
    seen = 0
    for name, series in carried.items():
        seen = max(seen, len(series))
        over = series.values >= view.limit(SHARE)
        if over.sum() >= view.limit(TIMES) and np.mean(over) >= 0.5:
            guilty[name] = series
    if guilty:
        return _present(view, guilty)
    if seen < view.limit(TIMES):
        return Unknown(f"gradients were compared over {seen} steps only", ("a run of more steps",))
    return Absent("the gradients are cleared between steps")


def _present(view: View, guilty: dict[str, Series]) -> Verdict:
    name, series = next(iter(guilty.items()))
    over = series.values >= view.limit(SHARE)
    since = int(series.steps[np.flatnonzero(over)[0]])
    steps, values = thinned(series.steps, series.values)
    share = percent(float(np.median(series.values)))
    return Present(
        strength=0.95,
        title=f"gradients are never cleared: at {int(over.sum())} of {len(series)} sampled steps "
        f"{share} of the parameters of {name} still held the gradient of the step before",
        since_step=since,
        location=backward_location(view),
        label="adds to the gradients of all steps before",
        evidence=(
            Evidence(CARRIED_GRADIENT.name, name, steps, values, 0.0,
                     f"{share} of the parameters of {name} carried their gradient over; 0 % is "
                     "healthy"),
        ),
        remedies=tuple(
            Remedy("clear the gradients", Safety.SAFE, (ZeroGrad(held),),
                   code_text="optimizer.zero_grad()  # before loss.backward()")
            for held in guilty
        ),
    )


CAUSE = Cause(
    slug="gradients-not-zeroed",
    code="P001",
    title="Gradients not zeroed",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss falls at first, then swings or blows up; a lower rate only delays it.",
        consequence="Each step follows all gradients since the start. It works like a momentum of "
        "1 that never forgets: the weights swing around the solution and never settle.",
        why="A backward pass adds to .grad, so that several losses can be summed. Without "
        "zero_grad between two steps the sum never starts anew.",
        detection="After each sampled step the gradients are looked at again when the next "
        "backward begins. Clearing counts however it is done (zero_grad, set_to_none, by hand, "
        "anywhere between two steps), and so adding up several batches for one step is not meant: "
        "what counts is what a step leaves behind.",
        limitations="An optimizer that keeps sums on purpose, by scaling .grad down by hand "
        "after each step, would be named.",
        references=(
            "Karpathy 2018: the most common neural net mistakes",
            "PyTorch: zeroing out gradients (recipe)",
        ),
    ),
    needs=(CARRIED_GRADIENT,),
    thresholds=(SHARE, TIMES),
    explains=(
        "learning-rate-too-high", "non-finite-loss", "dead-relu", "exploding-gradients",
        "momentum-too-high", "saturated-activations",
    ),
    detect=_detect,
)
