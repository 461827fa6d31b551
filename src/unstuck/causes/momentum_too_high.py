"""Momentum too high: the loss swings slowly to and fro, as long as the momentum remembers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import failed, learned_little, loss_points
from unstuck.causes._steps import main_optimizer, updates_per_epoch
from unstuck.edits import OptimizerArgument, Remedy, Safety, number
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.record import Floats, Series
from unstuck.signals import BATCH_SIZE, LEARNING_RATE, SAME_BATCH, TRAIN_LOSS
from unstuck.trends import point_noise, tidy

SWINGS = Threshold(
    "swings", 4.0,
    "Four turns, down and up and down and up, are two full periods: a single bump is none.",
    "any smooth curve may have one peak and one trough",
)
HEIGHT = Threshold(
    "swing-height", 6.0,
    "Each turn must stand six times the noise of the smoothed loss above the last.",
    "white noise of a thousand points stays within four deviations",
)
MEMORY = Threshold(
    "period-over-memory", 4.0,
    "A swing dies within a few memories of 1 / (1 - m) steps: slower ones the momentum did not "
    "make.",
    "amplitude sqrt(m) a step (Goh 2017): after four memories the loss's swing is at e^-4",
)
REGULAR = Threshold(
    "period-scatter", 0.6,
    "The turns of a pendulum are evenly spaced; half periods scatter by less than their mean.",
    "random turns are exponentially spaced, with a scatter of 1",
)
SHORTEST = 8.0  # steps of a period: shorter ones are bounces of the rate


@dataclass(frozen=True, slots=True)
class _Swing:
    """Turns of the smoothed loss: their steps, the period and how evenly they are spaced."""

    turns: tuple[int, ...]
    values: tuple[float, ...]
    period: float
    scatter: float


def _swing(view: View, loss: Series) -> _Swing | None:
    values = loss.values
    width = max(1, len(values) // 200)
    kernel = np.ones(width) / width
    calm = np.convolve(values, kernel, mode="valid")
    steps = loss.steps[width // 2: width // 2 + len(calm)]
    # Neighbours in the running mean share points: only every width-th is compared for the noise.
    noise = max(point_noise(calm[::width]), 1e-12 * float(np.max(np.abs(calm))))
    turns = _turns(calm, max(view.limit(HEIGHT) * noise, 0.05 * float(np.ptp(calm))))
    if len(turns) < view.limit(SWINGS):
        return None
    halves = np.diff(steps[turns])
    return _Swing(tuple(map(int, steps[turns])), tuple(map(float, calm[turns])),
                  2 * float(np.median(halves)), float(np.std(halves) / np.mean(halves)))


def _turns(values: Floats, height: float) -> list[int]:
    """Indices of peaks and troughs that stand at least `height` apart, in turn."""
    turns: list[int] = []
    low = high = 0
    up: bool | None = None
    for i, value in enumerate(values):
        if value < values[low]:
            low = i
        if value > values[high]:
            high = i
        if up is not False and values[high] - value >= height:
            if up is not None or high:
                turns.append(high)
            up, low = False, i
        elif up is not True and value - values[low] >= height:
            if up is not None or low:
                turns.append(low)
            up, high = True, i
    return turns


def _detect(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or optimizer.momentum is None:
        return Unknown("the program's optimizer has no momentum that is known",
                       ("a run with torch.optim.SGD",))
    memory = 1 / max(1 - optimizer.momentum, 1e-6)
    loss = tidy(view[TRAIN_LOSS])
    last = view.facts.non_finite
    if last is not None:
        loss = Series(loss.steps[loss.steps < last.step], loss.values[loss.steps < last.step])
    if len(loss) < 4 * SHORTEST:
        return Unknown("too few losses to see a period", ("a run of more steps",))
    if len(view.facts.backwards) > 1:
        return Unknown("several losses take turns", ("a run with one loss",))
    found = _swing(view, loss)
    if found is None:
        return Absent("the loss does not swing by more than its noise")
    period = found.period
    says = f"the loss swings with a period of {number(period)} steps"
    if not found.scatter <= view.limit(REGULAR):
        return Absent(f"{says}, but not evenly")
    if not SHORTEST <= period <= view.limit(MEMORY) * memory:
        return Absent(f"{says}; momentum {number(optimizer.momentum)} remembers "
                      f"{number(memory)} steps")
    epoch = updates_per_epoch(view)
    if epoch is not None and epoch >= SHORTEST and abs(period / epoch - 1) < 0.1:
        return Absent(f"{says}, which is an epoch: the order of the data makes it")
    if _cycles(view):
        return Unknown(f"{says}, and the rate goes up and down too", ("a constant rate",))
    suffers = failed(view.outcome) or learned_little(view.outcome)
    steps, points = loss_points(view)
    ladder = [m for m in (0.9, 0.5, 0.0) if m < optimizer.momentum]
    return Present(
        strength=0.75 if suffers else 0.45, since_step=min(found.turns[0], view.facts.steps),
        title=f"the loss swings to and fro every {number(period)} steps, {len(found.turns)} turns "
        f"in all: momentum {number(optimizer.momentum)} carries each step on for "
        f"{number(memory)} more",
        location=optimizer.location, label=f"remembers {number(memory)} gradients",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss between {number(float(np.min(loss.values)))} and "
                     f"{number(float(np.max(loss.values)))}"),
            Evidence(TRAIN_LOSS.name, "turns", found.turns, found.values, None,
                     f"the turns lie {number(period / 2)} steps apart (median)"),
        ),
        remedies=(
            Remedy("lower the momentum", Safety.CHANGES_EXPERIMENT, tuple(
                OptimizerArgument(optimizer.name, "momentum", m) for m in ladder or [0.0])),
            Remedy("lower the learning rate", Safety.ADVICE,
                   advice="Divide the rate by what the momentum adds up: the step at rest is the "
                   "rate over one minus the momentum."),
        ),
        one_of=("learning-rate-too-high",),
        separated_by="run again with momentum 0.9 and with a tenth of the rate: if only the lower "
        "momentum stills the swing, it is momentum-too-high",
    )


def _cycles(view: View) -> bool:
    """Whether the rate turns from falling to rising and back."""
    if not view.has(LEARNING_RATE):
        return False
    for series in view[LEARNING_RATE].values():
        moves = np.sign(np.diff(series.finite.values))
        moves = moves[moves != 0]
        if np.sum(moves[1:] != moves[:-1]) > 2:
            return True
    return False


CAUSE = Cause(
    slug="momentum-too-high",
    code="O007",
    title="Momentum too high",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss falls, rises again by itself, and falls again, in long even waves that "
        "no single batch explains.",
        consequence="The weights swing through the valley and out on its other side; the run ends "
        "wherever the wave happens to be.",
        why="With momentum m a gradient is followed for 1 / (1 - m) steps. If the valley is "
        "crossed in less, the weights run up the other slope before the old gradients are "
        "forgotten, like a pendulum with too little friction.",
        how_we_tell="The smoothed loss turns at least four times, each time by far more than its "
        "noise, evenly spaced, with a period of eight steps or more that is no longer than four "
        "memories of the momentum and is not that of an epoch or of the rate.",
        known_problems="A rate that is too high for the momentum swings the same way. Waves that "
        "the data make, of another period than an epoch, cannot be told from those of the "
        "momentum.",
        references=(
            "Goh 2017: Why momentum really works (Distill)",
            "O'Donoghue, Candes 2015: Adaptive restart for accelerated gradient schemes",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(LEARNING_RATE, BATCH_SIZE, SAME_BATCH),
    thresholds=(SWINGS, HEIGHT, MEMORY, REGULAR),
    explains=("learning-rate-too-high", "bottleneck"),
    needs_trend=True,
    detect=_detect,
)
