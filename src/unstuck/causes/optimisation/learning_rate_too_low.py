"""Learning rate too low: all updates of the run together hardly move the weights."""

from __future__ import annotations

import math

import numpy as np

from unstuck.curves.statistics import relative_fall
from unstuck.measures import arms
from unstuck.measures.basics import (
    GOOD_SKILL,
    POOR_SKILL,
    Updates,
    drawn,
    learned_little,
    level,
    loss_ends_at,
    loss_points,
    nan_median,
    optimizer_of,
    rate_code,
    rate_of,
    rates,
    thinned,
    typed,
    weight_updates,
)
from unstuck.measures.repeats import SHORT, short_on_purpose
from unstuck.measures.steps import Slope, rate_location, slope
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats, Integers
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import GroupRate, MoreSteps, Remedy, Safety
from unstuck.schema.experiments import Experiment
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import LEARNING_RATE, TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    UPDATE_NORM,
    WEIGHT_NORM,
)
from unstuck.words import called, count, joined, number, percent, times

HEALTHY = 1e-3
SMALL = Threshold(
    "small-update", 5e-4,
    "The typical update of every weight matrix, including the last layer's, is less than half of "
    "the usual thousandth of the weights.",
    "CS231n: about 1e-3; in every healthy program of the corpus the fastest matrix is above 0.0019",
)
TRAVEL = Threshold(
    "little-travel", 0.3,
    "Laid end to end, all updates of the run are shorter than a third of the weights. Since they "
    "also change direction, the network ends even closer to its initialisation.",
    "the sum of update ratios bounds how far a matrix can move; healthy programs of the corpus "
    "reach 0.66 or more",
)
FALL = Threshold(
    "small-fall", 0.5,
    "If the loss of the best constant prediction is unknown, a loss that has halved shows that "
    "something was learned.",
    "half of the loss, as for runs whose best constant prediction is known",
)
GRADIENT_ALIVE = Threshold(
    "gradient-alive", 1e-7,
    "With a gradient below this, the learning rate is not what holds the weights back: there is "
    "no gradient to follow.",
    "DeepDiagnosis and SageMaker Debugger call a mean gradient below 1e-7 vanished",
)


MODEST = Threshold(
    "room-for-larger-update", 1e-2,
    "An update of a hundredth of the weights is ten times the usual one. It leaves no room for a "
    "higher learning rate.",
    "CS231n: about 1e-3; a typical update above 1e-2 is rare in healthy runs",
)
MANY = Threshold(
    "steps-above-a-constant", 200.0,
    "Within so many steps of a usual size, the loss of any network comes down to that of a "
    "constant prediction, which is a matter of its last biases.",
    "two hundred updates of the usual thousandth move the weights by a fifth of their size",
)
AMPLE = Threshold(
    "ample-update", 3e-3,
    "An update of this share of the weights is three times the usual one. If the weights are still "
    "on their way, that is rather for too few steps than for too small ones.",
    "CS231n: about 1e-3",
)

OFF = Threshold(
    "losses-of-a-constant", 100.0,
    "A loss that ends at a hundred times that of a constant prediction is about outputs or targets "
    "of quite another size. Small steps are not what keeps it there.",
    "a new network's loss is usually less than ten times that of a constant prediction",
)


STANDING = Threshold(
    "rate-beside-others", 0.01,
    "A parameter group with a hundredth of the learning rate of another one stands still beside "
    "it. Where weights were trained before, a tenth is usual.",
    "Howard and Ruder 2018 divide the learning rate by 2.6 from layer to layer",
)


def travel(updates: Updates, steps: int) -> Floats:
    """Per matrix the sum of all update ratios of a run, steps between samples interpolated."""
    total: Floats = np.zeros(len(updates.names))
    for row, ratios in enumerate(updates.ratios):
        known = ~np.isnan(ratios)
        if known.any():
            total[row] = _sum_over_steps(updates.steps[known], ratios[known], steps)
    return total


def _sum_over_steps(at: Integers, values: Floats, steps: int) -> float:
    """The sum of a value at steps 0 to `steps` - 1, straight between the points and flat beyond."""
    whole = max(steps, int(at[-1]) + 1)
    between = np.diff(at)  # steps of a stretch, its first one counted, its last one not
    inner = between * values[:-1] + np.diff(values) * (between - 1) / 2
    return float(at[0] * values[0] + np.sum(inner) + (whole - at[-1]) * values[-1])


