"""Outcomes of synthetic loss curves, and the statistics under them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.marks import slow
from unstuck.curves.outcome import judge
from unstuck.curves.statistics import (
    end_level,
    end_median,
    ending,
    noise,
    oscillation,
    relative_fall,
    smooth,
    trend,
)
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.run import End, EndKind
from unstuck.schema.findings import OutcomeKind

Floats = NDArray[np.float64]
H = 20  # held-out points


def series(values: Floats, steps: Floats | None = None) -> Series:
    steps = np.arange(len(values)) if steps is None else steps
    return Series(np.asarray(steps).astype(np.int64), np.asarray(values, dtype=np.float64))


def record(
    train: Floats, held: Floats | None = None, constant: float | None = None,
    end: EndKind = EndKind.FINISHED, steps: Floats | None = None,
) -> Record:
    made = Record("id", "0").hold(End(end), Backward(None))
    made._series["train-loss"] = series(train, steps)
    if held is not None:
        at = np.linspace(len(train) / len(held), len(train) - 1, len(held))
        made._series["held-out-loss"] = series(held, at)
    if constant is not None:
        made._series["constant-loss"] = series(np.array([constant * 1.1, constant]))
    return made


def batches(g: np.random.Generator, n: int, spread: float) -> Floats:
    """Multiplicative mini-batch noise of mean 1."""
    return np.exp(spread * g.standard_normal(n) - spread**2 / 2)


def power(n: int, floor: float = 0.0, exponent: float = 0.6) -> Floats:
    return floor + (1 - floor) * (1 + np.arange(n) / (n / 50)) ** -exponent


def decay(n: int, floor: float) -> Floats:
    return floor + (1 - floor) * np.exp(-np.arange(n) / (n / 20))


def held(curve: Floats, g: np.random.Generator, spread: float) -> Floats:
    at = np.linspace(len(curve) / H, len(curve) - 1, H).astype(int)
    return curve[at] * batches(g, H, spread / 4)


Maker = Callable[[int, float, np.random.Generator], Record]
CASES: list[tuple[str, OutcomeKind, Maker]] = []


def case(kind: OutcomeKind) -> Callable[[Maker], Maker]:
    def add(make: Maker) -> Maker:
        CASES.append((make.__name__, kind, make))
        return make
    return add


@case(OutcomeKind.LEARNING)
def falls(n, s, g):
    return record(2.3 * power(n) * batches(g, n, s))


@case(OutcomeKind.LEARNING)
def falls_with_held_out(n, s, g):
    curve = 2.3 * power(n, exponent=0.4)
    return record(curve * batches(g, n, s), held(curve, g, s), 2.3)


@case(OutcomeKind.LEARNING)
def plateau_then_drop(n, s, g):
    u = np.linspace(0, 1, n)
    curve = np.where(u < 0.7, 2.3, 2.3 * np.exp(-6 * (u - 0.7)))
    return record(curve * batches(g, n, s), None, 2.3)


@case(OutcomeKind.LEARNING)
def early_spike(n, s, g):
    curve = 2.3 * power(n) * batches(g, n, s)
    curve[n // 20: n // 20 + max(n // 60, 2)] *= 30
    return record(curve)


@case(OutcomeKind.LEARNING)
def late_single_spike(n, s, g):
    curve = 2.3 * power(n) * batches(g, n, s)
    curve[-2] *= 1e4
    return record(curve)


@case(OutcomeKind.LEARNING)
def negative_log_likelihood(n, s, g):
    return record(5 - 12 * (1 - power(n)) + s * g.standard_normal(n))


@case(OutcomeKind.LEARNING)
def sawtooth(n, s, g):
    epoch = max(n // 10, 5)
    return record(2.3 * power(n) * (1 + 0.15 * (np.arange(n) % epoch) / epoch) * batches(g, n, s))


@case(OutcomeKind.CONVERGED)
def skilled(n, s, g):
    return record(2.3 * decay(n, 0.03) * batches(g, n, s), None, 2.3)


@case(OutcomeKind.CONVERGED)
def near_zero(n, s, g):
    return record(2.3 * decay(n, 0.005) * batches(g, n, s))


@case(OutcomeKind.PLATEAU)
def stuck(n, s, g):
    curve = 2.3 * decay(n, 0.5)
    return record(curve * batches(g, n, s), held(curve, g, s), 2.3)


@case(OutcomeKind.NOT_LEARNING)
def at_the_constant(n, s, g):
    return record(2.31 * batches(g, n, s), None, 2.3)


@case(OutcomeKind.NOT_LEARNING)
def falls_to_the_constant(n, s, g):
    return record(2.3 * (1 + decay(n, 0)) * batches(g, n, s), None, 2.3)


@case(OutcomeKind.NOT_LEARNING)
def flat_of_unknown_floor(n, s, g):
    return record(2.31 * batches(g, n, s))


@case(OutcomeKind.BROKEN)
def rises(n, s, g):
    curve = 2.3 * (1 + np.linspace(0, 1, n))
    return record(curve * batches(g, n, s), held(curve, g, s), 2.3)


@case(OutcomeKind.BROKEN)
def turns(n, s, g):
    u = np.linspace(0, 1, n)
    return record(2.3 * np.where(u < 0.5, decay(n, 0.2), 0.2 + 2.4 * (u - 0.5)) * batches(g, n, s))


@case(OutcomeKind.DIVERGED)
def explodes(n, s, g):
    return record(2.3 * np.exp(20 * np.linspace(0, 1, n)) * batches(g, n, s))


@case(OutcomeKind.DIVERGED)
def becomes_nan(n, s, g):
    curve = 2.3 * power(n) * batches(g, n, s)
    curve[-n // 10:] = np.nan
    return record(curve, end=EndKind.EXCEPTION)


@case(OutcomeKind.DIVERGED)
def unbounded_below(n, s, g):
    return record(-np.exp(30 * np.linspace(0, 1, n)) * batches(g, n, s), None, 2.3)


@case(OutcomeKind.OVERFITTING)
def held_out_turns_in_another_unit(n, s, g):
    u, curve = np.linspace(0, 1, n), 2.3 * power(n)
    other = np.where(u < 0.3, curve, curve[int(0.3 * n)] * (1 + 1.2 * (u - 0.3)))
    return record(64 * curve * batches(g, n, s), held(other, g, s))  # a sum, and a mean


@case(OutcomeKind.OVERFITTING)
def held_out_turns(n, s, g):
    u, curve = np.linspace(0, 1, n), 2.3 * power(n)
    other = np.where(u < 0.3, curve, curve[int(0.3 * n)] * (1 + 1.2 * (u - 0.3)))
    return record(curve * batches(g, n, s), held(other, g, s), 2.3)


@case(OutcomeKind.DATA_PROBLEM)
def only_held_out_falls(n, s, g):
    u = np.linspace(0, 1, n)
    return record(2.3 * batches(g, n, s), held(2.3 * (1 - 0.6 * u), g, s), 2.3)


@case(OutcomeKind.CRASHED)
def crashes(n, s, g):
    return record(2.3 * power(n) * batches(g, n, s), end=EndKind.EXCEPTION)


@case(OutcomeKind.TOO_SHORT)
def few_points(n, s, g):
    return record((2.3 * power(n) * batches(g, n, s))[:25], None, 2.3)


@pytest.mark.parametrize(("name", "kind", "make"), CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("n", [400, slow(2000)])
def test_most_curves_of_a_kind_are_called_so(name, kind, make, n, spread):
    found = [judge(make(n, spread, np.random.default_rng(seed))) for seed in range(4)]
    right = sum(o.kind is kind for o in found)
    assert right >= (2 if spread == 0.3 else 3), [(o.kind.value, o.says) for o in found]


@pytest.mark.parametrize(("name", "kind", "make"), CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_the_unit_of_the_loss_does_not_matter(name, kind, make, factor):
    for seed in range(2):
        plain = make(300, 0.1, np.random.default_rng(seed))
        scaled = make(300, 0.1, np.random.default_rng(seed))
        for name_, found in scaled._series.items():
            assert isinstance(found, Series)
            scaled._series[name_] = Series(found.steps, found.values * factor)
        assert judge(scaled).kind is judge(plain).kind


def test_without_a_loss_nothing_was_trained():
    assert judge(Record("id", "0")).kind is OutcomeKind.NO_TRAINING


def test_where_it_diverged_and_turned_is_named():
    curve = np.r_[np.ones(80), np.full(20, np.inf)]
    assert judge(record(curve)).since_step == 80
    g = np.random.default_rng(0)
    found = judge(turns(1000, 0.05, g))
    assert 300 <= found.since_step <= 600
    assert judge(held_out_turns(1000, 0.05, g)).since_step in range(200, 420)


def test_skill_is_measured_against_the_last_constant():
    found = judge(stuck(1000, 0.05, np.random.default_rng(0)))
    assert found.skill == pytest.approx(0.5, abs=0.03)
    assert judge(flat_of_unknown_floor(400, 0.05, np.random.default_rng(0))).skill is None


def test_a_loss_above_that_of_a_constant_is_not_learning():
    g = np.random.default_rng(0)
    far = judge(record(100 - 0.1 * np.arange(400) + 0.5 * g.standard_normal(400), constant=5.0))
    assert far.kind is OutcomeKind.NOT_LEARNING
    assert "still far above that of a constant prediction (5)" in far.says
    soon = judge(record(20 - 0.03 * np.arange(400) + 0.1 * g.standard_normal(400), constant=5.0))
    assert soon.kind is OutcomeKind.TOO_SHORT
    assert 50 <= soon.more_points <= 200
    below = judge(record(20 - 0.045 * np.arange(400) + 0.1 * g.standard_normal(400), constant=5.0))
    assert below.kind is OutcomeKind.LEARNING


def test_a_loss_that_ends_above_where_it_began_is_no_short_run():
    g = np.random.default_rng(0)
    back = 100 - 0.23 * np.arange(400) + g.standard_normal(400)
    thrown = judge(record(np.r_[1.4, back], constant=1.4))
    assert thrown.kind is OutcomeKind.NOT_LEARNING
    assert "rose from 1.4 to 10" in thrown.says
    assert judge(record(np.r_[90.0, back], constant=1.4)).kind is OutcomeKind.TOO_SHORT


def test_what_has_learned_nothing_does_not_overfit():
    g = np.random.default_rng(0)
    n = 400
    falls = np.linspace(1, 0, n)
    risen = held(0.9 + 0.2 * np.abs(np.linspace(-0.3, 1, n)), g, 0.005)
    little = record(0.93 + 0.05 * falls + 0.005 * g.standard_normal(n), risen, 1.0)
    much = record(0.43 + 0.5 * falls + 0.005 * g.standard_normal(n), risen, 1.0)
    assert judge(much).kind is OutcomeKind.OVERFITTING
    assert judge(little).kind is not OutcomeKind.OVERFITTING


def test_a_plateau_asks_the_held_out_loss():
    g = np.random.default_rng(0)
    train = decay(400, 0.3) * batches(g, 400, 0.2)
    falling = np.linspace(1, 0.45, H) * batches(g, H, 0.01)
    assert judge(record(train, held(decay(400, 0.3), g, 0.02), 1.0)).kind is OutcomeKind.PLATEAU
    found = judge(record(train, 0.6 + falling / 4, 1.0))
    assert found.kind is OutcomeKind.LEARNING
    assert "the held-out loss is still falling" in found.says


def test_a_skewed_loss_is_compared_by_its_mean():
    """The median of squared errors lies far below their mean, which is the constant's loss."""
    g = np.random.default_rng(0)
    found = [judge(record(g.standard_normal(3000) ** 2, None, 1.0)) for _ in range(8)]
    assert all(o.skill is not None and abs(o.skill) < 0.4 for o in found)
    assert sum(o.kind in (OutcomeKind.NOT_LEARNING, OutcomeKind.TOO_SHORT) for o in found) >= 7


