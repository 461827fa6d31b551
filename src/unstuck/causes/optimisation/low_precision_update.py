"""Low-precision update: weights of 16 bits cannot hold the steps that the optimizer makes."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import GOOD_SKILL, drawn, learned_little, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety, WidenWeights
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.precision import NarrowWeights
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import WEIGHT_NORM
from unstuck.schema.signals.precision import LOST_UPDATES
from unstuck.words import count, number, percent

LOST = Threshold(
    "lost-updates", 0.5,
    "Half of the updates of a run are lost, since the step is smaller than half the distance to "
    "the next number of the weight's type.",
    "rounding to nearest; Zamirai et al. 2021 see bfloat16 training stall by it",
)
NEARLY_ALL = 0.8  # of the updates, and most since
EARLY = 0.05  # of the run: later on, steps may have become small on purpose
FEWEST = 3  # sampled steps whose updates are compared
BITS = {"float16": "float16 (11 bits of precision)", "bfloat16": "bfloat16 (8 bits of precision)"}


def _detect(view: View) -> Verdict:
    narrow = view.record.facts(NarrowWeights)
    if not narrow:
        unseen = unwatched(view.record)
        if unseen is None and view.record.facts(Optimizer):
            return Absent("no optimizer updates weights of 16 bits")
        return Unknown(unseen or "no step of a torch optimizer was seen",
                       ("a step of a torch optimizer",))
    vanished = next((fact for fact in narrow if fact.vanishes), None)
    if vanished is not None and _ruined(view):
        return _zero_epsilon(view, vanished)
    return _lost(view, narrow)


def _ruined(view: View) -> bool:
    """Whether the first thing that was not finite is a weight, after an update."""
    found = view.record.fact(NonFinite)
    return found is not None and found.stage is NonFiniteStage.PARAMETER


def _zero_epsilon(view: View, fact: NarrowWeights) -> Verdict:
    found = view.record.fact(NonFinite)
    assert found is not None
    where, epsilon = _place(view, fact), number(fact.epsilon or 0.0)
    norms = next(iter(view[WEIGHT_NORM].values()), None) if view.has(WEIGHT_NORM) else None
    loss = view[TRAIN_LOSS]
    return Present(
        strength=0.97, certain=True,
        title=f"the eps of {fact.name}, {epsilon}, is 0 in {fact.dtype}, so that its step "
        f"divides by zero: {found.detail} (smallest number: {number(fact.tiny)})",
        since_step=0, location=where,
        label=f"its eps of {epsilon} is 0 in {fact.dtype}",
        evidence=(
            drawn(TRAIN_LOSS, "", loss, None,
                  f"{found.detail}; {count(fact.parameters, 'parameter')} of {fact.name} are "
                  f"{BITS.get(fact.dtype, fact.dtype)}"),
            *((drawn(WEIGHT_NORM, next(iter(view[WEIGHT_NORM])), norms, None,
                     "the size of the first weights before each update"),)
              if norms is not None else ())),
        remedies=(
            Remedy("use an eps that the type can hold", Safety.SAFE,
                   (OptimizerArgument(fact.name, "eps", 1e-4),
                    OptimizerArgument(fact.name, "eps", 1e-3)),
                   code_text="torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4)"),
            *_wider(fact.dtype),
        ),
    )


def _lost(view: View, narrow: tuple[NarrowWeights, ...]) -> Verdict:
    lost = view[LOST_UPDATES] if view.has(LOST_UPDATES) else {}
    known = [(fact, lost[fact.name]) for fact in narrow if fact.name in lost]
    if not known or max(len(series) for _, series in known) < FEWEST:
        return Unknown("too few steps of the weights of 16 bits were compared",
                       (LOST_UPDATES.name, "a longer run"))
    fact, series = max(known, key=lambda pair: _of_all_steps(view, pair[1]))
    share = _of_all_steps(view, series)
    if not share >= view.limit(LOST):
        return Absent(f"over the run only {percent(share)} of the updates of weights of 16 bits "
                      "are lost")
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        return Unknown(f"{percent(share)} of the updates are lost, but the run is too short to "
                       "show whether it matters", ("a longer run",))
    return _present(view, fact, series, share)


def _of_all_steps(view: View, series: Series) -> float:
    """The mean over the run: looks lie closer together at its start."""
    stands_for = np.diff(np.append(series.steps, max(view.record.steps, series.steps[-1] + 1)))
    return float(np.average(series.values, weights=stands_for))


def _present(view: View, fact: NarrowWeights, series: Series, share: float) -> Verdict:
    first = series.steps[np.flatnonzero(series.values >= view.limit(LOST))[0]]
    return Present(
        strength=0.85 if learned_little(view.outcome) else (
            0.6 if (view.outcome.skill or 0.0) >= GOOD_SKILL else 0.75),
        hides_outcome=share >= NEARLY_ALL and first <= EARLY * view.record.steps,
        title=f"{percent(share)} of the updates of {fact.name} are lost: the weights are "
        f"{fact.dtype}, and the steps are smaller than half of their spacing",
        since_step=int(first), location=_place(view, fact), of_value=True,
        label=f"{percent(share)} of the updates leave a weight as it is",
        evidence=(Evidence(
            LOST_UPDATES.name, fact.name, tuple(int(s) for s in series.steps),
            tuple(float(v) for v in series.values), view.limit(LOST),
            f"the {fact.dtype} numbers next to a weight are {percent(fact.spacing)} of its size "
            f"apart; a step of less than half of that changes nothing, and "
            f"{percent(share)} of the steps are smaller"),),
        remedies=_wider(fact.dtype),
    )


def _wider(dtype: str) -> tuple[Remedy, ...]:
    return (
        Remedy("keep the weights in float32", Safety.SAFE, (WidenWeights(dtype),)),
        Remedy(
            "compute in 16 bits by autocast", Safety.ADVICE,
            advice="Do not call half() or bfloat16() on the model. Autocast computes in 16 bits "
            "where that is safe, and the weights keep all of their bits. With float16, scale the "
            "loss too.",
            code_text="with torch.autocast(device_type, dtype=torch.bfloat16):\n"
            "    loss = criterion(model(x), y)"),
    )


def _place(view: View, fact: NarrowWeights) -> SourceLocation | None:
    """The optimizer; where the program updates its weights itself, its backward pass."""
    made = next((o.location for o in view.record.facts(Optimizer) if o.name == fact.name), None)
    return made or next((each.location for each in view.record.facts(Backward)), None)


CAUSE = Cause(
    slug="low-precision-update",
    code="O012",
    title="Low-precision update",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.NAN, Symptom.PLATEAU, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The weights become NaN at the first step of Adam. Or the loss of a network in "
        "half precision (fp16, bf16) stops falling far above that of the same network in float32.",
        consequence="A NaN in the weights ends the training. Lost updates let it stall, since "
        "weights move only where a step happens to be large.",
        why="The smallest number of float16 is 6e-8, so an eps of 1e-8 is zero, and a gradient "
        "below 0.008 has a square that Adam rounds to zero: zero divided by zero is NaN. Near 1, "
        "the numbers of bfloat16 are 0.8 % apart. A step smaller than half of that changes "
        "nothing.",
        detection="If an optimizer updates weights of 16 bits, unstuck compares its eps with the "
        "smallest number of their type, and counts at sampled steps how many weights with a "
        "gradient a step left as they were. An eps of zero counts if the weights became NaN.",
        limitations="Weights in float32 that are copied to 16 bits for the forward pass are not "
        "affected and not reported, nor is autocast. Whether gradients underflow before the step "
        "is not checked. A run that learns well in spite of lost updates gets a note only.",
        references=(
            "Micikevicius et al. 2018: Mixed precision training (arXiv 1710.03740)",
            "Zamirai et al. 2021: Revisiting bfloat16 training (arXiv 2010.06192)",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(LOST_UPDATES, WEIGHT_NORM),
    thresholds=(LOST,),
    effects=(
        Effect.NON_FINITE, Effect.OUTPUT_CONSTANT, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
        Effect.TOO_SLOW,
    ),
    detect=_detect,
)
