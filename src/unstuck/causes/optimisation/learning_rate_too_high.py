"""Learning rate too high: updates rewrite the weights faster than the loss surface allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import end_level, smooth
from unstuck.measures import arms
from unstuck.measures.arms import USUAL_MOMENTUM
from unstuck.measures.basics import (
    GOOD_SKILL,
    Updates,
    constant_loss,
    failed,
    last_good_step,
    learned_little,
    loss_ends_at,
    loss_points,
    optimizer_of,
    rate_code,
    rate_of,
    rates,
    thinned,
    typed,
    weight_updates,
)
from unstuck.measures.looks import gaps
from unstuck.measures.silence import fell_silent
from unstuck.measures.steps import line_search, rate_location, slope
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Clip, Remedy, Safety, Schedule
from unstuck.schema.experiments import Experiment
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer, Scheduler, sets_the_rate
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.layers import OUTPUT_GRADIENT, SILENT_SHARE
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    GRADIENT_PRODUCT,
    HELD,
    REACHED,
    UPDATE_NORM,
    WEIGHT_NORM,
)
from unstuck.words import called, number, percent

HEALTHY = 1e-3
POSSIBLE = 0.45  # large updates in a run that failed, and no sign of overshooting
DATA = (NonFiniteStage.INPUT, NonFiniteStage.TARGET)
LARGE = Threshold(
    "large-update", 0.05,
    "An update that changes the typical weight matrix by a twentieth of its size, step after step, "
    "replaces the whole matrix within a few tens of steps. In networks that train well an update "
    "is about 0.001 of the weights.",
    "CS231n; Bottou in Goodfellow et al., ch. 11; torchmortem's limit of 0.1 raised no false alarm "
    "on 72 healthy runs",
)
GIANT = Threshold(
    "giant-update", 0.5,
    "A single update that changes the typical weight matrix by half of its size ends far away from "
    "the point at which the gradient was measured.",
    "Bottou: about 1 %, not 50 %",
)
CUTTING = Threshold(
    "cutting-update", 0.1,
    "An update that changes the typical weight matrix by a tenth of its size can close what passes "
    "through it.",
    "twice what counts as large; torchmortem's limit, without a false alarm on 72 healthy runs",
)
JUMP = Threshold(
    "loss-jump", 2.0,
    "A loss that rises to twice its starting value was thrown there by an update. Before anything "
    "is learned, a healthy loss varies less than that from batch to batch.",
    "TheDeepChecker calls twice the best loss a divergence",
)
WORSE = Threshold(
    "worse-than-constant", 1.1,
    "A network whose loss ends 10 % above that of the best constant prediction is kept there by "
    "its own updates. It would be better off without training.",
    "calibrated on programs of the corpus",
)
HELD_UP = Threshold(
    "held-up", 0.01,
    "A loss that ends at its lowest and never was above its start has fallen all the way. Updates "
    "that are too large throw it up and down by more than a hundredth of the constant's loss.",
    "the noise of a batch alone is larger",
)
LOST = Threshold(
    "ground-lost", 0.1,
    "A run that ends above its own best level by a tenth of the loss of a constant prediction was "
    "thrown out of a valley again. A ratio of losses would mean something else near zero than near "
    "that loss.",
    "calibrated on programs of the corpus at thirty times their learning rate",
)
SUSPECT = Threshold(
    "suspect-update", 0.02,
    "Twenty times the usual update, at every step, is too much for a run that learns nothing. It "
    "proves nothing against a run that learns.",
    "CS231n: about 1e-3; a typical update above 1e-2 is rare in healthy runs",
)
REMAINS = 0.1  # of the first gradient of the layer that keeps most, or training is over
FEWEST_LOOKS = 4
LOWEST = 1e-4  # the end of the usual search for a rate that trains a network from scratch
RARE = Threshold(
    "rare-update", 0.01,
    "Ten times the usual update is rare in a healthy run. Where nothing was learned and nothing "
    "surer is known, it is worth a run with a lower learning rate.",
    "CS231n: about 1e-3; a typical update above 1e-2 is rare in healthy runs",
)
SUNK = Threshold(
    "gradient-sunk", 1e-3,
    "The gradient of a layer that still learns may become a tenth. If it becomes a thousandth "
    "while that of another layer stays as it was, what passed through the layer before is gone.",
    "the same limit as for gradients that vanish",
)


@dataclass(frozen=True, slots=True)
class _Signs:
    """What the updates and the loss show."""

    typical: float  # median over matrices and the schedule of looks, at least,
    most: float  # and at most, where looks were left out
    peak: float  # largest typical update of a step
    peak_step: int
    since: int  # first step with a large update
    jump: float  # highest loss over the loss before the first update
    excess: float  # last level over the constant's loss, NaN if unknown
    lost: float  # last level less the best, over the constant's loss or that of the start
    sunk: list[str]  # layers that large updates have cut off
    updates: Updates


def _signs(view: View, updates: Updates) -> _Signs | None:
    typical = updates.typical()
    good = (updates.steps <= last_good_step(view)) & ~np.isnan(typical)
    if not good.any():
        return None
    steps, values = updates.steps[good], typical[good]
    top = int(np.argmax(values))
    large = np.flatnonzero(values >= min(view.limit(LARGE), values[top]))
    loss = _while_trained(view)
    finite = loss.finite.values
    # Two batches, for one may be an easy one; unless the update between them was giant.
    first = 1 if steps[0] == 0 and values[0] >= view.limit(GIANT) else 2
    start = float(np.max(finite[:first])) if len(finite) else math.nan
    highest = float(np.max(finite)) if len(finite) else math.nan
    last = end_level(finite)[0] if len(finite) else math.nan
    levels = smooth(loss, max(len(loss) // 20, 5)).values
    best = float(np.min(levels)) if len(levels) else math.nan
    constant = constant_loss(view)
    scale = constant if constant is not None and constant > 0 else start
    return _Signs(
        *gaps(view.record, steps, last_good_step(view)).median(values),
        float(values[top]), int(steps[top]), int(steps[large[0]]),
        highest / start if start > 0 else math.nan,
        last / constant if constant is not None and constant > 0 else math.nan,
        (last - best) / scale if scale > 0 else math.nan,
        _sunk(view) if values[top] >= view.limit(CUTTING) else [], updates,
    )


def _while_trained(view: View) -> Series:
    """The training loss as long as optimizers held weights that it depends on.

    What it does once they hold none of them, no rate is to blame for.
    """
    loss = view[TRAIN_LOSS]
    if not (view.has(HELD) and view.has(REACHED)):
        return loss
    held = view[HELD]
    looks = np.unique(np.concatenate([series.steps for series in view[REACHED].values()]))
    trained = [np.intersect1d(series.steps[series.values == 1],
                              held[name].steps[held[name].values == 1])
               for name, series in view[REACHED].items() if name in held]
    last = max((int(steps[-1]) for steps in trained if len(steps)), default=-1)
    if last < 0 or np.count_nonzero(looks > last) < 2:
        return loss
    return loss.until(last + 1)


def _detect(view: View) -> Verdict:
    updates = weight_updates(view)
    signs = _signs(view, updates)
    if signs is None:
        return Unknown("no update of a weight matrix was measured", (UPDATE_NORM.name,))
    if line_search(view):
        return Absent("a line search decides how far each update goes")
    sustained = signs.typical >= view.limit(SUSPECT)
    giant = signs.peak >= view.limit(GIANT)
    size = (f"the typical one is {percent(signs.typical)} as large as the weights, the largest "
            f"{percent(signs.peak)}")
    suspicious = signs.typical >= view.limit(RARE) and failed(view.outcome)
    if not (sustained or giant or suspicious) and signs.most >= view.limit(SUSPECT):
        return Unknown("too few steps were examined closely to know how far a typical one moves "
                       "the weights", ("a run with --overhead 1",))
    if not (sustained or giant or suspicious):
        return Absent(f"the updates are small enough ({size})")
    jumped = signs.jump >= view.limit(JUMP)
    # A loss that only fell was not brought above a constant's by its updates.
    worse = signs.excess >= view.limit(WORSE) and (
        signs.jump > 1 or signs.lost > view.limit(HELD_UP))
    lost = signs.lost >= view.limit(LOST)
    found = view.record.fact(NonFinite)
    if found is not None and found.stage in DATA and not jumped:
        return Absent("the data contain NaN or Inf, before which the loss had not risen")
    if found is not None and found.stage is NonFiniteStage.EMPTY:
        return Absent("at any learning rate, the mean of no numbers is not finite")
    if failed(view.outcome) and (sustained or giant) and (giant or jumped or worse or lost):
        strength = 0.5 + 0.1 * (giant + jumped + worse + lost)
        strength += 0.1 * (signs.typical >= view.limit(LARGE))
        if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.BROKEN):
            strength = max(strength, 0.95 if giant else 0.85)
    elif view.outcome.kind is OutcomeKind.TOO_SHORT:
        return Unknown(f"the updates are large ({size}), but the run is too short to see whether "
                       "the loss settles", ("a longer run",))
    elif learned_little(view.outcome) and (worse or (jumped and giant)):
        strength = 0.5 + 0.1 * (giant + jumped + worse)
    elif failed(view.outcome) and signs.sunk:
        strength = 0.6
    elif failed(view.outcome) and signs.typical >= view.limit(LARGE):
        strength = 0.5
    elif failed(view.outcome) and view.outcome.skill is not None:
        left = slope(view)
        if left is not None and left.is_steep and not giant:
            return Absent("successive gradients point the same way until the end, which steps that "
                          "are too long would prevent")
        strength = POSSIBLE
    elif learned_little(view.outcome) and sustained and signs.peak >= view.limit(CUTTING) and (
        view.outcome.kind is OutcomeKind.LEARNING  # what holds a plateau is told by its noise
        and updates.typical()[-1] >= view.limit(SUSPECT)  # and no schedule has made them small
    ):
        strength = POSSIBLE
    elif learned_little(view.outcome):
        return Unknown(f"the updates are large ({size}) and little was learned, but the loss "
                       "neither jumped nor ended above that of a constant prediction",
                       ("a second run with a tenth of the learning rate",))
    elif giant and jumped and fell_silent(view, signs.peak_step):
        strength = 0.8
    elif (sustained or (giant and jumped)) and (view.outcome.skill or 1) < GOOD_SKILL:
        return Unknown(f"the updates are large ({size}), and the run might have learned more with "
                       "smaller ones", ("a second run with a tenth of the learning rate",))
    else:
        return Absent(f"the updates are large ({size}), but the run tolerates them")
    return _present(view, signs, strength)


def _sunk(view: View) -> list[str]:
    """Layers that got gradients at first and were then cut off, while another layer was not.

    Gradients that vanish for another reason do so from the first step on.
    """
    if not view.has(OUTPUT_GRADIENT):
        return []
    shares = {}
    for name, series in view[OUTPUT_GRADIENT].items():
        norms = series.finite.values
        if len(norms) >= FEWEST_LOOKS and norms[0] > 0:
            shares[name] = float(np.median(norms[len(norms) // 2:])) / float(norms[0])
    most = max(shares.values(), default=0.0)
    return [name for name, share in shares.items()
            if most > REMAINS and share <= view.limit(SUNK) * most]


def _present(view: View, signs: _Signs, strength: float) -> Verdict:
    optimizer = optimizer_of(view, signs.updates.names)
    giant = signs.peak >= view.limit(GIANT) or bool(
        signs.sunk and signs.typical < view.limit(LARGE))
    size = signs.peak if giant else signs.typical
    when = f" at step {number(signs.peak_step)}" if giant else ""
    steps, values = thinned(signs.updates.steps, signs.updates.typical())
    loss_steps, losses = loss_points(view)
    before, after = losses[0], max((v for v in losses if math.isfinite(v)), default=math.nan)
    end = number(loss_ends_at(view))
    return Present(
        strength=strength, of_value=True,
        title=f"the learning rate{rate_of(optimizer)} is too high: one update is {percent(size)} "
        f"as large as the weights, and the loss went from {number(before)} to {end}",
        since_step=signs.since + 1,
        location=rate_location(view, optimizer) or next(
            (each.location for each in view.record.facts(Backward)), None),
        label=f"one update is {percent(size)} as large as the weights (usual: about "
        f"{percent(HEALTHY)})",
        evidence=(
            *_cut_off(view, signs.sunk),
            Evidence(UPDATE_NORM.name, "", steps, values, view.limit(LARGE),
                     f"updates are too large{when}: the one of the typical weight matrix is "
                     f"{percent(size)} as large as the matrix (usual: about {percent(HEALTHY)})"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss started at {number(before)}, rose to {number(after)} and ended at "
                     f"{end}" if after > before else
                     f"the loss started at {number(before)} and ended at {end}"),
        ),
        remedies=_remedies(view, optimizer, size),
        # Momentum lengthens the steps as well.
        one_of=("momentum-too-high",) if strength <= POSSIBLE and optimizer is not None and (
            optimizer.momentum or 0.0) > USUAL_MOMENTUM else (),
        separated_by=None if strength > POSSIBLE else Experiment(
            "run again with a tenth of the learning rate: if the training loss then falls further, "
            "the cause is learning-rate-too-high",
            (arms.learning_rate(view, 0.1, "learning-rate-too-high"),)),
    )


def _cut_off(view: View, sunk: list[str]) -> tuple[Evidence, ...]:
    """The layer that got most at first of those that get nothing any more."""
    if not sunk:
        return ()
    gradients = {name: view[OUTPUT_GRADIENT][name].finite for name in sunk}
    name = max(sunk, key=lambda each: float(gradients[each].values[0]))
    steps, values = thinned(gradients[name].steps, gradients[name].values)
    return (Evidence(
        OUTPUT_GRADIENT.name, name, steps, values, None,
        f"the first updates cut {called(name)} off: its gradient was {number(values[0])}, and is "
        f"{number(values[-1])} at the end"),)


def _remedies(view: View, optimizer: Optimizer | None, size: float) -> tuple[Remedy, ...]:
    if optimizer is None or optimizer.learning_rate is None:
        return (Remedy("lower the learning rate", Safety.ADVICE,
                       advice="Divide the learning rate by 10 until the loss falls steadily."),)
    now = optimizer.learning_rate
    # The update is proportional to the learning rate: with this one it would be about 1 %. In a
    # loss that explodes the gradients are no measure.
    fitting = min(max(now * 0.01 / size, LOWEST), now / 2)
    walk = [rate for rate in (0.1, 0.08, 0.06, 0.05) if rate < now / 2]
    ladder = rates(optimizer, [fitting, now / 10, now / 100, *walk, now / 2, now / 4, now / 8])
    best = typed(fitting)
    warm_up = Remedy(
        "warm up", Safety.SAFE, (Schedule("linear warm-up", 100),),
        code_text="scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 100)"
        "  # scheduler.step() after each optimizer.step()")
    return (
        Remedy("lower the learning rate", Safety.SAFE, ladder,
               code_text=rate_code(optimizer, best)),
        # A schedule that has a peak begins below it.
        *(() if sets_the_rate(view.record.facts(Scheduler), optimizer) else (warm_up,)),
        Remedy("clip the gradient", Safety.CHANGES_EXPERIMENT, (Clip(1.0), Clip(0.1))),
    )


CAUSE = Cause(
    slug="learning-rate-too-high",
    code="O001",
    title="Learning rate too high",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(
        Symptom.OSCILLATES,
        Symptom.RISES,
        Symptom.NAN,
        Symptom.SAME,
        Symptom.MARGIN,
        Symptom.CHANCE,
    ),
    often=Often.COMMON,
    words=Words(
        symptom="The loss jumps after the first updates, oscillates, stays above that of a "
        "constant prediction, or becomes NaN.",
        consequence="Every step overshoots. On the way, units saturate or die and weights may "
        "overflow. Longer training does not help.",
        why="A gradient describes the loss only near the current weights. If an update is longer "
        "than the valley is wide, it lands on the other side, higher up, where the gradient is "
        "even larger. A usual update is about a thousandth of the size of the weights. Adam moves "
        "each weight by about the learning rate itself, however small the gradient is, so its "
        "learning rate must be small compared with the weights.",
        detection="The detector measures how much each weight matrix really changes in a step and "
        "compares that with the size of the matrix. It never judges the learning rate itself. "
        "Large updates count only if the run suffers from them: it diverged, its loss jumped above "
        "its starting value, it ended above the loss of a constant prediction or well above its "
        "own best, or layers that got gradients at first were cut off. Inputs on "
        "a large scale and gradients that accumulate also make updates large. If they are to "
        "blame, unstuck reports them as the root cause.",
        limitations="A learning rate that is only slightly too high costs accuracy without a "
        "visible jump and is not found. Networks with batch normalisation tolerate large updates "
        "and are not reported while they learn. A badly scaled initialisation can look the same.",
        references=(
            "CS231n, Learning and evaluation: ratio of weights to updates",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 8.3 and 11.4",
            "Smith 2017: Cyclical learning rates for training neural networks (arXiv 1506.01186)",
        ),
    ),
    needs=(UPDATE_NORM, WEIGHT_NORM, TRAIN_LOSS),
    uses=(CONSTANT_LOSS, GRADIENT_PRODUCT, HELD, OUTPUT_GRADIENT, REACHED, SILENT_SHARE),
    thresholds=(HELD_UP, LARGE, GIANT, CUTTING, JUMP, WORSE, LOST, SUSPECT, RARE, SUNK),
    shows=Effect.UPDATES_TOO_LARGE,
    effects=(
        Effect.NON_FINITE, Effect.UNITS_DIE, Effect.UNITS_SATURATE,
        Effect.GRADIENTS_VANISH, Effect.PLATEAU,
    ),
    detect=_detect,
)
