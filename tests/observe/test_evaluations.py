"""Held-out losses of programs that compute none: what they would be, and when they are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.observe.sources import record_of
from unstuck.observe.probes.association import Association
from unstuck.schema.signals.losses import HELD_OUT_LOSS, SEEN_LOSS

CLASSES = """
torch.manual_seed(0)
x, x_test = torch.randn(96, 6), torch.randn(80, 6)
y, y_test = (x[:, 0] > 0.2).long(), (x_test[:, 0] > 0.2).long()
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
loss_fn = nn.CrossEntropyLoss({loss})
for epoch in range(10):
    for rows in torch.arange(96).split(32):
        optimizer.zero_grad()
        loss_fn(model(x[rows]), y[rows]).backward()
        optimizer.step()
    correct = 0
    with torch.no_grad():
        for inputs, labels in zip(x_test.split(40), y_test.split(40)):
            out = model(inputs)
            predicted = out.argmax(1)
            correct += (predicted == {labels}).sum().item()
    accuracy = correct / 80
    {more}
"""
VALUES = """
torch.manual_seed(0)
x, x_test = torch.randn(96, 6), torch.randn(80, 6)
y, y_test = x[:, :1] - x[:, 1:2], x_test[:, :1] - x_test[:, 1:2]
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(10):
    for rows in torch.arange(96).split(32):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        {evaluation}
"""


def held_out(source: str, folder: Path) -> list[float]:
    record = record_of(source, folder)
    return list(record.series(HELD_OUT_LOSS).values) if record.measured(HELD_OUT_LOSS) else []


@pytest.mark.parametrize("loss", ["", "label_smoothing=0.1", "torch.tensor([1.0, 3.0])"])
def test_counted_predictions_have_the_loss_that_is_trained(tmp_path: Path, loss: str) -> None:
    silent = CLASSES.format(loss=loss, labels="labels", more="")
    own = CLASSES.format(loss=loss, labels="labels", more=(
        "with torch.no_grad(): loss_fn(model(x_test), y_test)"))
    found = held_out(silent, tmp_path / "silent")
    weighted = loss.startswith("torch")  # weighted terms have no mean that batches share
    assert len(found) == (0 if weighted else 10)
    if found:
        np.testing.assert_allclose(found, held_out(own, tmp_path / "own"), rtol=1e-4)


def test_training_data_that_are_scored_have_a_loss_of_their_own(tmp_path: Path) -> None:
    record = record_of(CLASSES.format(loss="", labels="labels", more="""
    with torch.no_grad():
        right = (model(x).argmax(1) == y).sum().item()"""), tmp_path)
    assert len(record.series(SEEN_LOSS)) == len(record.series(HELD_OUT_LOSS)) == 10
    assert record.series(SEEN_LOSS).values[-1] < record.series(SEEN_LOSS).values[0]


def test_labels_of_other_samples_give_no_loss(tmp_path: Path) -> None:
    source = CLASSES.replace("y_test = (x[:, 0] > 0.2).long(), (x_test[:, 0] > 0.2).long()",
                             "y_test = (x[:, 0] > 0.2).long(), torch.randint(2, (80,))")
    # They are compared with nothing.
    assert not held_out(source.format(loss="", labels="0", more=""), tmp_path)


@pytest.mark.parametrize("evaluation", [
    "error = ((model(x_test) - y_test) ** 2).mean().item()",
    "y_pred = model(x_test).squeeze(1); error = (y_pred - y_test[:, 0]).abs().mean()",
])
def test_values_are_compared_with_what_lies_beside_them(tmp_path: Path, evaluation: str) -> None:
    found = held_out(VALUES.format(evaluation=evaluation), tmp_path / "silent")
    own = held_out(VALUES.format(evaluation="F.mse_loss(model(x_test), y_test)"), tmp_path / "own")
    np.testing.assert_allclose(found, own, rtol=1e-5)


def test_the_loss_of_the_program_counts_where_it_computes_one(tmp_path: Path) -> None:
    found = held_out(VALUES.format(
        evaluation="F.l1_loss(model(x_test), y_test)\n"
        "        error = ((model(x_test) - y_test) ** 2).mean()"), tmp_path)
    own = held_out(VALUES.format(evaluation="F.l1_loss(model(x_test), y_test)"), tmp_path / "own")
    np.testing.assert_allclose(found, own)


NOT_PREDICTED = VALUES.replace("x_test[:, :1] - x_test[:, 1:2]", "torch.randn(80, 1)")


def test_values_that_are_not_predicted_give_no_loss(tmp_path: Path) -> None:
    evaluation = "error = torch.cat([model(x_test), y_test], 1).std(1).mean()"
    assert not held_out(NOT_PREDICTED.format(evaluation=evaluation), tmp_path)


@pytest.mark.parametrize("evaluation", [
    "error = (model(x_test) - y_test).abs().mean()",
    "told = model(x_test).squeeze(1); error = (y_test[:, 0] - told).abs().mean()",
])
def test_values_that_the_program_subtracts_give_a_loss_however_far_they_are(
    tmp_path: Path, evaluation: str
) -> None:
    found = held_out(NOT_PREDICTED.format(evaluation=evaluation), tmp_path / "silent")
    own = held_out(NOT_PREDICTED.format(
        evaluation="F.mse_loss(model(x_test), y_test)"), tmp_path / "own")
    np.testing.assert_allclose(found, own, rtol=1e-5)


@pytest.mark.parametrize("evaluation", [
    "told = back(model(x_test)); error = (told - y_test).abs().mean()",
    "told = 9 * model(x_test) + 40; error = (told - y_test).abs().mean()",
    "told = model(x_test); told = 9 * told + 40; error = (told - y_test).abs().mean()",
])
def test_what_is_subtracted_after_it_was_scaled_gives_no_loss(
    tmp_path: Path, evaluation: str
) -> None:
    source = NOT_PREDICTED.replace("for ", "back = lambda told: 9 * told + 40\nfor ", 1)
    assert not held_out(source.format(evaluation=evaluation), tmp_path)


def test_losses_with_weights_of_their_own_are_left_alone(tmp_path: Path) -> None:
    source = CLASSES.format(loss="torch.tensor([1.0, 3.0])", labels="labels", more="")
    other = """