@pytest.mark.parametrize("n", [60, 400, 2000])
@pytest.mark.parametrize("same_step", [False, True])
def test_two_alternating_losses_are_never_surely_broken(n, same_step):
    g, u = np.random.default_rng(0), np.linspace(0, 1, n)
    for rise in (0.5, 1.5, 9.0):
        curve = np.where(np.arange(n) % 2, 0.7 * (1 + rise * u), 1.2 * (1 - 0.9 * u))
        steps = np.arange(n) // 2 if same_step else np.arange(n)
        found = judge(record(curve * batches(g, n, 0.1), steps=steps))
        worst = (OutcomeKind.BROKEN, OutcomeKind.DIVERGED, OutcomeKind.NOT_LEARNING)
        assert found.kind not in worst or found.confidence <= 0.4


def test_a_signed_loss_may_rise_a_bit():
    g, u = np.random.default_rng(0), np.linspace(0, 1, 600)
    found = judge(record(-0.5 + 0.3 * u + 0.1 * g.standard_normal(600)))
    assert found.kind not in (OutcomeKind.BROKEN, OutcomeKind.DIVERGED)


def test_a_single_non_finite_value_is_passed_over():
    curve = 2.3 * power(400)
    curve[50] = np.nan
    curve[200] = np.inf
    assert judge(record(curve)).kind is OutcomeKind.LEARNING