def _detect(view: View) -> Verdict:
    standing = _standing_group(view)
    if standing is not None:
        return standing
    if not learned_little(view.outcome) and not _hardly_fell(view):
        return _stands_still(view) or Absent("the loss fell well")
    if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.OVERFITTING,
                             OutcomeKind.CRASHED):
        return Absent(f"the outcome is {view.outcome.kind}, which small steps do not cause")
    if short_on_purpose(view.record):
        return Absent(SHORT)
    skill = view.outcome.skill
    if skill is not None and 1 - skill > view.limit(OFF):
        return Unknown(f"the loss ends at {times(1 - skill)} that of a constant prediction, so the "
                       "size of outputs or targets has to be mended first",
                       ("a run whose first outputs are of the size of its targets",))
    updates = weight_updates(view)
    if any(p.loaded for p in view.record.parameters().values()):
        return Absent("some weights were loaded, and small steps are usual in fine-tuning")
    if not updates.names:
        return Unknown("no update of a weight matrix was measured", (UPDATE_NORM.name,))
    alive = [name for name in updates.names if _alive(view, name)]
    if not alive:
        return Absent("no gradient reaches the weights, so the learning rate is not what holds "
                      "them back")
    updates = updates.only(alive)
    ratios = nan_median(updates.ratios, axis=1)
    fastest = float(np.nanmax(ratios))
    far = float(np.max(travel(updates, view.record.steps)))
    if not fastest > 0:
        return Absent("the weights do not move at all, so a low learning rate is not the reason")
    if fastest <= view.limit(SMALL) and far <= view.limit(TRAVEL):
        return _present(view, updates, fastest, far)
    moves = f"relative to their own size: {percent(fastest)} per step, {percent(far)} in total"
    if fastest > view.limit(MODEST):
        return Absent(f"the weights move far enough in each step ({moves})")
    left = slope(view)
    if left is None:
        return Unknown("it is not known whether the weights still moved in one direction at the "
                       f"end ({moves})", ("a second run with ten times the learning rate",))
    if left.is_steep:
        return _on_its_way(view, updates, fastest, left)
    return Absent(f"the weights move enough ({moves}), and successive gradients have little in "
                  "common any more")


def _stands_still(view: View) -> Verdict | None:
    """A run that came to rest with a part of the way before it, and whose weights hardly moved."""
    skill = view.outcome.skill
    if view.outcome.kind is not OutcomeKind.PLATEAU or skill is None or skill >= GOOD_SKILL or any(
            each.loaded for each in view.record.parameters().values()):
        return None
    updates = weight_updates(view)
    updates = updates.only([name for name in updates.names if _alive(view, name)])
    if len(updates.names) < 2 or short_on_purpose(view.record):
        return None
    fastest = float(np.nanmax(nan_median(updates.ratios, axis=1)))
    far = float(np.median(travel(updates, view.record.steps)))
    if fastest > view.limit(AMPLE) or far > view.limit(TRAVEL):
        return None
    return _present(view, updates, fastest, far)


def _standing_group(view: View) -> Present | None:
    """A parameter group of random weights whose rate is next to nothing beside another's."""
    skill = view.outcome.skill
    later = any(each is view.record for each in view.record.siblings[1:])
    if skill is None or skill >= GOOD_SKILL or later:
        return None  # an earlier training may have left weights that are worth keeping
    updates = weight_updates(view)
    for optimizer in view.record.facts(Optimizer):
        peaks = _peaks(view, optimizer)
        ends = np.cumsum([group.parameters for group in optimizer.groups])
        for index, (peak, end) in enumerate(zip(peaks, ends, strict=False)):
            if not peak <= view.limit(STANDING) * max(peaks):
                continue
            names = optimizer.parameters[end - optimizer.groups[index].parameters:end]
            own = updates.only(name for name in names if _alive(view, name))
            far = float(np.max(travel(own, view.record.steps))) if own.names else math.inf
            if far <= view.limit(TRAVEL) / 4:
                return _stands(view, optimizer, index, own, far, peaks)
    return None


def _peaks(view: View, optimizer: Optimizer) -> list[float]:
    """The highest rate of each group, if all are known and they differ."""
    known = view[LEARNING_RATE] if view.has(LEARNING_RATE) else {}
    series = [known.get(f"{optimizer.name}.{index}") for index in range(len(optimizer.groups))]
    peaks = [float(each.finite.values.max()) for each in series
             if each is not None and len(each.finite)]
    return peaks if len(peaks) == len(series) > 1 and max(peaks) > min(peaks) else []