for rows in torch.arange(96).split(32):
    optimizer.zero_grad()
    nn.CrossEntropyLoss(torch.tensor([3.0, 1.0]))(model(x[rows]), y[rows]).backward()
    optimizer.step()
    with torch.no_grad():
        correct = (model(x_test).argmax(1) == y_test).sum().item()
"""
    assert not held_out(source + other, tmp_path)


def test_labels_that_are_no_better_than_shuffled_ones_are_not_believed() -> None:
    generator = torch.Generator().manual_seed(0)
    for classes in (1, 3):
        output = torch.randn(400, classes, generator=generator)
        labels = torch.randint(max(classes, 2), (400,), generator=generator)
        fits = Association(classes)
        fits.add(output, labels)
        assert not fits.is_sure()
        # One in forty, never predicted, and yet ranked above the others.
        rare = (torch.arange(400) % 40 == 0).long()
        output[rare == 1] += torch.tensor([[-3.0, 3.0, 0.0]])[:, :classes] * (-1) ** (classes == 1)
        fits = Association(classes)
        for rows in torch.arange(400).split(70):
            fits.add(output[rows] + 9.0, rare[rows])
        assert fits.is_sure()
        unlabelled = Association(classes)
        unlabelled.add(output + 9.0, torch.where(torch.arange(400) % 7 == 0, -100, rare))
        assert unlabelled.is_sure()
        few = Association(classes)
        few.add(output[rare == 1], rare[rare == 1])
        assert not few.is_sure()


INDEXED = """
torch.manual_seed(0)
x = torch.randn(180, 6)
y = (x[:, 0] > 0.2).long()
kept, held = torch.arange(96), {held}
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(10):
    for rows in kept.split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        print((model(x[held]).argmax(1) == y[held]).float().mean())
    {more}
"""


@pytest.mark.parametrize("index", [
    "torch.arange(100, 180)", "torch.arange(180) >= 100", "slice(100, 180)",
    "torch.arange(100, 180).numpy()"])
def test_labels_that_are_taken_by_the_index_of_the_input_are_found(
    tmp_path: Path, index: str
) -> None:
    found = held_out(INDEXED.format(held=index, more=""), tmp_path / "silent")
    own = held_out(INDEXED.format(held=index, more=(
        "with torch.no_grad(): nn.functional.cross_entropy(model(x[held]), y[held])")),
        tmp_path / "own")
    assert len(found) == 10
    assert found == pytest.approx(own, rel=1e-5)


SLICED = """
torch.manual_seed(0)
x = torch.randn(180, 6)
y = x[:, :1] - x[:, 1:2]
cut = 100
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(10):
    for rows in torch.arange(100).split(25):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        {evaluation}
"""


@pytest.mark.parametrize("part", ["cut:", "100:", "cut:180"])
def test_values_that_are_cut_as_the_input_is_are_found(tmp_path: Path, part: str) -> None:
    found = held_out(SLICED.format(
        evaluation=f"told = model(x[{part}]); print((told - y[{part}]).abs().mean())"),
        tmp_path / "silent")
    own = held_out(SLICED.format(
        evaluation="nn.functional.mse_loss(model(x[cut:]), y[cut:])"), tmp_path / "own")
    assert len(found) == 10
    assert found == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize("evaluation", [
    "told = model(x[cut:].clone()); print((told - y[cut:]).abs().mean())",
    "told = model(x[cut:].clone())[:, 0].unsqueeze(1).numpy(); print(told.mean())",
    "predicted = 2 * model(x[cut:].clone()); print(predicted.mean())",
], ids=["itself", "as an array", "scaled"])
def test_what_a_model_has_put_out_before_is_no_answer(tmp_path: Path, evaluation: str) -> None:
    assert not held_out(SLICED.format(evaluation=evaluation), tmp_path)
