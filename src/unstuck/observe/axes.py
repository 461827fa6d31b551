"""Axes of tensors as products of factors, and what a view makes of them.

A reshape of (heads, batch, time, d) to (heads·batch, time, d) has the first axis [heads, batch]. A
view cuts the factors up in their order. If it cuts the batch apart and joins a piece with something
else, numbers of several samples lie where those of one belong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TypeAlias

# A factor: its size, and the distance between two of its samples in the batch; 0 for an axis that
# holds none, OPEN for rows that hold samples in an order that is not known.
Factor: TypeAlias = tuple[int, int]
Axes: TypeAlias = tuple[tuple[Factor, ...], ...]
_Joined: TypeAlias = tuple[frozenset[int], ...]  # the axes, by number, of which each is made
OPEN = -1
_MOST_AXES = 6  # whose orders are tried


def free(size: int) -> tuple[Factor, ...]:
    """An axis that holds no samples."""
    return ((size, 0),)


def holds(axis: Sequence[Factor]) -> bool:
    """Whether an axis holds samples."""
    return any(stride for _, stride in axis)


def factors(axes: Axes) -> list[Factor]:
    """All factors in their order, with those joined that lie together anyway."""
    found: list[Factor] = []
    for size, stride in (f for axis in axes for f in axis if f[0] > 1):
        last = found[-1] if found else (0, OPEN)
        joined = stride == last[1] == 0 or (stride > 0 and last[1] == stride * size)
        if joined:
            found[-1] = (last[0] * size, stride)
        else:
            found.append((size, stride))
    return found


def cut(axes: Axes, shape: tuple[int, ...]) -> Axes | None:
    """The axes of a view of this shape; None if its axes end within factors."""
    rest = factors(axes)[::-1]
    found = []
    for size in shape:
        axis: list[Factor] = []
        while size > 1:
            if not rest:
                return None
            factor, stride = rest.pop()
            if size % factor == 0:
                axis.append((factor, stride))
                size //= factor
            elif factor % size == 0:
                left = factor // size
                axis.append((size, stride * left if stride > 0 else stride))
                rest.append((left, stride))
                size = 1
            else:
                return None
        found.append(tuple(axis) or free(1))
    return tuple(found)


def is_mixed(axes: Axes | None, samples: int) -> bool:
    """Whether a view ends within factors, or joins a piece of the batch with something else."""
    return axes is None or any(
        any(stride > 0 and size < samples for size, stride in axis)
        and any(not stride and size > 1 for size, stride in axis) for axis in axes)


def order_of(given: tuple[int, ...], taken: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
    """The order of the axes in which a view keeps the samples apart; () if it is not the only one.

    The samples go where the view has an axis of their number. Axes that are joined keep their
    order.
    """
    holding = [i for i, axis in enumerate(axes) if holds(axis)]
    if len(holding) != 1 or len(axes[holding[0]]) != 1 or len(given) > _MOST_AXES or (
        taken.count(given[holding[0]]) != 1
    ):
        return ()
    place, wanted = taken.index(given[holding[0]]), holding[0]
    return _only_order(range(len(given)), given, taken,
                       lambda parts: parts[place] == frozenset({wanted}))


def swapped(given: tuple[int, ...], taken: tuple[int, ...]) -> tuple[int, ...]:
    """The order of the axes of which a view has the shape, if it is another than their own.

    The first axis stays. () for a view that only joins axes, or where the order is not plain.
    """
    wide = [i for i, size in enumerate(given) if size > 1 and i]
    shape = tuple(size for size in taken[1:] if size > 1)
    if given[:1] != taken[:1] or not 1 < len(wide) < _MOST_AXES or len(shape) < 2:
        return ()
    order = _only_order(wide, given, shape)
    rest = (i for i, size in enumerate(given) if size == 1 and i)
    return (0, *order, *rest) if order and order != tuple(wide) else ()


def cuts_in_order(given: tuple[int, ...], taken: tuple[int, ...]) -> bool:
    """Whether a view ends where axes do, or splits them into equal parts before it joins them."""
    ends = [math.prod(given[:i]) for i in range(len(given) + 1)]
    for i in range(1, len(taken)):
        end = math.prod(taken[:i])
        before = max(e for e in ends if e <= end)
        after = min(e for e in ends if e >= end)
        if end % before or after % end:
            return False
    return True


def _only_order(
    numbers: Sequence[int], given: tuple[int, ...], shape: tuple[int, ...],
    fits: Callable[[_Joined], bool] = lambda parts: True,
) -> tuple[int, ...]:
    """The order of these axes that a shape joins in a way that fits; () unless there is one way.

    Of several orders that join the same axes the first, which leaves them as they stand.
    """
    ways: dict[_Joined, tuple[int, ...]] = {}
    for order in permutations(numbers):
        parts = _parts([((given[i], i + 1),) for i in order], shape)  # each axis its own
        if parts is not None and fits(parts):
            ways.setdefault(parts, order)
    return next(iter(ways.values())) if len(ways) == 1 else ()


def _parts(
    axes: Sequence[tuple[Factor, ...]], shape: tuple[int, ...]
) -> _Joined | None:
    """Which axes, by number, each axis of a view is made of; None if it cuts one apart."""
    rest = [axis[0] for axis in axes][::-1]
    found: list[frozenset[int]] = []
    for size in shape:
        part: set[int] = set()
        while rest and (size > 1 or (rest[-1][0] == 1 and len(found) == len(shape) - 1)):
            factor, number = rest.pop()
            if size % factor:
                return None
            size //= factor
            part.add(number - 1)
        if size > 1:
            return None
        found.append(frozenset(part))
    return tuple(found) if not rest else None