def _stands(view: View, optimizer: Optimizer, index: int, own: Updates, far: float,
            peaks: list[float]) -> Present:
    now, rate = number(peaks[index]), max(peaks)
    layers = list(dict.fromkeys(view.record.parameters()[name].layer for name in own.names))
    steps, values = thinned(own.steps, own.typical())
    edit = GroupRate(optimizer.name, index, rate)
    return Present(
        strength=0.9, of_value=True,
        title=f"parameter group {index} of {optimizer.name} stands still: its learning rate is "
        f"{now} (that of another group: {number(rate)}), so the weights of "
        f"{joined(map(called, layers))[:80]} change by at most {percent(far)} in "
        f"{count(view.record.steps, 'step')}",
        since_step=0, location=optimizer.location,
        label=f"the learning rate of parameter group {index} is {now}",
        evidence=(Evidence(
            UPDATE_NORM.name, "", steps, values, view.limit(SMALL),
            f"updates of this group are {percent(float(np.nanmedian(values)))} of its weights "
            f"(usual: about {percent(HEALTHY)}), although gradients reach them"),),
        remedies=(Remedy(edit.words(), Safety.SAFE, (edit,), code_text=edit.code()),),
    )


def _alive(view: View, name: str) -> bool:
    """Whether a gradient reaches the weights."""
    gradients = view[GRADIENT_NORM]
    return name in gradients and level(gradients[name]) >= view.limit(GRADIENT_ALIVE)


def _without_trend(view: View) -> Verdict | None:
    """A loss that has not even come down to a constant's in many steps, all of them tiny."""
    if view.record.steps < view.limit(MANY) or not (
        view.has(UPDATE_NORM) and view.has(WEIGHT_NORM) and view.has(GRADIENT_NORM)
    ):
        return None
    found = _detect(view)
    return found if isinstance(found, Present) and found.of_value and not found.one_of else None


def _hardly_fell(view: View) -> bool:
    """Whether skill is unknown and the loss has not lost half of its start."""
    if view.outcome.skill is not None or len(view.record.facts(Backward)) > 1:
        return False
    fall = relative_fall(view[TRAIN_LOSS])
    return fall is not None and fall < view.limit(FALL)


def _present(view: View, updates: Updates, fastest: float, far: float) -> Verdict:
    optimizer = optimizer_of(view, updates.names)
    steps, values = thinned(updates.steps, updates.typical())
    loss_steps, losses = loss_points(view)
    skill = view.outcome.skill
    strength = 0.9 if far <= view.limit(TRAVEL) / 4 else 0.75
    if skill is None:
        strength -= 0.15
    learned = "" if skill is None or skill >= POOR_SKILL else (
        f", and the loss ends {percent(skill)} below that of a constant prediction" if skill > 0
        else ", and the loss ends no lower than that of a constant prediction")
    return Present(
        strength=strength, of_value=True,
        title=f"the learning rate{rate_of(optimizer)} is too low: over all "
        f"{count(view.record.steps, 'step')} the weights can change by at most "
        f"{percent(far)}{learned}",
        since_step=0,
        location=rate_location(view, optimizer),
        label=_label(fastest),
        evidence=(
            Evidence(UPDATE_NORM.name, "", steps, values, view.limit(SMALL),
                     "updates are too small: even in the fastest weight matrix the typical one is "
                     f"{percent(fastest)} of the weights (usual: about {percent(HEALTHY)})"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss went from {number(losses[0])} to {number(loss_ends_at(view))} in "
                     f"{count(view.record.steps, 'step')}"),
        ),
        remedies=_remedies(optimizer, fastest),
    )


def _label(fastest: float) -> str:
    usual = f" (usual: about {percent(HEALTHY)})" if fastest < HEALTHY else ""
    return f"one update changes the weights by {percent(fastest)}{usual}"


