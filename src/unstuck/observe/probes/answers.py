"""Which tensors of a program may be the right answers to what a model has put out."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch

LOOKED = 16  # numbers of a tensor
Identity = tuple[object, ...]  # of a tensor, by its memory and its shape
PREDICTED = re.compile(r"pred|guess|(^|_)hat|output|forecast|recon", re.IGNORECASE)


def digest(tensor: torch.Tensor) -> tuple[float, ...]:
    """Some numbers of a tensor that tell it from others, whatever its shape."""
    flat = tensor.detach().reshape(-1)
    places = torch.linspace(0, len(flat) - 1, min(len(flat), LOOKED)).long()
    return tuple(flat[places.to(flat.device)].float().tolist())


def identity(tensor: torch.Tensor) -> Identity:
    """Tells whether two are the same, though each may be made of the same array."""
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.dtype


def are_zeros_and_ones(value: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether these are zeros and ones, one for each sample."""
    samples = output.numel()
    return value.numel() == samples and value.ndim in (1, 2) and len(value) == samples and bool(
        ((value == 0) | (value == 1)).all())


def are_values(value: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether these are as many numbers as the output has, and no results of a network."""
    return value.is_floating_point() and value.grad_fn is None and (
        value.numel() == output.numel() and len(value) == len(output)
        and value.ndim in (output.ndim, 1))


def are_classes(value: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether these are numbers of classes, one for each place of the output; some may be left out.
    """
    shapes = {(*output.shape[:1], *output.shape[2:]), tuple(output.shape[:-1])}
    if output.ndim == 2:
        shapes.add((len(output), 1))
    if value.is_floating_point() or value.dtype is torch.bool or tuple(value.shape) not in shapes:
        return False
    return bool(0 <= int(value.max()) < output.shape[axis_of(value, output)])


def axis_of(
    labels: torch.Tensor, output: torch.Tensor, shapes: Iterable[tuple[int, ...]] = ()
) -> int:
    """The axis of the classes: the last one, or the second.

    Where it may be both, the second if a loss received outputs of one of these shapes: it takes the
    classes there.
    """
    last = labels.shape == output.shape[:-1]
    if last and output.ndim > 2 and any(shape[1:] == tuple(output.shape[1:]) for shape in shapes):
        return 1
    return -1 if last else 1
