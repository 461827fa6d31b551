"""Forecasts, phases and the labelled curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.curves import FILE, alarms, curves, forecasts, outcomes
from tests.test_curves import ANY, batches, power, record, series
from unstuck.curves.forecast import Abstained, Forecast, forecast
from unstuck.curves.outcome import judge
from unstuck.curves.phases import Course, phases, remarks, spikes
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record
from unstuck.record.series import in_order
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.run import End, EndKind, Log
from unstuck.schema.findings import OutcomeKind


# The labelled curves -----------------------------------------------------------------------------
def test_outcomes_of_the_curves_kept_aside() -> None:
    found = outcomes(aside=True)
    assert len(found) >= 100
    right = sum(outcome.kind.value in curve.truth for curve, outcome in found)
    assert right >= 0.92 * len(found)


def test_healthy_curves_kept_aside_have_no_errors() -> None:
    wrong, of = alarms(aside=True)
    assert wrong <= 0.02 * of


def test_forecasts_of_the_curves_kept_aside_cover_what_they_say() -> None:
    made = forecasts(aside=True)
    assert len(made) >= 80
    covered = sum(found.low <= gain <= found.high for _, found, gain in made)
    assert 0.7 * len(made) <= covered <= 0.9 * len(made)


def test_the_labelled_curves_are_many_and_small() -> None:
    assert len(curves(aside=True)) + len(curves(aside=False)) >= 150
    assert FILE.stat().st_size < 500_000


# Forecasts ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("exponent", [0.3, 0.6, 1.0])
def test_a_power_of_time_is_foreseen(exponent: float) -> None:
    g = np.random.default_rng(0)
    clean = 2.3 * power(900, 0.1, exponent)
    found = forecast(series((clean * batches(g, 900, 0.05))[:600]), 300)
    assert isinstance(found, Forecast)
    assert found.low < clean[599] - clean[-1] < found.high
    assert found.gain == pytest.approx(clean[599] - clean[-1], rel=0.5)


def test_a_flat_curve_gains_nothing() -> None:
    g = np.random.default_rng(0)
    found = forecast(series(batches(g, 400, 0.1)), 200)
    assert isinstance(found, Forecast)
    assert found.low <= 0.02
    assert found.share < 0.03


@pytest.mark.parametrize(
    ("values", "why"),
    [(np.ones(5), "at least 8 points"), (np.linspace(1, 3, 100), "rising"),
     (np.tile([1.0, 2.0], 40), "alternates"), (np.full(50, np.nan), "are 0")],
)
def test_ill_behaved_curves_have_no_forecast(values: np.ndarray, why: str) -> None:
    found = forecast(series(values), 50)
    assert isinstance(found, Abstained)
    assert why in found.reason


def test_the_unit_of_the_loss_does_not_matter_to_a_forecast() -> None:
    g = np.random.default_rng(1)
    values = 2.3 * power(300) * batches(g, 300, 0.1)
    one, other = forecast(series(values), 150), forecast(series(values * 1e4), 150)
    assert isinstance(one, Forecast)
    assert isinstance(other, Forecast)
    assert other.share == pytest.approx(one.share, rel=1e-6)
    assert other.sure_share == pytest.approx(one.sure_share, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(rows=ANY, more=st.floats())
def test_anything_can_be_asked_for(rows: list[tuple[int, float]], more: float) -> None:
    data = series(np.array([v for _, v in rows]), np.array([s for s, _ in rows]))
    found = forecast(data, more)
    if isinstance(found, Forecast):
        assert found.low <= found.gain <= found.high
    steps = [p.first for p in phases(data)]
    assert steps == sorted(steps)
    assert len(spikes(data)) <= 100


# Phases ------------------------------------------------------------------------------------------
def test_phases_are_told_apart() -> None:
    g, u = np.random.default_rng(0), np.linspace(0, 1, 900)
    curve = np.where(u < 1 / 3, 2.0, np.where(u < 2 / 3, 2.0 - 4.5 * (u - 1 / 3), 0.5))
    found = phases(series(curve * batches(g, 900, 0.05)))
    assert [p.course for p in found] == [Course.FLAT, Course.FALLING, Course.FLAT]
    assert found[1].first == pytest.approx(300, abs=45)
    assert found[1].last == pytest.approx(600, abs=45)
    assert phases(series(np.ones(5))) == ()


def test_spikes_are_found_where_they_are() -> None:
    g = np.random.default_rng(0)
    curve = 2.3 * power(600) * batches(g, 600, 0.1)
    assert spikes(series(curve)) == ()
    curve[[200, 450]] *= 30
    assert spikes(series(curve)) == (200, 450)


# Logs --------------------------------------------------------------------------------------------
def log(values: np.ndarray, steps: np.ndarray | None = None) -> Record:
    """As a reader of log files makes it: no program, no backward pass, an end that is not known."""
    made = record(values, steps=steps, end=EndKind.KILLED)
    made._facts.clear()
    made.hold(Log("log.csv", "CSV", "loss", None, "step", "step", len(values)))
    return made


@pytest.mark.parametrize("epochs", [10, 20, 50])
def test_a_log_of_epochs_is_judged_by_few_points(epochs: int) -> None:
    g = np.random.default_rng(0)
    curve = 2.3 * power(epochs) * batches(g, epochs, 0.01)
    assert judge(log(curve)).kind is OutcomeKind.LEARNING
    short = judge(log(curve[:5]))
    assert short.kind is OutcomeKind.TOO_SHORT
    assert short.more_points == 3


def test_a_resumed_run_is_judged_by_what_it_did_over() -> None:
    values, steps = np.array([5.0, 4, 3, 9, 9, 2, 1]), np.array([0, 1, 2, 3, 4, 3, 4])
    kept = in_order(series(values, steps))
    assert kept.steps.tolist() == [0, 1, 2, 3, 4]
    assert kept.values.tolist() == [5, 4, 3, 2, 1]
    newest_first = in_order(series(values[:3], steps[:3][::-1]))
    assert newest_first.values.tolist() == [3, 4, 5]


def test_a_curve_read_backwards_is_no_longer_learning() -> None:
    g = np.random.default_rng(0)
    curve = (2.3 * power(400) * batches(g, 400, 0.1))[::-1]
    assert judge(record(curve)).kind in (OutcomeKind.BROKEN, OutcomeKind.DIVERGED)


def test_what_the_curve_of_a_log_did_is_said() -> None:
    g = np.random.default_rng(0)
    curve = np.r_[2.3 * np.exp(-np.arange(200) / 30) + 0.5, np.full(300, 0.5)]
    curve *= batches(g, 500, 0.03)
    curve[300] = 9.0
    made = log(curve)
    said = " ".join(remarks(made))
    assert "then flat from 0.5" in said
    assert "at step 300" in said
    assert set(remarks(made)) <= set(diagnose(made).remarks)
    assert not remarks(record(curve))


def test_a_slow_beginning_is_no_plateau() -> None:
    """Cross-entropy that has begun to fall from its plateau, slowly but surely."""
    g, u = np.random.default_rng(0), np.arange(120)
    made = record(2.33 - 0.14 * (u / 120) ** 1.2 + 0.02 * g.standard_normal(120), None, 2.303)
    made._facts.clear()
    made.hold(Backward(None), End(EndKind.FINISHED))
    assert judge(made).kind is OutcomeKind.LEARNING