def _on_its_way(view: View, updates: Updates, fastest: float, left: Slope) -> Verdict:
    """The slope is as steep as ever: larger steps may do, or more of them."""
    optimizer = optimizer_of(view, updates.names)
    loss_steps, losses = loss_points(view)
    series = max(view[GRADIENT_PRODUCT].values(), key=len)
    return Present(
        # Beside updates that are larger than usual, the run is rather too short.
        strength=0.45 if fastest <= view.limit(AMPLE) else 0.3, of_value=True,
        title=f"the learning rate{rate_of(optimizer)} is too low for "
        f"{count(view.record.steps, 'step')}: the gradient that successive batches have in common "
        f"is still {percent(math.sqrt(left.share))} as strong as at the start",
        since_step=0,
        location=rate_location(view, optimizer),
        label=_label(fastest),
        evidence=(
            drawn(GRADIENT_PRODUCT, "", series, None,
                  "successive gradients point the same way until the end, so the weights are still "
                  "on their way"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss went from {number(losses[0])} to {number(losses[-1])} in "
                     f"{count(view.record.steps, 'step')}"),
        ),
        remedies=_remedies(optimizer, fastest),
        one_of=("too-few-steps",),
        separated_by=Experiment(
            "run once with ten times the learning rate and once with ten times as many epochs: if "
            "the first lowers the training loss as far as the second, the cause is "
            "learning-rate-too-low", (
                arms.learning_rate(view, 10, "learning-rate-too-low"),
                arms.longer(10, "too-few-steps"),
            )),
    )


def _remedies(optimizer: Optimizer | None, fastest: float) -> tuple[Remedy, ...]:
    longer = Remedy("train longer", Safety.SAFE, (MoreSteps(10.0), MoreSteps(100.0)))
    if optimizer is None or optimizer.learning_rate is None:
        advice = "Multiply the learning rate by 10 until the loss falls fast without jumping."
        return (Remedy("raise the learning rate", Safety.ADVICE, advice=advice), longer)
    now = optimizer.learning_rate
    # The update is proportional to the learning rate: with this one it is about 0.3 %.
    fitting = now * max(3 * HEALTHY / fastest, 3.0)
    powers = [now * 10.0**k for k in range(1, 7) if 10.0**k <= 30 * fitting / now]
    near = sorted(powers, key=lambda rate: abs(math.log(rate / fitting)))
    return (
        Remedy("raise the learning rate", Safety.SAFE,
               rates(optimizer, [fitting, *near, fitting * 3, fitting / 3]),
               code_text=rate_code(optimizer, typed(fitting))),
        longer,
    )


CAUSE = Cause(
    slug="learning-rate-too-low",
    code="O002",
    title="Learning rate too low",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The loss falls along an almost straight, almost level line, and training ends "
        "before anything is learned.",
        consequence="The run would need ten to thousands of times as many steps as it was given.",
        why="From a random start, the weights have to travel a distance of about their own size. "
        "If each update is a hundred-thousandth of that, hundreds of steps cover a fraction of one "
        "per cent.",
        detection="The detector adds up the real change of each weight matrix over the run. Four "
        "things must come together. The updates are small in every matrix, including the last "
        "layer's. The gradient has not vanished. The weights have covered hardly any distance. The "
        "loss hardly fell. If only the early layers stand still, the gradients vanish instead. A "
        "schedule that ends near zero after successful training is not reported, because its "
        "weights have already travelled. If the updates are not that small but the gradient that "
        "successive batches have in common is nearly as strong at the end as at the start, then "
        "larger steps or more of them would have helped, and the finding names both. A parameter "
        "group of random weights is judged by itself if its learning rate is a hundredth of "
        "another's. So is a run that has plateaued short of its aim.",
        limitations="Fine-tuning of loaded weights is not judged, because small steps are usual "
        "there. A learning rate that is too low by a factor of three looks like slow learning. "
        "Only a second run with a higher learning rate can distinguish the two.",
        references=(
            "CS231n, Learning and evaluation: ratio of weights to updates",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 11.4.1",
        ),
    ),
    needs=(UPDATE_NORM, WEIGHT_NORM, GRADIENT_NORM, TRAIN_LOSS),
    uses=(GRADIENT_PRODUCT, LEARNING_RATE),
    thresholds=(STANDING, MANY, SMALL, TRAVEL, FALL, GRADIENT_ALIVE, MODEST, AMPLE, OFF),
    shows=Effect.UPDATES_TOO_SMALL,
    effects=(Effect.TOO_SLOW,),
    alike=("vanishing-gradients",),
    needs_trend=True,
    without_trend=_without_trend,
    detect=_detect,
)
