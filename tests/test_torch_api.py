"""What is known of torch's functions is true of the torch that is installed."""

from __future__ import annotations

import inspect
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.utils import data

from unstuck import torch_api
from unstuck.torch_api import LOSSES, LossFunction, Output, Target, target_among

each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@each_loss
def test_the_arguments_are_those_declared(loss: LossFunction) -> None:
    declared = list(inspect.signature(getattr(functional, loss.name)).parameters)
    assert tuple(declared[:len(loss.arguments)]) == loss.arguments


@each_loss
def test_a_loss_broadcasts_as_said(loss: LossFunction) -> None:
    if loss.output is Output.EMBEDDINGS or "target" not in loss.arguments:
        return
    given, target = torch.full((4, 1), 0.5), torch.full((4,), 1.0)
    function = getattr(functional, loss.name)
    more = (torch.ones(4, 1),) if loss.name == "gaussian_nll_loss" else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = function(*[given] * (len(loss.arguments) - 1), target, *more, reduction="none")
        except (ValueError, RuntimeError, IndexError):
            assert not loss.broadcasts
        else:
            assert loss.broadcasts == (found.shape == (4, 4))


TARGETS = {
    Target.CLASSES: torch.tensor([0, 2, 1]),
    Target.SHARES: torch.tensor([[0.2, 0.5, 1.0]] * 3),
    Target.FLAGS: torch.tensor([[0.0, 1.0, 1.0]] * 3),
    Target.VALUES: torch.randn(3, 3), Target.COUNTS: torch.tensor([[0.0, 4.0, 2.0]] * 3),
    Target.PROBABILITIES: torch.full((3, 3), 1 / 3), Target.LABELS: torch.tensor([[1, 0, -1]] * 3),
    Target.SIGNS: torch.tensor([[1.0, -1.0, 1.0]] * 3),
}


@each_loss
def test_a_loss_takes_what_it_is_said_to_take(loss: LossFunction) -> None:
    if "target" not in loss.arguments:
        return
    target = TARGETS[loss.target]
    if loss.output is Output.EMBEDDINGS:
        target = target[0]
    given = torch.rand(3, 3) * 0.5 + 0.25
    more = (torch.ones(3, 3),) if loss.name == "gaussian_nll_loss" else ()
    arguments = [given.clone() for _ in loss.arguments[:-1]]
    found = getattr(functional, loss.name)(*arguments, target, *more, reduction="sum")
    assert torch.isfinite(found)
    assert target_among(loss.name, [*arguments, target]) is target


def test_a_loss_without_targets_has_none() -> None:
    a, b, c = (torch.randn(2, 3) for _ in range(3))
    assert target_among("triplet_margin_loss", (a, b, c)) is None
    assert target_among("mse_loss", (a,)) is None
    assert target_among("hand-written", (a, b)) is None


@pytest.mark.parametrize("name", torch_api.ARGUMENTS)
def test_the_first_arguments_are_those_declared(name: str) -> None:
    homes = (torch.optim, nn, nn.utils, functional, lr_scheduler, data)
    found = next(getattr(home, name) for home in homes if hasattr(home, name))
    if name in ("RNN", "GRU", "LSTM"):  # declared as (*args, **kwargs), passed on to this one
        declared = list(inspect.signature(nn.RNNBase.__init__).parameters)[2:]
    else:
        declared = list(inspect.signature(found).parameters)
    wanted = torch_api.ARGUMENTS[name]
    assert tuple(declared[:len(wanted)]) == wanted
    assert torch_api.position(name, wanted[-1]) == len(wanted) - 1
    assert torch_api.position(name, "nothing") is None


def test_names_exist() -> None:
    for name in torch_api.INITIALISERS:
        assert hasattr(nn.init, name)
    for name in torch_api.SCHEDULERS:
        assert "step" in vars(getattr(lr_scheduler, name))
    loader = data.DataLoader([1, 2], shuffle=True)  # type: ignore[arg-type]
    assert type(loader.sampler).__name__ == torch_api.SHUFFLES
    loader = data.DataLoader([1, 2])  # type: ignore[arg-type]
    assert type(loader.sampler).__name__ == torch_api.IN_ORDER
    assert torch_api.BATCH_NORM in nn.BatchNorm2d.__name__
    assert torch_api.BATCH_NORM in nn.SyncBatchNorm.__name__
    assert all(not getattr(torch, name).is_floating_point for name in torch_api.WHOLE_NUMBERS)
