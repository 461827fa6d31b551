"""Which column is what, where the points stand, and runs that were resumed."""

from __future__ import annotations

import numpy as np
import pytest

from unstuck.logs.axis import axis_of
from unstuck.logs.names import Kind, Part, name_of
from unstuck.logs.roles import Choice, Roles, assign
from unstuck.logs.table import Column, Table, UnusableLog


def table(**columns: list[float | None]) -> Table:
    """A table; None is a cell without a number."""
    rows = max(map(len, columns.values()))
    made = {}
    for name, cells in columns.items():
        kept = [(i, cell) for i, cell in enumerate(cells) if cell is not None]
        made[name] = Column(name, np.array([i for i, _ in kept]),
                            np.array([cell for _, cell in kept], dtype=np.float64))
    return Table("test", made, rows)


def roles(made: Table, choice: Choice = Choice()) -> Roles:  # noqa: B008
    return assign(made, choice, "file")


@pytest.mark.parametrize(("name", "kind", "part"), [
    ("loss", Kind.LOSS, Part.UNSAID), ("val_loss", Kind.LOSS, Part.HELD_OUT),
    ("trainLoss", Kind.LOSS, Part.TRAIN), ("valloss", Kind.LOSS, Part.HELD_OUT),
    ("Loss/test", Kind.LOSS, Part.HELD_OUT), ("train/global_step", Kind.STEP, Part.TRAIN),
    ("eval/cross entropy", Kind.LOSS, Part.HELD_OUT), ("dev ppl", Kind.LOSS, Part.HELD_OUT),
    ("val_acc", Kind.SCORE, Part.HELD_OUT), ("Acc@1", Kind.SCORE, Part.UNSAID),
    ("negative_log_likelihood", Kind.LOSS, Part.UNSAID), ("elbo", Kind.SCORE, Part.UNSAID),
    ("lr-Adam", Kind.RATE, Part.UNSAID), ("learning_rate", Kind.RATE, Part.UNSAID),
    ("_step", Kind.STEP, Part.UNSAID), ("Epoch", Kind.EPOCH, Part.UNSAID),
    ("grad_norm", Kind.OTHER, Part.UNSAID), ("loss_scale", Kind.OTHER, Part.UNSAID),
    ("best_val_loss", Kind.OTHER, Part.HELD_OUT), ("batch_size", Kind.OTHER, Part.UNSAID),
    ("Validierungsverlust", Kind.LOSS, Part.HELD_OUT), ("Lernrate", Kind.RATE, Part.UNSAID),
    ("perte d'entraînement", Kind.LOSS, Part.TRAIN), ("l'époque", Kind.EPOCH, Part.UNSAID),
    ("pérdida de validación", Kind.LOSS, Part.HELD_OUT), ("验证损失", Kind.LOSS, Part.HELD_OUT),
    ("taux d'apprentissage", Kind.RATE, Part.UNSAID), ("потери", Kind.LOSS, Part.UNSAID),
    ("ошибка на проверке", Kind.LOSS, Part.HELD_OUT), ("точности", Kind.SCORE, Part.UNSAID),
    ("perdita convalida", Kind.LOSS, Part.HELD_OUT), ("tloss", Kind.LOSS, Part.TRAIN),
    ("loglik", Kind.SCORE, Part.UNSAID), ("neg_loglik", Kind.LOSS, Part.UNSAID),
    ("_timestamp", Kind.OTHER, Part.UNSAID), ("eval_samples_per_second", Kind.OTHER, Part.HELD_OUT),
])
def test_names(name: str, kind: Kind, part: Part) -> None:
    found = name_of(name)
    assert (found.kind, found.part) == (kind, part)


def test_the_whole_loss_comes_before_its_parts() -> None:
    found = roles(table(box_loss=[1, 2, 3], loss=[1, 2, 3], val_box_loss=[1, 2], val_loss=[1, 2],
                        test_loss=[1, 2]))
    assert (found.train.name, found.held_out and found.held_out.name) == ("loss", "val_loss")


def test_two_letters_name_the_data_and_what_is_measured() -> None:
    found = roles(table(epoch=[1, 2, 3], tl=[1, 0.8, 0.7], vl=[1, 0.9, 0.9]))
    assert (found.train.name, found.held_out and found.held_out.name) == ("tl", "vl")


def test_a_held_out_score_is_no_held_out_loss() -> None:
    assert roles(table(train_loss=[1, 2], val_acc=[0.1, 0.2])).held_out is None


def test_scores_serve_where_there_is_no_loss() -> None:
    found = roles(table(acc=[0.1, 0.2], val_acc=[0.1, 0.2]))
    assert found.higher
    assert found.held_out is not None


@pytest.mark.parametrize("rises", [True, False])
def test_a_nameless_curve_is_told_by_its_behaviour(rises: bool) -> None:
    values = [0.1 + 0.08 * i for i in range(10)]
    found = roles(table(quality=list(values if rises else values[::-1])))
    assert found.higher is rises
    assert any("--lower-is-better" in says for says in found.remarks) is rises


def test_the_user_has_the_last_word() -> None:
    made = table(loss=[1, 2], a=[3, 4], B=[5, 6])
    found = roles(made, Choice("a", "b", True))
    assert (found.train.name, found.held_out and found.held_out.name, found.higher) == (
        "a", "B", True)
    with pytest.raises(UnusableLog, match="did you mean 'loss'"):
        roles(made, Choice("lost"))