def test_swings_of_ordered_classes_are_not_broken():
    g, c = np.random.default_rng(0), np.arange(900) // 30 % 3
    curve = np.choose(c, [0.3, 1.5, 2.5]) * batches(g, 900, 0.1)
    assert judge(record(curve, None, 1.1)).kind not in (OutcomeKind.BROKEN, OutcomeKind.DIVERGED)


def test_too_short_says_how_many_more():
    assert judge(record(np.linspace(2, 1, 12))).more_points == 18
    g = np.random.default_rng(0)
    cut = judge(record(2.3 * batches(g, 60, 0.3), end=EndKind.STOPPED))
    assert cut.kind is OutcomeKind.TOO_SHORT
    assert cut.more_points


def healthy(g: np.random.Generator) -> Record:
    n = int(np.exp(g.uniform(np.log(50), np.log(3000))))
    floor = float(g.choice([0, g.uniform(0, 0.6)]))
    wait = np.exp(g.uniform(0, np.log(max(n / 5, 2))))
    spread = np.exp(g.uniform(np.log(0.01), np.log(0.4)))
    at = np.arange(n)
    exponent = g.uniform(0.2, 1.5)
    curve = 2.3 * (floor + (1 - floor) * (1 + at / wait) ** -exponent)
    other = held(curve * 1.1, g, spread) if g.random() < 0.5 else None
    constant = 2.3 / g.uniform(1, 1.2) if g.random() < 0.5 else None
    return record(curve * batches(g, n, spread), other, constant)


