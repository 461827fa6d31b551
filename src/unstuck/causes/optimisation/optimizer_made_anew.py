"""Optimizer made anew: a new optimizer each epoch or batch, so that its averages never build up."""

from __future__ import annotations

import math

from unstuck.measures.basics import failed, learned_little, thinned
from unstuck.measures.steps import updates_per_epoch
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import BuildOnce, Remedy, Safety
from unstuck.schema.facts.loops import Loop
from unstuck.schema.facts.optimizers import Optimizer, Rebuilt, StartedOver
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE, SAME_BATCH
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.rebuilt import OPTIMIZER_LIFE
from unstuck.words import count

TIMES = Threshold(
    "optimizer-times", 4.0,
    "Two or three optimizers one after another may be stages of a training. So many at the same "
    "line are a loop.",
    "a choice: stages are few",
)
BATCHES = Threshold(
    "optimizer-batches", 3.0,
    "No stage of a training is so short: an optimizer that makes so few steps is built for each "
    "batch.",
    "definition",
)


WHOLE = Threshold(
    "trainings-from-scratch", 8.0,
    "So many trainings in a row with the same settings, none of which goes through the data twice, "
    "are the epochs of one.",
    "five to ten folds or seeds are usual, and each of them trains for many epochs",
)


def _detect(view: View) -> Verdict:
    over = view.record.fact(StartedOver)
    if over is not None and over.times >= view.limit(WHOLE) and _is_one_pass(view, over):
        return _from_scratch(view, over)
    if all(series.values.max() == 0 for series in view[OPTIMIZER_LIFE].values()):
        return Absent("no optimizer was built again over the same parameters")
    reasons = []
    for fact in view.record.facts(Rebuilt):
        if fact.times < view.limit(TIMES):
            reasons.append(f"{fact.kind} was built only {count(fact.times, 'time')}")
        elif not fact.memory:
            reasons.append(f"{fact.kind} without momentum keeps nothing from one step to the next")
        elif fact.life >= fact.memory:
            reasons.append(f"each {fact.kind} made {count(fact.life, 'step')}, and it averages "
                           f"over about {fact.memory:,}")
        elif fact.annealed:
            reasons.append("its learning rate was lowered before each restart, as in a schedule "
                           "with warm restarts")
        else:
            strength = _strength(view, fact)
            if strength:
                return _present(view, fact, strength)
            reasons.append("each optimizer trains for several epochs, as in a stage of its own")
    if not reasons:
        return Unknown("the record does not describe the optimizers that were built again",
                       ("a complete record of the run",))
    return Absent(reasons[0])


def _is_one_pass(view: View, over: StartedOver) -> bool:
    """Whether each training ended before any sample came again, with little learned."""
    passes = updates_per_epoch(view)
    return passes is not None and passes > 1 and over.life <= math.ceil(passes) and (
        view.outcome.kind is OutcomeKind.TOO_SHORT or failed(view.outcome)
        or learned_little(view.outcome))


def _from_scratch(view: View, over: StartedOver) -> Present:
    optimizer = next(iter(view.record.facts(Optimizer)), None)
    steps = count(over.life, "step")
    return Present(
        strength=0.8, hides_outcome=True,
        title=f"a new model and a new {over.name} are built every {steps}: this is training number "
        f"{over.times + 1}, and it begins from scratch, as all before it",
        since_step=0,
        location=optimizer.location if optimizer is not None else None,
        label=f"this builds a new {over.name} for a new model every {steps}",
        evidence=(Evidence(
            OPTIMIZER_LIFE.name, "", (0,), (float(over.life),), None,
            f"{count(over.times, 'training')} before this one, with the same settings and shapes, "
            f"ended after {steps} each: one pass over the data"),),
        remedies=() if optimizer is None else (Remedy(
            "build both once", Safety.SAFE, (BuildOnce(optimizer.location, model=True),),
            advice="Build the model and its optimizer once, before the loop over epochs.",
        ),),
    )


def _strength(view: View, fact: Rebuilt) -> float:
    """How sure it is that one optimizer was meant, 0 if several were."""
    inside = _loops_inside(view, fact)
    if inside == 0 or fact.life <= view.limit(BATCHES):
        return 0.9
    if inside == 1:
        return 0.8
    if inside is None:  # the source is not known
        return 0.7 if failed(view.outcome) or learned_little(view.outcome) else 0.4
    return 0.0


def _loops_inside(view: View, fact: Rebuilt) -> int | None:
    """How many of the loops around a step are run through by each optimizer; None if unknown."""
    levels = [loop.level for loop in view.record.facts(Loop) if loop.location in fact.loops]
    return min(levels) if levels else None


def _present(view: View, fact: Rebuilt, strength: float) -> Present:
    series = view[OPTIMIZER_LIFE][fact.name]
    steps, values = thinned(series.steps, series.values)
    each = "step" if fact.life == 1 else f"{fact.life:,} steps"
    return Present(
        strength=strength,
        title=f"a new {fact.kind} is built every {each}, {count(fact.times, 'time')} in total, so "
        f"its running averages over about {fact.memory:,} steps never build up",
        since_step=0,
        location=fact.location,
        label=f"this builds a new {fact.kind} every {each}",
        evidence=(Evidence(
            OPTIMIZER_LIFE.name, fact.name, steps, values, float(fact.memory),
            f"{fact.times:,} optimizers over the same parameters, of {count(fact.life, 'step')} "
            "each"),),
        remedies=(Remedy(
            "build it once", Safety.SAFE, (BuildOnce(fact.location),),
            advice="Build the optimizer once, before the loop over epochs, and pass it to what "
            "trains. A scheduler needs that same optimizer.",
        ),),
    )


CAUSE = Cause(
    slug="optimizer-made-anew",
    code="O011",
    title="Optimizer made anew",
    family="Optimisation",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.SLOW, Symptom.PLATEAU),
    words=Words(
        symptom="The loss jumps at the start of each epoch, or falls far more slowly than with the "
        "same optimizer elsewhere. A scheduler seems to have no effect.",
        consequence="Momentum is zero again and again, and Adam scales its steps by the latest "
        "gradients alone. A scheduler that holds an earlier optimizer changes nothing.",
        why="Momentum and Adam average gradients over many steps, and they keep these averages in "
        "the optimizer. A new optimizer begins without them.",
        detection="The same line builds optimizers over the same parameters, at least four, and "
        "each makes fewer steps than it averages over. They are built for each batch or for each "
        "pass of the innermost loop over batches. Where the model is built anew as well, at least "
        "eight trainings in a row with the same settings end before any sample comes again.",
        limitations="Optimizers that train for several epochs each, that begin after weights were "
        "loaded, or whose learning rate was annealed are taken for stages, folds and restarts. "
        "SGD without momentum keeps nothing and loses nothing.",
        references=("Kingma & Ba 2015, Adam: A Method for Stochastic Optimization",
                    "PyTorch: torch.optim"),
    ),
    needs=(OPTIMIZER_LIFE,),
    uses=(BATCH_SIZE, SAME_BATCH, TRAIN_LOSS),
    thresholds=(TIMES, BATCHES, WHOLE),
    effects=(
        Effect.UPDATES_TOO_LARGE, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
