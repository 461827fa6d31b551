"""Gradients not zeroed: every step follows the sum of all gradients since the start."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import backward_location, thinned
from unstuck.measures.idle import called_at, guarded, place_of, uncalled
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, Safety, ZeroGrad
from unstuck.schema.facts.calls import OptimizerCall
from unstuck.schema.facts.losses import Backward
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import CARRIED_GRADIENT
from unstuck.words import count, percent

SHARE = Threshold(
    "carried-share", 0.1,
    "If only one part is never cleared, such as a second model of the same optimizer, that is the "
    "same mistake. A single parameter may be a choice.",
    "definition; a run that clears its gradients carries none over",
)
TIMES = Threshold(
    "carried-times", 2.0,
    "One step may use a gradient that was left on purpose, for instance after a warm-up pass.",
    "a single event is never reported",
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
        return Unknown(f"gradients were compared over only {count(seen, 'step')}",
                       ("a longer run",))
    return Absent("the gradients are cleared between steps")


def _present(view: View, guilty: dict[str, Series]) -> Verdict:
    name, series = next(iter(guilty.items()))
    over = series.values >= view.limit(SHARE)
    since = int(series.steps[np.flatnonzero(over)[0]])
    steps, values = thinned(series.steps, series.values)
    idle, held = uncalled(view, "zero_grad"), guarded(view, "zero_grad")
    if held is not None and any(
        call.method == "zero_grad" and call.location not in (None, held.location)
        for call in view.record.facts(OptimizerCall)
    ):
        held = None  # others clear gradients elsewhere
    location, label = (
        place_of(idle, held, "reached too seldom") or _seldom(view, name) or _beside(view, name)
        or (_backward(view, name), "this adds to the gradients of all earlier steps"))
    share = percent(float(np.median(series.values)))
    return Present(
        strength=0.95, certain=True,
        title=f"gradients are not cleared between steps: {share} of the parameters of {name} still "
        f"had the previous gradient at {int(over.sum())} of {count(len(series), 'sampled step')}",
        since_step=since,
        location=location,
        label=label,
        evidence=(
            Evidence(CARRIED_GRADIENT.name, name, steps, values, 0.0,
                     f"{share} of the parameters of {name} carried their gradient over to the next "
                     "step (healthy: 0 %)"),
        ),
        remedies=(*called_at(idle), *(
            Remedy("clear the gradients", Safety.SAFE, (ZeroGrad(held),))
            for held in guilty
        )),
    )


def _backward(view: View, name: str) -> SourceLocation | None:
    """The last backward pass in front of a step of the optimizer, if several steps are written."""
    stepped = [call.location for call in view.record.facts(OptimizerCall) if call.location
               and call.method == "step" and call.optimizer == name]
    before = [each.location for each in view.record.facts(Backward) if each.location and any(
        each.location.file == at.file and each.location.line < at.line for at in stepped)]
    return max(before, key=lambda at: at.line, default=None) or backward_location(view)


def _beside(view: View, name: str) -> tuple[SourceLocation, str] | None:
    """The only step of an optimizer whose gradients stay, where those of others are cleared."""
    calls = [call for call in view.record.facts(OptimizerCall) if call.location is not None]
    cleared = {call.optimizer for call in calls if call.method == "zero_grad"}
    steps = {call.location for call in calls if call.method == "step" and call.optimizer == name}
    only = steps.pop() if len(steps) == 1 else None
    if only is None or name in cleared or not cleared - {None} or any(
        call.optimizer != name and call.method == "step" and call.location == only
        for call in calls
    ):
        return None
    return only, "follows gradients that nothing clears, beside those of another optimizer"


def _seldom(view: View, name: str) -> tuple[SourceLocation, str] | None:
    """The only call that clears the optimizer's gradients, which is not reached in each step."""
    places = {call.location for call in view.record.facts(OptimizerCall)
              if call.method == "zero_grad" and call.optimizer == name}
    only = places.pop() if len(places) == 1 else None
    return None if only is None else (only, "is not reached between a step and the next")


CAUSE = Cause(
    slug="gradients-not-zeroed",
    code="P001",
    title="Gradients not zeroed",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.RISES, Symptom.OSCILLATES, Symptom.PLATEAU),
    often=Often.COMMON,
    words=Words(
        symptom="The loss falls at first, then swings or blows up. A lower learning rate only "
        "delays this.",
        consequence="Each step follows the sum of all gradients since the start. This acts like a "
        "momentum of 1, which never forgets: the weights swing around the solution and never "
        "settle.",
        why="A backward pass adds to .grad, so that several losses can be summed. Without "
        "zero_grad between two steps, the sum never restarts from zero.",
        detection="After each sampled step unstuck checks the gradients again when the next "
        "backward pass begins. Any way of clearing them is fine: zero_grad, set_to_none or by "
        "hand, anywhere between two steps. Accumulating several batches for one step is fine, "
        "too, because only what remains after a step counts.",
        limitations="A program that keeps a sum of gradients on purpose, by scaling .grad down by "
        "hand after each step, would be reported.",
        references=(
            "Karpathy 2018: the most common neural net mistakes",
            "PyTorch: zeroing out gradients (recipe)",
        ),
    ),
    needs=(CARRIED_GRADIENT,),
    thresholds=(SHARE, TIMES),
    shows=Effect.GRADIENTS_LEFT,
    effects=(Effect.STEPS_ADD_UP, Effect.GRADIENTS_TOO_LARGE),
    detect=_detect,
)
