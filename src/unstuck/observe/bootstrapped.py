"""Numbers that are a reward plus a discount times the value of the state after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from unstuck.observe.source.vectors import Vector

FEWEST = 8  # samples of a batch
LEAST_DISCOUNT = 0.3
LEAST_BESIDE_SCALED = 0.8  # by less, a target is a mixture of a label and a second opinion
LARGEST_SCALE = 1_000.0  # of a reward, or one over it
PRECISION = 1e-4  # relative


@dataclass(frozen=True, slots=True)
class Relation:
    """Targets that are a reward plus a discount times a value, but for those that are the reward.

    `holds` are the samples with the value in their target, `bare` those without it.
    """

    target: Vector
    reward: Vector
    discount: float
    holds: torch.Tensor
    bare: torch.Tensor
    value: torch.Tensor


def find(
    targets: list[Vector], held: list[Vector], outputs: list[torch.Tensor],
    later: Sequence[torch.Tensor] = (),
) -> Relation | None:
    """The first targets that are a reward plus a discount times a value from one of the outputs.

    The reward may be scaled where the value is of another input than the trained output: of the
    same one, a part of a label and a part of what another network says are a distillation.

    Args:
        targets: what may be targets.
        held: what may be rewards and values.
        outputs: what networks gave for each sample, a column for each action.
        later: those of `outputs` that are of another input than the trained one.
    """
    for scaled, sources in ((False, outputs), (True, later)):
        values = [v.values for v in held if any(comes_from(v.values, out) for out in sources)]
        values += [out.amax(1) for out in sources]
        for value in values if targets and held else ():
            size = value.abs().max()
            if not torch.isfinite(value).all() or not size or value.std() == 0:
                continue
            told = value.abs() > 1e-3 * size
            for target, reward in _likely(targets, held, value, told, scaled):
                found = _relation(target, reward, value, told)
                if found is not None:
                    return found
    return None


def _likely(
    targets: list[Vector], held: list[Vector], value: torch.Tensor, told: torch.Tensor,
    scaled: bool,
) -> Iterator[tuple[Vector, Vector]]:
    """Targets and rewards, times a factor of their own if `scaled`, that differ by a discount times
    the value in the first samples: most of the many pairs do not, and to look at all samples of
    each takes long.
    """
    some = told.nonzero()[:FEWEST, 0]
    wanted, rewards = (torch.stack([v.values[some] for v in each]) for each in (targets, held))
    scales = _scales(wanted[:, None], rewards, value[some]) if scaled else torch.ones(
        len(targets), len(held), dtype=value.dtype)
    ratios = (wanted[:, None] - scales[..., None] * rewards) / value[some]
    discounts = ratios.where(ratios.abs() > 1e-6, torch.nan).nanmedian(-1).values
    least = LEAST_BESIDE_SCALED if scaled else LEAST_DISCOUNT
    likely = (discounts >= least) & (discounts <= 1 + PRECISION) & (
        scales.abs() >= 1 / LARGEST_SCALE) & (scales.abs() <= LARGEST_SCALE)
    for i, j in likely.nonzero().tolist():
        yield targets[i], replace(held[j], values=scales[i, j] * held[j].values)


def _scales(wanted: torch.Tensor, rewards: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """By what rewards are multiplied if targets are made of them and the value: of each two samples
    in a row a linear system says it, and of all the middle one holds, for at ends there is none.
    """
    (t, u), (r, s), (v, w) = (
        (each[..., :-1], each[..., 1:]) for each in (wanted, rewards, value))
    apart = r * w - s * v
    return ((t * w - u * v) / apart).where(apart.abs() > 1e-9, torch.nan).nanmedian(-1).values


def _relation(
    target: Vector, reward: Vector, value: torch.Tensor, told: torch.Tensor
) -> Relation | None:
    difference = target.values - reward.values
    if not torch.isfinite(difference).all() or torch.equal(reward.values, value) or (
            torch.equal(target.values, value)):
        return None
    ratios = difference[told] / value[told]
    ratios = ratios[ratios.abs() > 1e-6]
    if len(ratios) < FEWEST // 2:
        return None
    discount = float(ratios.median())
    if not LEAST_DISCOUNT <= discount <= 1 + PRECISION:
        return None
    near = PRECISION * float(target.values.abs().max() + value.abs().max()) + 1e-9
    holds = (difference - discount * value).abs() <= near
    bare = difference.abs() <= near
    if not bool((holds | bare).all()) or int((holds & ~bare).sum()) < FEWEST // 2:
        return None
    return Relation(target, reward, discount, holds, bare, value)


def comes_from(value: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether each of the values is one of the outputs for its sample."""
    near = PRECISION * float(output.abs().max()) + 1e-9
    return bool(((output - value[:, None]).abs() <= near).any(1).all())


