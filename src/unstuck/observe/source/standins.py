"""Modules that stand for weights which the program keeps in plain tensors."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from unstuck.schema.facts.models import LayerRole
from unstuck.schema.places import SourceLocation


class StandIn(nn.Module):  # type: ignore[misc]
    """Weights of the program, seen as a module that it never made. It holds none of them.

    `labels` are the full names of its parameters, by their own ones, and `made` the expressions
    that made them. `called` is where the program computes with them in training.
    """

    role = LayerRole.CONTAINER
    labels: dict[str, str]
    made: dict[str, SourceLocation]
    called: SourceLocation | None
    _weak: dict[str, weakref.ref[torch.Tensor]]

    def __init__(self) -> None:
        # Not that of `nn.Module`: nobody is to hear of a construction.
        self.__dict__.update(
            training=True, _modules={}, _buffers={}, _weak={}, labels={}, made={}, called=None)

    @property
    def _parameters(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, ref in self._weak.items()
                if (tensor := ref()) is not None}

    def take(
        self, name: str, tensor: torch.Tensor, label: str, made: SourceLocation | None
    ) -> None:
        """Stands for this tensor, too; another one of the name is forgotten."""
        self._weak[name] = weakref.ref(tensor)
        self.labels[name] = label
        if made is not None:
            self.made[name] = made

    def leave(self, tensor: torch.Tensor) -> SourceLocation | None:
        """Stands for this tensor no longer; says what made it."""
        name = next((name for name, ref in self._weak.items() if ref() is tensor), "")
        self._weak.pop(name, None)
        return self.made.pop(name, None)

    @property
    def location(self) -> SourceLocation | None:
        """What made its first parameter."""
        return next((self.made[name] for name in self._weak if name in self.made), None)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Any]]:
        """The parameters of all its parts, by their labels."""
        for part in self.modules():
            assert isinstance(part, StandIn)
            for name, tensor in part._parameters.items():
                yield part.labels[name], tensor


class MatMul(StandIn):
    """Data times a matrix of one column a unit: `x @ w`."""

    role = LayerRole.LINEAR


class Linear(StandIn):
    """A matrix of one row a unit: `w @ x`, `F.linear(x, w)`."""

    role = LayerRole.LINEAR


class Scale(StandIn):
    """Data times a single number: `w * x`."""

    role = LayerRole.OTHER


class Convolution(StandIn):
    """Filters of torch's functions."""

    role = LayerRole.CONVOLUTION


class Lookup(StandIn):
    """A table of vectors, of which numbers choose rows."""

    role = LayerRole.EMBEDDING
