"""What the best prediction that ignores the input costs, against one that is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from unstuck.observe.probes.constant import ConstantLoss

Loss = Callable[..., torch.Tensor]


class AtOnce:
    """Reads numbers where they are asked for."""

    def read(self, numbers: Any, then: Callable[[Any], None]) -> None:
        then(numbers)


def fitted(loss: Loss, targets: torch.Tensor, columns: int, options: dict[str, Any]) -> float:
    constant = torch.zeros(columns, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=300, tolerance_change=1e-12)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        given = constant.expand(len(targets), columns)
        value = loss(given[:, 0] if targets.ndim == 1 and columns == 1 else given, targets,
                     **options)
        value.backward()
        return value

    optimizer.step(closure)
    return closure().item()


def computed(loss: Loss, given: torch.Tensor, targets: torch.Tensor, options: dict[str, Any]
             ) -> float:
    found: list[float] = []
    constant = ConstantLoss(loss.__name__, loss, (given, targets), options)
    constant.add((given, targets), AtOnce())
    constant.ask(AtOnce(), found.append)
    (value,) = found
    return value


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weights_of_classes_count_as_the_loss_counts_them(reduction: str) -> None:
    torch.manual_seed(0)
    labels = torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 2000, replacement=True)
    options = {"weight": torch.tensor([1.0, 5.0, 3.0]), "reduction": reduction}
    assert computed(F.cross_entropy, torch.zeros(2000, 3), labels, options) == pytest.approx(
        fitted(F.cross_entropy, labels, 3, options), rel=1e-4)


@pytest.mark.parametrize("weight", [torch.tensor(9.0), torch.tensor([9.0, 0.5])])
def test_weights_of_what_is_right_count_as_the_loss_counts_them(weight: torch.Tensor) -> None:
    torch.manual_seed(1)
    columns = weight.numel()
    right = (torch.rand(2000, columns) < 0.1).float()
    options = {"pos_weight": weight}
    loss = F.binary_cross_entropy_with_logits
    assert computed(loss, torch.zeros(2000, columns), right, options) == pytest.approx(
        fitted(loss, right, columns, options), rel=1e-4)


@pytest.mark.parametrize(("loss", "given", "targets", "options"), [
    (F.cross_entropy, torch.zeros(8, 3), torch.zeros(8, dtype=torch.long),
     {"weight": torch.ones(3, requires_grad=True)}),
    (F.binary_cross_entropy_with_logits, torch.zeros(8, 5, 2), torch.zeros(8, 5, 2),
     {"pos_weight": torch.ones(2)}),
], ids=["that learn", "of the last axis"])
def test_these_weights_are_not_read(
    loss: Loss, given: torch.Tensor, targets: torch.Tensor, options: dict[str, Any]
) -> None:
    constant = ConstantLoss(loss.__name__, loss, (given, targets), options)
    constant.add((given, targets), AtOnce())
    constant.ask(AtOnce(), lambda value: pytest.fail("the constant's loss is not known"))
