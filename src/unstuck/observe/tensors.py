"""What may be measured of a tensor, and how to get numbers off their device."""

from __future__ import annotations

import math
import weakref
from typing import TypeGuard

import torch
from torch.optim.optimizer import Optimizer

MARKED = 1_000


def is_plain(value: object) -> TypeGuard[torch.Tensor]:
    """Whether a value is a tensor with numbers, and one that torch itself handles.

    A subclass with a `__torch_dispatch__` of its own (a distributed tensor, a fake one, a counting
    wrapper) may have no numbers of its own: reducing one past its handler would crash the process.
    """
    kind = type(value)
    plain = kind is torch.Tensor or kind is torch.nn.Parameter or (
        issubclass(kind, torch.Tensor)
        and getattr(kind, "__torch_dispatch__", None) is torch.Tensor.__torch_dispatch__
    )
    return plain and not value.is_meta  # type: ignore[attr-defined]


def observable(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds plain real numbers that can be read without a trace.

    Not so for what is not plain, for empty, sparse, complex and quantised tensors, and for those
    inside a transformation (vmap, grad).
    """
    return (
        is_plain(tensor)
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_complex()
        and not tensor.is_quantized
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def mark(tensor: torch.Tensor) -> float:
    """A number that changes with a tensor's values, from its first thousand elements."""
    return float(tensor.detach().reshape(-1)[:MARKED].double().sum())


class FirstValues:
    """Whether tensors still have the values that they had when they were first asked about."""

    def __init__(self) -> None:
        self._marks: dict[int, tuple[weakref.ref[torch.Tensor], float]] = {}

    def rests(self, tensor: torch.Tensor) -> bool:
        """True at the first time, and as long as nothing has changed since."""
        now = mark(tensor)
        known = self._marks.get(id(tensor))
        if known is None or known[0]() is not tensor:
            self._marks[id(tensor)] = (weakref.ref(tensor), now)
            return True
        return known[1] == now

    def clear(self) -> None:
        """Forgets everything."""
        self._marks.clear()


def held_by(optimizer: Optimizer) -> list[torch.Tensor]:
    """All parameters of an optimizer, group after group."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def is_nonzero(gradient: torch.Tensor | None) -> bool:
    """Whether there is a gradient, and not of zeros only."""
    if gradient is None:
        return False
    if not is_plain(gradient):
        return True  # nobody may look
    return bool((gradient.coalesce().values() if gradient.is_sparse else gradient).any())


def readable(parameter: torch.Tensor) -> bool:
    """Whether a parameter has values: a lazy one has none before its first call."""
    lazy = isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin)
    return not lazy and observable(parameter)


def mean_deviation(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and population standard deviation as float scalars on the tensor's device.

    Three passes of vector arithmetic; `torch.std_mean` takes up to twenty times as long on a CPU.
    """
    values = tensor.float()
    mean = values.mean()
    return mean, torch.linalg.vector_norm(values - mean) / math.sqrt(values.numel())


def transfer(tensors: list[torch.Tensor]) -> list[float]:
    """Scalars of any devices as numbers, one transfer where all are on one device."""
    if not tensors:
        return []
    if len({t.device for t in tensors}) == 1:
        return [float(v) for v in torch.stack([t.float() for t in tensors]).tolist()]
    return [float(t) for t in tensors]
