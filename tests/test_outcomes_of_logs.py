"""What is said of the curves of logs, where no constant prediction is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from unstuck.curves.outcome import judge
from unstuck.curves.phases import remarks
from unstuck.judge.advice import advice
from unstuck.judge.engine import diagnose
from unstuck.logs.read import records
from unstuck.record.series import Floats
from unstuck.report.logs import Reading
from unstuck.schema.findings import Outcome, OutcomeKind

Numbers = Sequence[float] | Floats


def reading(folder: Path, text: str) -> Reading:
    file = folder / "log"
    file.write_text(text)
    (record,) = records(file)
    return Reading(record, diagnose(record))


def outcome(folder: Path, first: int = 0, **columns: Numbers) -> Outcome:
    """Of a table of these columns; one of fewer rows stands in the last of each stretch."""
    rows = max(map(len, columns.values()))
    lines = ["step," + ",".join(columns)]
    for row in range(rows):
        cells = []
        for values in columns.values():
            every = rows // len(values)
            cells.append("" if (row + 1) % every else f"{values[row // every]:.6f}")
        lines.append(f"{first + row}," + ",".join(cells))
    file = folder / "log"
    file.write_text("\n".join(lines) + "\n")
    (record,) = records(file)
    return judge(record)


def noisy(values: Numbers, by: float, seed: int = 0) -> Floats:
    g = np.random.default_rng(seed)
    return np.asarray(values) * (1 + by * g.standard_normal(len(values)))


def over(n: int, curve: Callable[[Floats], Floats], by: float = 0.003) -> Floats:
    return noisy(curve(np.linspace(0, 1, n)), by)


FALLING = over(60, lambda t: np.exp(-3.5 * t))


@pytest.mark.parametrize("held", [
    [0.7, 0.64, 0.72, 0.81, 0.93],
    [0.68, 0.64, 0.66, 0.63, 0.67], [0.6, 0.7, 0.8, 0.95], [0.8, 0.7, 0.66, 0.74, 0.85, 0.99],
    over(10, lambda t: 0.6 + 0 * t), over(20, lambda t: 0.3 * np.exp(-20 * t) + 0.6),
])
def test_overfitting_shows_in_few_or_flat_held_out_points(tmp_path: Path, held: Numbers) -> None:
    found = outcome(tmp_path, loss=FALLING, val_loss=held)
    assert found.kind is OutcomeKind.OVERFITTING, found.says
    assert found.says.startswith("The held-out loss")


@pytest.mark.parametrize("held", [
    [0.9, 0.5, 0.3, 0.15, 0.08], [0.12, 0.1, 0.09, 0.07, 0.06], [0.6, 0.3, 0.31],
    [0.7, 0.64, 0.6, 0.56, 0.52],
    over(20, lambda t: np.exp(-3 * t) + 0.02),
])
def test_a_held_out_loss_that_follows_is_no_overfitting(tmp_path: Path, held: Numbers) -> None:
    found = outcome(tmp_path, loss=FALLING, val_loss=held)
    assert found.kind is not OutcomeKind.OVERFITTING, found.says


@pytest.mark.parametrize(("last", "by", "kind"), [
    (0.1, 0.0005, OutcomeKind.LEARNING), (0.08, 0.0003, OutcomeKind.LEARNING),
    (0.02, 0.0005, OutcomeKind.CONVERGED),
])
def test_a_slow_fall_counts_if_it_is_certain(
    tmp_path: Path, last: float, by: float, kind: OutcomeKind,
) -> None:
    # Behind a quick fall comes a power of time: of 2.7 %, 2.2 % or 0.6 % in the last quarter.
    losses = over(80, lambda t: 0.3 * np.exp(-40 * t) + 2 * (1 + 30 * t) ** -last, by)
    found = outcome(tmp_path, loss=losses)
    assert found.kind is kind, found.says


@pytest.mark.parametrize(("name", "level", "kind"), [
    ("train_acc", 0.7, OutcomeKind.PLATEAU), ("train_acc", 0.96, OutcomeKind.CONVERGED),
    ("val_accuracy", 65.0, OutcomeKind.PLATEAU), ("auc", 0.97, OutcomeKind.CONVERGED),
    ("bleu", 30.0, OutcomeKind.CONVERGED),
])
def test_a_score_whose_best_is_known_tells_a_plateau_from_an_end(
    tmp_path: Path, name: str, level: float, kind: OutcomeKind,
) -> None:
    losses = over(60, lambda t: 0.6 * np.exp(-15 * t) + 0.4)
    scores = over(60, lambda t: level * (1 - 0.8 * np.exp(-15 * t)))
    found = outcome(tmp_path, loss=losses, **{name: scores})
    assert found.kind is kind, found.says
    if name != "bleu":
        best = "100" if level > 1 else "1"
        assert f"'{name}' ends at" in found.says
        assert f"; the best is {best})" in found.says


def test_a_score_is_spoken_of_as_one(tmp_path: Path) -> None:
    stuck = outcome(tmp_path, acc=over(60, lambda t: 0.6 - 0.5 * np.exp(-15 * t)))
    assert stuck.kind is OutcomeKind.PLATEAU
    assert stuck.says.startswith("The score rose from 0.")
    assert stuck.says.endswith("(the best is 1).")
    rising = outcome(tmp_path, acc=over(60, lambda t: 0.1 + 0.6 * t))
    assert rising.says.startswith("The score rose from 0.1")
    assert "and is still rising, from 0.5" in rising.says
    lower = outcome(tmp_path, acc=over(60, lambda t: 0.8 - 0.6 * t))
    assert lower.kind is OutcomeKind.BROKEN
    assert "ends at 0.2" in lower.says
    assert "below its start (0.7" in lower.says


def test_dl4j_calls_its_loss_a_score(tmp_path: Path) -> None:
    found = reading(tmp_path, "".join(
        f"ScoreIterationListener - Score at iteration {i} is {1.6 * 0.97 ** i}\n"
        for i in range(60)))
    assert not found.log.higher_is_better
    assert found.diagnosis.outcome.kind is OutcomeKind.LEARNING


def test_a_log_that_begins_late_does_not_show_what_was_learned_before(tmp_path: Path) -> None:
    flat = over(60, lambda t: 2.0 + 0 * t)
    late = outcome(tmp_path, first=140_749, loss=flat)
    assert late.kind is OutcomeKind.PLATEAU
    assert late.says == ("The loss has been at 2 since this log begins, at step 140,749. What the "
                         "run did before is not in it.")
    assert outcome(tmp_path, loss=flat).kind is OutcomeKind.NOT_LEARNING


def test_a_quick_fall_in_a_short_log_is_seen(tmp_path: Path) -> None:
    losses = [1.0, 0.62, 0.5, 0.44, 0.41, 0.402, 0.4, 0.401, 0.399, 0.4, 0.402, 0.4]
    assert outcome(tmp_path, loss=losses).kind is OutcomeKind.CONVERGED
    flat = [1.0, 1.02, 0.99, 1.01, 0.98, 1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0]
    assert outcome(tmp_path, loss=flat).kind is OutcomeKind.NOT_LEARNING


@pytest.mark.parametrize(("held", "course"), [
    (lambda t: np.exp(-1.5 * t) + 0.02, "falling"), (lambda t: 0.5 + 0 * t, "flat"),
    (lambda t: 0.4 + 0.12 * t, "rising"),
])
def test_what_is_said_of_the_held_out_loss_is_computed_from_it(
    tmp_path: Path, held: Callable[[Floats], Floats], course: str,
) -> None:
    train, other = over(40, lambda t: np.exp(-1.6 * t) + 0.3), over(40, held)
    found = reading(tmp_path, "step,loss,val_loss\n" + "".join(
        f"{i},{a},{b}\n" for i, (a, b) in enumerate(zip(train, other, strict=True))))
    assert found.course == course
    says = advice(OutcomeKind.LEARNING, True, course=found.course).meaning
    both = "The train and held-out losses are falling, so the network is still learning."
    assert says.startswith(both) is (course == "falling")
    assert (f"But the held-out loss is {course}." in says) is (course != "falling")


# A level that was left ---------------------------------------------------------------------------
def held_then(last: Numbers, n: int = 60) -> Floats:
    """A loss that falls to 0.5, and then goes on so."""
    known = 0.5 + 1.8 * np.exp(-8 * np.linspace(0, 1, n))
    return noisy(np.r_[known[: n - len(last)], last], 0.02)


@pytest.mark.parametrize("last", [
    [2.3] * 20, [1.2] * 10, [2.3] * 5, np.linspace(2.1, 2.4, 12),
])
def test_a_loss_that_left_the_level_it_held_is_broken(tmp_path: Path, last: Numbers) -> None:
    found = outcome(tmp_path, loss=held_then(last))
    assert found.kind is OutcomeKind.BROKEN
    assert "stayed there" in found.says
    assert abs((found.since_step or 0) - (59 - len(last))) <= 1


@pytest.mark.parametrize("last", [0.5 * 1.4 ** np.arange(20), 0.5 * 1.2 ** np.arange(30)])
def test_a_loss_that_explodes_late_has_diverged(tmp_path: Path, last: Floats) -> None:
    assert outcome(tmp_path, loss=held_then(last)).kind is OutcomeKind.DIVERGED


@pytest.mark.parametrize("last", [
    0.5 + 0.6 * np.exp(-np.arange(16) / 4),  # a warm restart
    0.5 + 0.5 * np.exp(-np.arange(20) / 12),  # a harder part of the data, still being learned
    [0.5] * 10 + [9.0] + [0.5] * 9,  # a spike
    [0.5] * 10 + [2.3] * 5 + [0.5] * 5,  # it came back
    *(np.tile(0.5 + 0.1 * np.arange(k), 40 // k) for k in (4, 8)),  # a cyclic schedule
])
def test_what_comes_back_is_not_broken(tmp_path: Path, last: Numbers) -> None:
    assert outcome(tmp_path, loss=held_then(last)).kind not in (
        OutcomeKind.BROKEN, OutcomeKind.DIVERGED)


# Held-out data alone, and what is spoken of ------------------------------------------------------
def test_held_out_data_alone_that_rise_mean_overfitting(tmp_path: Path) -> None:
    t = np.linspace(0, 1, 40)
    found = outcome(tmp_path, val_loss=noisy(0.5 * np.exp(-12 * t) + 0.5 + 0.6 * t, 0.005))
    assert found.kind is OutcomeKind.OVERFITTING
    assert found.confidence <= 0.5
    assert "held-out" in found.says
    assert "train" not in found.says


def test_the_phases_of_a_score_are_those_of_a_score(tmp_path: Path) -> None:
    lines = [f"{i},{0.8 - 0.6 * 2 ** (-i / 4):.4f}" for i in range(60)]
    file = tmp_path / "log"
    file.write_text("epoch,acc\n" + "\n".join(lines) + "\n")
    (record,) = records(file)
    says = " ".join(remarks(record))
    assert "The train score was rising from 0." in says
    assert "falling" not in says


def test_a_loss_that_grows_from_its_first_value_on_is_judged(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(
        f"step {step}: loss {2.0**step:.1f}\n" for step in range(14)))
    (found,) = records(tmp_path / "log")
    assert judge(found).kind is OutcomeKind.DIVERGED


def test_a_loss_that_halves_as_fast_as_ever_has_not_converged(tmp_path: Path) -> None:
    curve = over(41, lambda t: 2 * np.exp(-6.5 * t), 0.05)
    found = outcome(tmp_path, train_loss=curve)
    assert found.kind is OutcomeKind.LEARNING
    record, = records(tmp_path / "log")
    assert not any("flat" in says for says in remarks(record))
    bends = over(41, lambda t: 2 * np.exp(-9 * t) + 0.006, 0.05)
    assert outcome(tmp_path, train_loss=bends).kind is OutcomeKind.CONVERGED
    gone = over(41, lambda t: 2 * np.exp(-12 * t), 0.05)
    assert outcome(tmp_path, train_loss=gone).kind is OutcomeKind.CONVERGED


def test_of_a_short_run_the_points_are_named_over_which_it_fell(tmp_path: Path) -> None:
    found = outcome(tmp_path, train_loss=over(16, lambda t: 2 - t))
    assert found.says.endswith("over the last 8 points.")


# Scores of held-out data -------------------------------------------------------------------------
RISES_THEN_FALLS = over(60, lambda t: 0.6 * np.minimum(t / 0.3, 1) - 0.25 * np.maximum(t - 0.3, 0))


def test_a_held_out_score_that_falls_from_its_best_is_overfitting(tmp_path: Path) -> None:
    found = outcome(tmp_path, train_loss=FALLING, valid_score=RISES_THEN_FALLS,
                    valid_ndcg=RISES_THEN_FALLS / 2)
    assert found.kind is OutcomeKind.OVERFITTING
    assert found.says.startswith("'valid_score' fell from its best, 0.5")
    assert found.since_step == pytest.approx(18, abs=3)


def test_so_is_a_held_out_loss_that_is_of_another_scale(tmp_path: Path) -> None:
    found = outcome(tmp_path, Cost=FALLING, valid_cross_entropy=200 - 100 * RISES_THEN_FALLS)
    assert found.kind is OutcomeKind.OVERFITTING
    assert found.says.startswith("'valid_cross_entropy' rose from its best, 140 at step ")


@pytest.mark.parametrize(("score", "other"), [
    (over(60, lambda t: 0.6 * np.minimum(t / 0.3, 1), 0.03), None),  # flat
    (over(60, lambda t: 0.6 - 0.2 * t), None),  # it may count errors
    (np.r_[0.6 * np.linspace(0, 1, 30), np.full(30, 0.1)], None),  # something broke
    (RISES_THEN_FALLS, over(60, lambda t: 0.5 * t)),  # another score still rises
])
def test_other_held_out_scores_are_not(
    score: Floats, other: Floats | None, tmp_path: Path,
) -> None:
    more = {} if other is None else {"valid_recall": other}
    found = outcome(tmp_path, train_loss=FALLING, valid_score=score, **more)
    assert found.kind is not OutcomeKind.OVERFITTING


def test_nor_is_one_beside_a_train_loss_that_has_ended(tmp_path: Path) -> None:
    ended = over(60, lambda t: 0.2 + np.exp(-20 * t))
    found = outcome(tmp_path, train_loss=ended, valid_score=RISES_THEN_FALLS)
    assert found.kind is not OutcomeKind.OVERFITTING


@pytest.mark.parametrize(("level", "kind"), [
    (0.58, OutcomeKind.PLATEAU), (58, OutcomeKind.PLATEAU), (0.04, OutcomeKind.CONVERGED)])
def test_a_rate_of_errors_says_what_a_flat_loss_has_come_to(
    level: float, kind: OutcomeKind, tmp_path: Path,
) -> None:
    loss = over(60, lambda t: 2 + np.exp(-12 * t))
    errors = over(60, lambda t: level * (1 + 0.5 * np.exp(-12 * t)))
    found = outcome(tmp_path, train_loss=loss, CER=errors)
    assert found.kind is kind
    assert "the best is 0)" in found.says


def test_a_few_held_out_losses_that_all_fall_show_that_a_run_still_learns(tmp_path: Path) -> None:
    flat = over(120, lambda t: 1 + np.exp(-12 * t), 0.03)
    assert outcome(tmp_path, loss=flat).kind is OutcomeKind.CONVERGED
    found = outcome(tmp_path, loss=flat, eval_loss=[1.3, 1.17, 1.08, 1.04, 1.01, 0.98, 0.96, 0.94])
    assert found.kind is OutcomeKind.LEARNING
    assert "the held-out loss is still falling, by 6.9 %" in found.says
