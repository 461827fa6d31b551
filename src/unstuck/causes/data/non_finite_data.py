"""Non-finite data: NaN or Inf in the inputs of the model, or in the targets."""

from __future__ import annotations

import math
import re

import numpy as np

from unstuck.measures.basics import loss_points, risky_function, thinned
from unstuck.measures.origins import input_steps, says, target_steps
from unstuck.measures.view import View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, ReplaceMissing, Safety
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.inputs import INPUT_NON_FINITE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.targets import TARGET_NON_FINITE
from unstuck.words import count, joined, number, percent

# Functions that have no value, or none that is finite, for some numbers.
_LIMITED = re.compile(r"\b(?:log\d*|sqrt|power?|arc?(?:sin|cos)h?|exp)\(")
DATA = (NonFiniteStage.INPUT, NonFiniteStage.TARGET)


def _measured(view: View) -> tuple[dict[str, float], dict[str, float]]:
    """Features and losses that met non-finite numbers, with the largest share seen."""
    found: list[dict[str, float]] = []
    for signal in (INPUT_NON_FINITE, TARGET_NON_FINITE):
        shares = {
            place: float(np.max(series.finite.values, initial=0.0))
            for place, series in (view[signal].items() if view.has(signal) else ())
        }
        found.append({place: share for place, share in shares.items() if share > 0})
    return found[0], found[1]


def _stage(view: View, found: NonFinite | None) -> NonFiniteStage | None:
    """Whether the first non-finite number was in the inputs or the targets; None if in neither."""
    if found is None:
        return None
    if found.stage is NonFiniteStage.INPUT and found.operation and found.model_input_finite:
        return None  # made on the way from the model's input to its first layer
    if found.stage in DATA:
        return found.stage
    if found.stage is not NonFiniteStage.PARAMETER:
        return None
    # The loss was finite, its gradient was not: data that a mask hides from the loss only.
    before = (found.step - 1, found.step)
    for stage, signal in zip(DATA, (INPUT_NON_FINITE, TARGET_NON_FINITE), strict=True):
        if view.has(signal) and any(
            bool(((series.values > 0) & np.isin(series.steps, before)).any())
            for series in view[signal].values()
        ):
            return stage
    return None


def _location(view: View, stage: NonFiniteStage, found: NonFinite) -> SourceLocation | None:
    steps = target_steps(view) if stage is NonFiniteStage.TARGET else input_steps(view)
    risky = [step for step in steps if step.kind is StepKind.RISKY]
    if risky:
        # What a logarithm makes of zero becomes NaN in a difference, and that is divided after it.
        return next((each for each in risky if says(each, _LIMITED)), risky[0]).location
    if stage is NonFiniteStage.TARGET:
        places = [loss.location for loss in view.record.facts(Loss) if loss.location is not None]
    else:
        places = [m.call_location for m in view.record.facts(Model) if m.call_location is not None]
    return places[0] if places else found.location


def _detect(view: View) -> Verdict:
    loss = view[TRAIN_LOSS]
    features, targets = _measured(view)
    found = view.record.fact(NonFinite)
    stage = _stage(view, found)
    if found is None or stage is None:
        if features or targets:
            what = "inputs" if features else "targets"
            return Absent(f"some {what} are NaN or Inf, but they made no loss NaN or Inf")
        if found is None and not np.all(np.isfinite(loss.values)):
            return Unknown("the record does not show where the first NaN or Inf arose",
                           (INPUT_NON_FINITE.name, TARGET_NON_FINITE.name))
        return Absent("neither the inputs nor the targets made a loss NaN or Inf")
    made_by = risky_function(view.record) if stage is NonFiniteStage.TARGET else None
    if made_by is not None:
        return Unknown(f"the NaN or Inf may come from the targets or from {made_by} on the line "
                       "of the loss", ("a check of torch.isfinite(targets).all()",))
    bad = int(np.sum(~np.isfinite(loss.values)))
    lasting = len(loss) > 0 and not math.isfinite(float(loss.values[-1]))
    targeted = stage is NonFiniteStage.TARGET
    shares = targets if targeted else features
    name = "targets" if targeted else "inputs"
    if shares and not targeted:
        worst = max(shares, key=lambda place: shares[place])
        kind = "feature" if len(shares) == 1 else "features"
        where = f"{kind} {joined(shares)}, up to {percent(shares[worst])} of a batch"
    elif shares:
        where = f"up to {percent(max(shares.values()))} of a batch"
    else:
        where = "at least one value"
    points = loss_points(view)
    evidence = [Evidence(TRAIN_LOSS.name, "", *points, None,
                         f"the loss is NaN or Inf in {number(bad)} of "
                         f"{count(len(loss), 'backward pass')}")]
    signal = TARGET_NON_FINITE if targeted else INPUT_NON_FINITE
    for place in list(shares)[:3]:
        series = view[signal][place].finite
        what = f"targets of {place}" if targeted else f"values of feature {place}"
        evidence.append(Evidence(
            signal.name, place, *thinned(series.steps, series.values), 0.0,
            f"in a batch, up to {percent(shares[place])} of the {what} are NaN or Inf"))
    return Present(
        strength=0.97 if lasting else 0.45, certain=True,
        title=f"NaN or Inf in the {name} reached the loss at step {found.step} ({where})",
        since_step=found.step,
        location=_location(view, stage, found),
        label=f"these {name} contain NaN or Inf at step {found.step}",
        evidence=tuple(evidence),
        remedies=(
            Remedy("drop or impute the values", Safety.CHANGES_EXPERIMENT,
                   () if targeted else (ReplaceMissing(),),
                   advice="Before training, drop the samples with NaN or Inf, or replace these "
                   "values.",
                   code_text="keep = torch.isfinite(targets)" if targeted
                   else "keep = torch.isfinite(inputs).all(1)  # or torch.nan_to_num(inputs)"),
            Remedy("fix their source", Safety.ADVICE,
                   advice="Find where the NaN or Inf arises: a division by zero, the logarithm of "
                   "zero, or a gap in a table that was read as NaN."),
        ),
    )


CAUSE = Cause(
    slug="non-finite-data",
    code="D001",
    title="Non-finite data",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.NAN,),
    often=Often.COMMON,
    words=Words(
        symptom="The loss is nan from one batch on and never recovers. If the samples come in "
        "another order, it happens at another step.",
        consequence="The first batch with such a sample makes the loss NaN and, one update later, "
        "every weight too. Everything that the network has learned is lost.",
        why="Any sum that includes a NaN is NaN. A layer sums over its inputs, the loss sums over "
        "the batch, and the gradient sums over everything. So one bad value is enough.",
        detection="When the loss first becomes NaN or Inf, the weights are checked first, then the "
        "inputs of the model, then the targets. The data are blamed only if the weights were still "
        "finite and the data were not. Missing values that the program masks or fills before they "
        "do harm are not reported.",
        limitations="Features are checked only where the model is called. Data in containers other "
        "than tensors are seen only where the first layer receives them. If a hand-written loss "
        "hides its targets from the autograd graph, only some of them are seen.",
        references=(
            "PyTorch: torch.isfinite, torch.nan_to_num",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 11.5: debugging strategies",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(INPUT_NON_FINITE, TARGET_NON_FINITE),
    effects=(
        Effect.INPUTS_OFF_SCALE, Effect.TARGETS_OFF_SCALE, Effect.BAD_START,
        Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH,
    ),
    detect=_detect,
)
