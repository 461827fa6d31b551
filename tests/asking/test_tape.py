"""A step is computed again from the notes that were taken of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from unstuck.asking.bench import step_of
from unstuck.asking.flow import follow
from unstuck.asking.reading import columns, skill
from unstuck.asking.tape import Batch, Tape, play
from unstuck.observe.source.sites import Sites
from unstuck.observe.swap import swap


@pytest.fixture
def tape() -> Iterator[Tape]:
    made = Tape(Sites(None, True))
    swapped = swap(nn.Module._wrapped_call_impl, made.model_call)
    try:
        with made:
            yield made
    finally:
        swapped.undo()


def noted(tape: Tape, loss: torch.Tensor) -> Batch:
    batch = tape.batch(loss, None)
    assert batch is not None
    tape.on = False
    return batch


def test_a_step_with_dropout_and_a_formula_is_computed_again(tape: Tape) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    scale = torch.nn.Parameter(torch.tensor(2.0))
    x, y = torch.randn(16, 4), torch.randn(16)
    out = model(x)
    error = out.squeeze(1) * scale - y
    loss = (error ** 2).mean() + 0.1 * model[0].weight.norm()
    batch = noted(tape, loss)
    again = play(batch, exact=True)[batch.loss]
    assert torch.equal(again, loss)
    step = step_of(batch)
    (given,) = step.inputs
    assert torch.equal(batch.constants[given], x)
    assert step.target is not None
    assert torch.equal(batch.constants[step.target], y)
    again.backward()
    assert scale.grad is not None
    assert model[0].weight.grad is not None


def test_writing_in_place_and_models_without_gradients_are_noted(tape: Tape) -> None:
    torch.manual_seed(0)
    teacher, student = nn.Linear(3, 2), nn.Linear(3, 2)
    x = torch.randn(8, 3)
    with torch.no_grad():
        wanted = teacher(x)
    out = student(x)
    out[:2] = 0.0
    loss = nn.functional.mse_loss(out, wanted)
    batch = noted(tape, loss)
    assert torch.equal(play(batch)[batch.loss], loss)
    given = step_of(batch).inputs[0]
    other = play(batch, {given: torch.zeros(8, 3)})[batch.loss]
    assert not torch.equal(other, loss)


def test_initialising_is_not_part_of_a_step(tape: Tape) -> None:
    model = nn.Embedding(5, 3, padding_idx=0)
    nn.init.normal_(model.weight)
    loss = model(torch.tensor([1, 2])).sum()
    batch = noted(tape, loss)
    assert len(batch.instructions) == 2


def test_values_are_followed_into_layers(tape: Tape) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
    loss = nn.functional.cross_entropy(model(x), y)
    batch = noted(tape, loss)
    step = step_of(batch)
    flow = follow(batch, step.inputs, tape.sites, lambda module: None)
    values, slots = flow.values, flow.slots
    names = [each.name for each in values]
    assert names == ["input", "linear", "relu", "linear", "cross_entropy"]
    assert values[1].could
    assert values[1].learns
    assert values[1].used == tuple(id(p) for p in model[0].parameters())
    assert torch.equal(slots[batch.loss], loss)


def test_what_a_value_tells_of_the_target() -> None:
    torch.manual_seed(0)
    labels = torch.arange(200) % 4
    wanted = columns(labels, classes=True)
    assert wanted.shape == (200, 4)
    noise = torch.randn(200, 20, dtype=torch.float64)
    assert skill(noise, wanted) < 0.05
    assert skill(torch.cat([noise[:, :5], 3 * wanted], 1), wanted) > 0.9
    ring = torch.randn(200, 2, dtype=torch.float64)
    inside = columns((ring.norm(dim=1) < 1.2).long(), classes=True)
    assert skill(ring, inside) > 0.5, "by a kernel"
    assert skill(1e3 + 1e-4 * wanted, wanted) == 0.0, "differences that no network sees"
    assert skill(torch.full((200, 3), 1.0, dtype=torch.float64), wanted) == 0.0