def test_healthy_curves_are_rarely_called_ill():
    g = np.random.default_rng(3)
    found = [judge(healthy(g)).kind for _ in range(200)]
    ill = (OutcomeKind.NOT_LEARNING, OutcomeKind.BROKEN, OutcomeKind.DIVERGED,
           OutcomeKind.OVERFITTING, OutcomeKind.DATA_PROBLEM)
    assert sum(kind in ill for kind in found) <= 2


ANY = st.lists(st.tuples(st.integers(0, 2**40), st.floats(width=64)), max_size=500)


@settings(max_examples=150, deadline=None)
@given(train=ANY, other=ANY, constant=st.floats(), end=st.sampled_from(list(EndKind)))
def test_anything_gets_a_valid_outcome(train, other, constant, end):
    made = Record("id", "0").hold(End(end))
    for name, rows in (("train-loss", train), ("held-out-loss", other)):
        if rows:
            made._series[name] = series(np.array([v for _, v in rows]),
                                        np.array([s for s, _ in rows]))
    made._series["constant-loss"] = series(np.array([constant]))
    found = judge(made)
    assert 0 <= found.confidence <= 1
    assert found.says
    assert found.skill is None or np.isfinite(found.skill)
    if train:
        data = made._series["train-loss"]
        assert isinstance(data, Series)
        for number in (trend(data), noise(data), relative_fall(data), oscillation(data)):
            assert "nan" not in repr(number)
        smooth(data, 7)


