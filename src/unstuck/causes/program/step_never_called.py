"""Step never called: gradients are computed again and again, and no weight ever changes."""

from __future__ import annotations

from unstuck.measures.basics import thinned
from unstuck.measures.idle import called_at, guarded, place_of, uncalled
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import AlsoAtEnd, CallStep, Remedy, Safety
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.parameters import UNUSED_BACKWARDS
from unstuck.words import count, joined, number

PASSES = Threshold(
    "unused-passes", float(LIMITS.longest_accumulation),
    "A program may accumulate the gradients of fewer batches on purpose before it steps.",
    "longer than common gradient accumulation",
)
PASSES_OF_A_WHOLE_RUN = Threshold(
    "unused-passes-at-end", 4.0,
    "A program that has finished will not step any more. Fewer backward passes may only serve to "
    "inspect gradients.",
    "a few events are never enough for a finding",
)


def _detect(view: View) -> Verdict:
    if not view.has(UNUSED_BACKWARDS):
        # Written only while backward passes go by without a step.
        if view.record.facts(Backward):
            return Absent("the optimizer stepped right away, or the program has no optimizer")
        return Unknown("no backward pass was recorded", (UNUSED_BACKWARDS.name,))
    waiting = {n: s.finite for n, s in view[UNUSED_BACKWARDS].items() if len(s.finite)}
    passes = {name: float(series.values[-1]) for name, series in waiting.items()}
    name = max(passes, key=lambda n: passes[n], default=None)
    if name is None or not passes[name] > 0:
        return Absent("an optimizer steps, or the program updates its weights itself")
    sure = passes[name] >= view.limit(PASSES)
    at_end = passes[name] >= view.limit(PASSES_OF_A_WHOLE_RUN)
    waited = count(round(passes[name]), "backward pass")
    if not sure and not (at_end and view.record.end.kind is EndKind.FINISHED):
        return Unknown(f"{name} has not stepped in {waited}, but the program may still be "
                       "accumulating gradients",
                       (f"a run of at least {number(view.limit(PASSES))} backward passes",))
    optimizer = next((o for o in view.record.facts(Optimizer) if o.name == name), None)
    series = waiting[name]
    idle, held = uncalled(view, "step"), guarded(view, "step")
    location, label = place_of(idle, held, "never reached") or (
        optimizer.location if optimizer is not None else None, "its step() is never called")
    steps, values = thinned(series.steps, series.values)
    others = [o.name for o in view.record.facts(Optimizer) if not passes.get(o.name)]
    return Present(
        # What else is wrong then with the gradients of the others follows from it.
        strength=0.8 if not sure else 0.97 if others else 0.95, certain=sure,
        title=f"{name} never steps, while {joined(others)} {'does' if len(others) == 1 else 'do'}: "
        f"none of its weights has changed in at least {waited}" if others else
        f"{name} never steps: no weight has changed in at least {waited}",
        since_step=0,
        location=location,
        label=label,
        evidence=(
            Evidence(UNUSED_BACKWARDS.name, name, steps, values, 0.0,
                     f"{name} never stepped, although its gradients were computed ({waited})"),
        ),
        remedies=(
            *called_at(idle),
            *(() if idle is not None or held is None else (
                Remedy("step at the last batch of an epoch, too", Safety.SAFE,
                       (AlsoAtEnd(held.location),)),)),
            Remedy("call optimizer.step()", Safety.SAFE, (CallStep(name),),
                   advice="Call optimizer.step() after the backward pass. Check for missing "
                   "parentheses, and for a scheduler.step() in its place."),
        ),
    )


CAUSE = Cause(
    slug="step-never-called",
    code="P003",
    title="Step never called",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.CHANCE),
    often=Often.COMMON,
    words=Words(
        symptom="The loss stays where it began, and the weights are the same at the end as at "
        "the start. The backward pass raises no error.",
        consequence="The network stays as it was initialised, whatever the learning rate and "
        "however long the program runs.",
        why="The backward pass only computes gradients; the optimizer's step changes the "
        "weights. Nothing changes if the step is forgotten, is written without parentheses, or "
        "is called on the scheduler only.",
        detection="An optimizer was built and backward passes compute the gradients of its "
        "parameters, yet it has not stepped, and no weight of its has changed in another way. To "
        "allow for gradient accumulation, there must be more backward passes than are usually "
        "accumulated, or the program must have ended.",
        limitations="A program that only computes gradients (for saliency maps, say) and builds "
        "an optimizer that it does not need is reported wrongly.",
        references=(
            "PyTorch: torch.optim, taking an optimization step",
            "TrainCheck (OSDI 2025): silent errors in training",
        ),
    ),
    needs=(),
    uses=(UNUSED_BACKWARDS,),
    thresholds=(PASSES, PASSES_OF_A_WHOLE_RUN),
    effects=(
        Effect.INPUTS_OFF_SCALE, Effect.BAD_START, Effect.GRADIENTS_LEFT, Effect.UNITS_DIE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
    ),
    detect=_detect,
)
