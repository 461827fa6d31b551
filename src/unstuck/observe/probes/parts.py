"""What is looked at of parameters: parts of what this process holds of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unstuck.observe.tensors import by_device, held_here, is_plain, readable, spread

ELEMENT_LIMIT = 1_000_000  # elements of a tensor whose change is looked at,
TOTAL_LIMIT = 4_000_000  # and of all tensors of an optimizer together: copies of 16 MB


def gradient_of(parameter: torch.Tensor) -> torch.Tensor | None:
    """The gradient of a parameter, of a sparse one its values; None if there is none to read."""
    gradient = None if parameter.grad is None else held_here(parameter.grad)
    if gradient is None:
        return None
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def limit(sizes: Sequence[int]) -> int:
    """How many elements of each tensor are looked at, so that all together are not too many."""
    left, most = TOTAL_LIMIT, ELEMENT_LIMIT
    for place, size in enumerate(sorted(sizes)):
        most = min(ELEMENT_LIMIT, max(1, left // (len(sizes) - place)))
        if size > most:
            break  # it and all that are larger get the same
        left -= size
    return most


def part(parameter: torch.Tensor, limit: int) -> torch.Tensor:
    """The part of a parameter that is looked at, without a graph."""
    held = held_here(parameter)
    assert held is not None
    return spread(held.detach(), limit)


def has_values(parameter: torch.Tensor) -> bool:
    """Whether this process holds values of a parameter that can be read."""
    held = held_here(parameter)
    return held is not None and readable(held)


def size(parameter: torch.Tensor) -> int:
    """The number of elements that this process holds."""
    held = held_here(parameter)
    return 0 if held is None else held.numel()


def norms(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """L2 norms of all tensors, on their devices."""
    found: dict[int, torch.Tensor] = {}
    for indices in by_device(tensors):
        several = torch._foreach_norm([tensors[i] for i in indices])
        found.update(zip(indices, several, strict=True))
    return [found[index].float() for index in range(len(tensors))]


def gradient_part(parameter: torch.Tensor, limit: int) -> torch.Tensor | None:
    """The same part of a parameter's gradient; None of a sparse one, or if there is none."""
    gradient = parameter.grad
    return part(gradient, limit) if is_plain(gradient) and not gradient.is_sparse else None


def cosine(
    ones: Sequence[torch.Tensor], others: Sequence[torch.Tensor | None]
) -> torch.Tensor | None:
    """The cosine of the angle between two vectors, both given in parts; NaN if one is zero.

    Parts that are missing count in neither; None if all are.
    """
    pairs = [(a, b) for a, b in zip(ones, others, strict=True)
             if b is not None and a.shape == b.shape]
    if not pairs:
        return None
    device = pairs[0][0].device
    sums = [torch.stack([(a * b).sum(), (a * a).sum(), (b * b).sum()]).float().to(device)
            for a, b in pairs]
    product, one, other = torch.stack(sums).sum(0)
    return product / (one * other).sqrt()