@pytest.mark.parametrize("n", [15, 30, 100, 1000])
def test_few_flat_curves_have_a_trend(n):
    g = np.random.default_rng(0)
    lines = [trend(series(1 + 0.1 * g.standard_normal(n))) for _ in range(60)]
    assert np.mean([line is not None and (line.falling or line.rising) for line in lines]) <= 0.12


def test_trend_finds_the_slope_and_repeats():
    g = np.random.default_rng(0)
    data = series(5 - 0.01 * np.arange(300) + 0.1 * g.standard_normal(300))
    line = trend(data)
    assert line == trend(data)
    assert line is not None
    assert line.falling
    assert line.slope == pytest.approx(-0.01, rel=0.03)
    assert line.low < line.slope < line.high
    assert line.fall == pytest.approx(0.6, abs=0.03)
    assert trend(series(np.ones(5))) is None
    assert trend(series(np.ones(20), np.zeros(20))) is None


def test_small_statistics():
    g = np.random.default_rng(0)
    noisy = series(np.linspace(9, 1, 2000) + 0.2 * g.standard_normal(2000))
    assert noise(noisy) == pytest.approx(0.2, rel=0.15)
    assert relative_fall(noisy) == pytest.approx(0.84, abs=0.04)
    calm = smooth(noisy, 51)
    assert len(calm) == 2000
    assert (noise(calm) or 0) < 0.05
    swing = oscillation(noisy)
    assert swing is not None
    assert swing.changes == pytest.approx(2 / 3, abs=0.05)
    assert not swing.alternates
    pair = oscillation(series(np.tile([1.0, 2.0], 50)))
    assert pair is not None
    assert pair.alternates


@pytest.mark.parametrize(
    ("points", "of_the_end"), [(2, 2), (5, 3), (12, 3), (30, 6), (50, 10), (100, 10), (3000, 300)])
def test_the_end_is_a_short_part_of_a_curve(points, of_the_end):
    assert ending(np.arange(points)).tolist() == list(range(points))[-of_the_end:]


def test_the_end_level_is_a_mean_where_a_constant_is_compared_and_a_median_where_a_curve_may_leap():
    skewed = np.random.default_rng(0).standard_normal(3000) ** 2
    level, error = end_level(skewed)
    assert level == pytest.approx(1, abs=4 * error)
    assert end_median(skewed) == pytest.approx(0.45, abs=0.1)
    assert end_median(np.array([1.0, 1.0, 1.0, 1.0, 90.0, 1.0])) == 1


def test_a_short_curve_ends_where_its_last_points_are():
    """Ten epochs make a mean over all of the training no end of it."""
    values = 2.3 * 0.6 ** np.arange(12)
    skill = judge(record(values, None, 2.3)).skill
    assert skill == pytest.approx(1 - values[-3:].mean() / 2.3)


def test_a_million_points_are_judged_in_time():
    g = np.random.default_rng(0)
    made = record(2.3 * power(1_000_000) * batches(g, 1_000_000, 0.3), None, 2.3)
    start = time.process_time()
    judge(made)
    assert time.process_time() - start < 4  # about 0.5 s on a free machine
