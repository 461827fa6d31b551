"""Errors of torch that end a training are answered with what to do about them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from unstuck.judge.crashes import KNOWN, advice_on
from unstuck.schema.facts.run import End, EndKind


def in_place() -> None:
    h = torch.sigmoid(torch.ones(3, requires_grad=True))
    h += 1
    h.sum().backward()


def leaf() -> None:
    weight = torch.ones(3, requires_grad=True)
    weight -= 0.1


def replaced() -> None:
    weight = torch.ones(3, requires_grad=True)
    (weight * 2).sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the gradient of no leaf is read
        weight = weight - 0.1 * weight.grad
        weight.grad.zero_()


def ragged() -> None:
    next(iter(DataLoader([torch.ones(2), torch.ones(3)], batch_size=2)))  # type: ignore[arg-type]


def graph() -> None:
    nn.Linear(2, 2)(torch.ones(1, 2)).detach().sum().backward()


ERRORS: dict[str, tuple[Callable[[], object], str]] = {
    "leaf": (leaf, "no_grad()"),
    "in place": (in_place, "x = x + y"),
    "several numbers": (lambda: nn.Linear(2, 2)(torch.ones(3, 2)).backward(), "loss.mean()"),
    "no graph": (graph, "depends on no weight"),
    "features": (lambda: nn.Linear(9, 2)(torch.ones(3, 16)), "expects 9 features and was given 16"),
    "channels": (lambda: nn.Conv2d(3, 4, 3)(torch.ones(2, 1, 8, 8)),
                 "expects 3 channels and was given 1"),
    "two types": (lambda: nn.Linear(2, 2)(torch.ones(3, 2).double()), ".float()"),
    "type of labels": (lambda: F.cross_entropy(torch.ones(3, 2), torch.ones(3)), ".long()"),
    "sizes": (lambda: torch.ones(3) + torch.ones(4), "sizes 3 and 4"),
    "rows": (lambda: F.cross_entropy(torch.ones(6, 2), torch.ones(3).long()),
             "6 rows for 3 targets"),
    "no gradient": (replaced, "A gradient is None"),
    "vocabulary": (lambda: nn.Embedding(5, 2)(torch.tensor([5])), "embedding"),
    "keys": (lambda: nn.Linear(2, 2).load_state_dict({"module.weight": torch.ones(2, 2)}),
             "module."),
    "ragged": (ragged, "collate_fn"),
    "view": (lambda: torch.ones(2, 3).t().view(6), "reshape()"),
    "numpy": (lambda: torch.ones(2, requires_grad=True).numpy(), "detach().numpy()"),
    "empty": (lambda: torch.optim.SGD([], lr=0.1), "ModuleList"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_torch_is_answered(name: str) -> None:
    run, says = ERRORS[name]
    with pytest.raises((RuntimeError, ValueError, AttributeError, IndexError)) as caught:
        run()
    message = str(caught.value).splitlines()[0]
    told = advice_on(End(EndKind.EXCEPTION, 1, type(caught.value).__name__, message))
    assert told is not None
    assert says in told, (message, told)


@pytest.mark.parametrize("words", KNOWN.values())
def test_an_answer_is_a_sentence(words: str) -> None:
    assert words.endswith(".")


def test_an_error_that_nobody_knows_is_to_be_mended() -> None:
    assert advice_on(End(EndKind.EXCEPTION, 1, "KeyError", "'x'")) == (
        "Mend the KeyError first: what was trained until then is judged.")
    assert advice_on(End(EndKind.FINISHED)) is None
