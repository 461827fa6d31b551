"""How far the gradients of two steps agree, against gradients that are known."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import unstuck
from unstuck.observe.probes import gradient_noise
from unstuck.record.reader import Record, read_record
from unstuck.record.series import Floats
from unstuck.schema.signals.parameters import GRADIENT_PRODUCT, GRADIENT_SQUARE

STEPS = 60


def descend(gradients: Callable[[int], Tensor], folder: Path, steps: int = STEPS) -> Record:
    """Trains on a loss whose gradient at each step is given; the rate is nearly zero."""
    with unstuck.watch(folder, overhead=1e9):
        model = nn.Linear(8, 1, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
        for step in range(steps):
            optimizer.zero_grad()
            model(gradients(step).unsqueeze(0)).sum().backward()
            optimizer.step()
    return read_record(folder)


def pairs(record: Record) -> tuple[Floats, Floats]:
    (products,), (squares,) = (
        list(record.series(signal).values()) for signal in (GRADIENT_PRODUCT, GRADIENT_SQUARE))
    assert products.steps.tolist() == squares.steps.tolist()
    return products.values, squares.values


def test_gradients_without_noise_agree_wholly(tmp_path: Path) -> None:
    products, squares = pairs(descend(lambda _: torch.arange(1.0, 9.0), tmp_path))
    assert products == pytest.approx(1.0)
    assert squares == pytest.approx(1.0)


def test_an_optimizer_that_is_made_anew_for_each_step_goes_on(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=1e9):
        model = nn.Linear(8, 1, bias=False)
        for _ in range(STEPS):
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
            model.zero_grad()
            model(torch.ones(1, 8)).sum().backward()
            optimizer.step()
    found = read_record(tmp_path).series(GRADIENT_PRODUCT).values()
    # A pair is lost where a new optimizer lies at the address of one that is gone: by chance.
    assert sum(len(each.values) for each in found) >= STEPS // 2


def test_steps_that_undo_each_other_disagree(tmp_path: Path) -> None:
    products, _ = pairs(descend(lambda step: torch.ones(8) * (-1.0) ** step, tmp_path))
    assert products == pytest.approx(-1.0)


def test_the_larger_gradient_is_the_unit(tmp_path: Path) -> None:
    products, squares = pairs(descend(lambda step: torch.ones(8) * 10.0 ** (step % 2), tmp_path))
    assert products == pytest.approx(0.1)
    assert squares == pytest.approx((1 + 0.01) / 2)


def test_the_noise_scale_of_a_known_gradient(tmp_path: Path) -> None:
    """Slope 1 and noise of variance 1 a direction, by eight: agreement 1 / (1 + 8 / B)."""
    generator = torch.Generator().manual_seed(3)
    slope = torch.zeros(8)
    slope[0] = 1.0
    batch = 32
    record = descend(
        lambda _: slope + torch.randn(batch, 8, generator=generator).mean(dim=0), tmp_path, 1500)
    products, squares = pairs(record)
    assert len(products) >= 12
    assert products.sum() / squares.sum() == pytest.approx(1 / (1 + 8 / batch), abs=0.15)


@pytest.mark.parametrize(("elements", "total", "known"), [(3, 100, 3), (8, 7, 0)])
def test_so_much_and_no_more_is_kept(
    elements: int, total: int, known: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_noise, "ELEMENT_LIMIT", elements)
    monkeypatch.setattr(gradient_noise, "TOTAL_LIMIT", total)
    # Only the first three directions agree.
    same = torch.tensor([1.0] * 3 + [0.0] * 5)
    turning = 1 - same
    record = descend(lambda step: same + turning * (-1.0) ** step, tmp_path)
    if known:
        assert pairs(record)[0] == pytest.approx(1.0)
    else:
        assert not record.measured(GRADIENT_PRODUCT)


def test_only_steps_of_one_optimizer_are_compared(tmp_path: Path) -> None:
    turn = count()
    with unstuck.watch(tmp_path, overhead=1e9):
        models = [nn.Linear(4, 1), nn.Linear(4, 1)]
        optimizers = [torch.optim.SGD(model.parameters(), lr=0.01) for model in models]
        for _ in range(STEPS):
            which = next(turn) % 2
            optimizers[which].zero_grad()
            models[which](torch.ones(2, 4)).sum().backward()
            optimizers[which].step()
    record = read_record(tmp_path)
    assert not record.measured(GRADIENT_PRODUCT)


def descend_within(closure: bool, folder: Path) -> Record:
    torch.manual_seed(0)
    with unstuck.watch(folder, overhead=1e9):
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)

        def evaluate() -> float:
            optimizer.zero_grad()
            loss = model(torch.randn(2, 4)).square().mean()
            loss.backward()
            return float(loss.item())

        for _ in range(STEPS):
            if closure:
                optimizer.step(evaluate)
            else:
                evaluate()
                optimizer.step()
    return read_record(folder)


def test_the_gradient_of_a_closure_is_that_of_its_first_evaluation(tmp_path: Path) -> None:
    open_, closed = (pairs(descend_within(c, tmp_path / str(c))) for c in (False, True))
    assert [each.tolist() for each in open_] == [each.tolist() for each in closed]


def test_a_closure_that_adds_to_a_gradient_is_let_be(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=1e9):
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def closure() -> float:
            loss = model(torch.ones(2, 4)).square().mean()
            loss.backward()
            return float(loss.item())

        for _ in range(STEPS):
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step(closure)
            optimizer.zero_grad()
    assert not read_record(tmp_path).measured(GRADIENT_PRODUCT)


def test_what_is_kept_holds_no_parameter(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path, overhead=1e9):
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()  # its gradient is kept for the next step, which never comes
        gone = weakref.ref(model.weight)
        del model, optimizer
        gc.collect()
        assert gone() is None
