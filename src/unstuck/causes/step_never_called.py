"""Step never called: gradients are computed again and again and no weight ever follows them."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import EndKind
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import UNUSED_BACKWARDS

PASSES = Threshold(
    "unused-passes", 64.0,
    "Gradients of fewer batches may be added up for one step on purpose.",
    "longer than common gradient accumulation",
)
PASSES_OF_A_WHOLE_RUN = Threshold(
    "unused-passes-at-end", 4.0,
    "A program that came to its end will not step any more; a few passes may only look at "
    "gradients.",
    "never a few events",
)


def _detect(view: View) -> Verdict:
    if not view.has(UNUSED_BACKWARDS):
        # Written only while backward passes go by without a step.
        if view.facts.backwards:
            return Absent("an optimizer stepped at once, or the program has none")
        return Unknown("no backward pass was seen", (UNUSED_BACKWARDS.name,))
    waiting = {n: s.finite for n, s in view[UNUSED_BACKWARDS].items() if len(s.finite)}
    passes = {name: float(series.values[-1]) for name, series in waiting.items()}
    name = max(passes, key=lambda n: passes[n], default=None)
    if name is None or not passes[name] > 0:
        return Absent("an optimizer steps, or the program moves its weights itself")
    count = passes[name]
    sure = count >= view.limit(PASSES)
    at_end = count >= view.limit(PASSES_OF_A_WHOLE_RUN)
    if not sure and not (at_end and view.facts.end.kind is EndKind.FINISHED):
        return Unknown(f"no step has come after {count:.0f} backward passes, which may be "
                       "gradients that are added up", ("a run of more steps",))
    optimizer = next((o for o in view.facts.optimizers if o.name == name), None)
    series = waiting[name]
    steps, values = thinned(series.steps, series.values)
    return Present(
        strength=0.95 if sure else 0.8,
        title=f"{name} never steps: no weight has changed in {count:.0f} backward passes or more",
        since_step=0,
        location=optimizer.location if optimizer is not None else None,
        label="its step() is never called",
        evidence=(
            Evidence(UNUSED_BACKWARDS.name, name, steps, values, 0.0,
                     f"{count:.0f} backward passes filled the gradients of {name}, and none was "
                     "followed by a step"),
        ),
        remedies=(
            Remedy("call the step", Safety.ADVICE,
                   advice="Call optimizer.step() after the backward pass. Look for brackets that "
                   "are missing, and for a scheduler's step in its place.",
                   code_text="optimizer.step()  # after loss.backward()"),
        ),
    )


CAUSE = Cause(
    slug="step-never-called",
    code="P003",
    title="Step never called",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss stays where it began and the weights are the same at the end as at "
        "the start, though backward runs without complaint.",
        consequence="The network stays as it was initialised, whatever the learning rate and "
        "however long the program runs.",
        why="Backward only computes gradients; it is the optimizer's step that moves the "
        "weights. A step that is forgotten, written without brackets, or called on the "
        "scheduler alone leaves them where they are.",
        detection="An optimizer was built and backward passes fill the gradients of its "
        "parameters, yet no optimizer has stepped and no weight has changed by other means. "
        "Adding up gradients is allowed for: the passes must be more than common accumulation, "
        "or the program must have ended.",
        limitations="A program that only computes gradients, for saliency maps for instance, "
        "and has an optimizer without need, would be named. One of several optimizers that "
        "never steps while another does is not looked for.",
        references=(
            "PyTorch: torch.optim, taking an optimization step",
            "TrainCheck (OSDI 2025): silent errors in training",
        ),
    ),
    needs=(),
    uses=(UNUSED_BACKWARDS,),
    thresholds=(PASSES, PASSES_OF_A_WHOLE_RUN),
    explains=(
        "learning-rate-too-low", "gradients-not-zeroed", "vanishing-gradients", "dead-relu",
        "schedule-mistake", "parameters-not-in-optimizer", "inputs-not-normalised",
        "bad-initialisation",
    ),
    detect=_detect,
)