def test_a_curve_that_was_printed_twice_is_no_held_out_curve() -> None:
    values = [4.28671, 3.817888, 3.501993, 3.1712, 2.98, 2.7123, 2.5, 2.31111, 2.2]
    rounded = [float(f"{v:.3g}") for v in values]
    found = roles(table(loss=rounded, eval_loss=values))
    assert found.held_out is None
    assert any("holds the numbers of 'loss' again" in says for says in found.remarks)
    other = [v * 1.01 for v in values]
    assert roles(table(loss=rounded, eval_loss=other)).held_out is not None
    flat = [0.693] * 12
    assert roles(table(loss=flat, eval_loss=flat)).held_out is not None


@pytest.mark.parametrize("base", [np.e, 2.0])
def test_a_held_out_perplexity_is_compared_as_a_loss(base: float) -> None:
    losses = [5.0 - 0.2 * i for i in range(12)]
    own = [float(base**v) for v in losses]
    found = roles(table(xent=losses, ppl=own, valid_ppl=own))
    assert found.train.name == "xent"
    assert found.held_out is not None
    assert np.allclose(found.held_out.values, losses)


def test_zeros_beside_nan_are_nan() -> None:
    losses = [1.0, 0.8, 0.7, 0.6, 0.0, 0.0, 0.0]
    sick = [1.0, 1.0, 1.0, 1.0, np.nan, np.nan, np.nan]
    found = roles(table(loss=list(losses), grad_norm=list(sick)))
    assert np.isnan(found.train.values[4:]).all()
    found = roles(table(loss=list(losses), val_loss=list(sick)))
    assert np.isnan(found.train.values[4:]).all()
    assert roles(table(loss=list(losses), grad_norm=[1.0] * 7)).train.values[-1] == 0
    assert roles(table(loss=[*losses, 0.5], grad_norm=[*sick, 1.0])).train.values[4] == 0


def test_held_out_data_alone_are_judged_and_said_to_be() -> None:
    found = roles(table(epoch=[0, 1, 2], val_loss=[1.0, 0.8, 0.7], val_acc=[0.1, 0.2, 0.3]))
    assert (found.train.name, found.held_out, found.of_held_out) == ("val_loss", None, True)
    assert not roles(table(loss=[1.0, 0.8], val_loss=[1.0, 0.9])).of_held_out


def test_no_time_and_no_size_is_judged() -> None:
    with pytest.raises(UnusableLog, match="it is not clear"):
        roles(table(epoch=[0, 1, 2], seconds=[1.0, 2.0, 4.0]))


# Axes --------------------------------------------------------------------------------------------
def steps(made: Table, name: str = "loss") -> tuple[str, list[int]]:
    axis = axis_of(made, made.columns["loss"])
    return axis.unit, axis.series(made.columns[name]).steps.tolist()


def test_steps_come_before_epochs_and_epochs_before_rows() -> None:
    loss: list[float | None] = [4, 3, 2, 1]
    assert steps(table(epoch=[1, 1, 2, 2], step=[10, 20, 30, 40], loss=loss)) == (
        "step", [10, 20, 30, 40])
    assert steps(table(epoch=[1, 2, 3, 4], loss=loss)) == ("epoch", [1, 2, 3, 4])
    assert steps(table(epoch=[1, 1, 1, 2], loss=loss)) == ("row", [0, 1, 2, 3])
    assert steps(table(epoch=[0.25, 0.5, 0.75, 1], loss=loss)) == ("row", [0, 1, 2, 3])
    assert steps(table(loss=loss)) == ("row", [0, 1, 2, 3])


def test_a_counter_within_each_epoch_is_counted_on() -> None:
    made = table(epoch=[1, 1, 1, 2, 2, 2], batch=[0, 10, 20, 0, 10, 20],
                 loss=[6, 5, 4, 3, 2, 1], val_loss=[None, None, 9, None, None, 8])
    assert steps(made) == ("step", [0, 10, 20, 30, 40, 50])
    assert steps(made, "val_loss") == ("step", [20, 50])


def test_a_counter_that_returns_to_its_start_is_told_by_the_loss() -> None:
    counter: list[float | None] = [0, 1, 2, 3] * 3
    goes_on: list[float | None] = [12 - i for i in range(12)]
    assert steps(table(step=counter, loss=goes_on)) == ("step", list(range(12)))
    made = table(step=counter, loss=[4, 3, 2, 1] * 3)
    assert steps(made) == ("step", [0, 1, 2, 3])
    assert "was restarted" in axis_of(made, made.columns["loss"]).remarks[0]


def test_rare_validation_takes_the_step_before_it() -> None:
    made = table(step=[1, 2, None, 3, 4, None], loss=[4, 3, None, 2, 1, None],
                 val_loss=[None, None, 9, None, None, 8])
    assert steps(made, "val_loss") == ("step", [2, 4])


def test_of_a_resumed_run_the_later_points_are_kept() -> None:
    made = table(step=[0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 5, 6, 7],
                 loss=[9, 8, 7, 6, 5, 70, 60, 50, 40, 30, 4, 3, 2],
                 val_loss=[None, 1, None, 2, None, None, 3, None, None, 4, None, 5, None])
    axis = axis_of(made, made.columns["loss"])
    kept = axis.series(made.columns["loss"])
    assert kept.steps.tolist() == list(range(8))
    assert kept.values.tolist() == [9, 8, 70, 60, 50, 4, 3, 2]
    assert axis.series(made.columns["val_loss"]).values.tolist() == [1, 3, 5]
    (says,) = axis.remarks
    assert "goes back from 4 to 2, the first of 2 such jumps." in says
    assert "drops 5 points." in says


def test_the_newest_first_is_turned_round() -> None:
    assert steps(table(step=[5, 4, 3, 2, 1], loss=[1, 2, 3, 4, 5])) == ("step", [1, 2, 3, 4, 5])
