"""Sums along trajectories: whether returns and advantages stop where an episode ends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.named import Scope, scopes
from unstuck.observe.source.recursion import Recursion, recursion
from unstuck.observe.source.vectors import marks_ends, words_of
from unstuck.observe.tensors import observable
from unstuck.schema.facts.bootstrap import SummedPastEnds
from unstuck.schema.signals.bootstrap import ENDS_BOOTSTRAPPED

LOOKS = 4  # rollouts that are looked at
TRIES = 24  # steps in which one is looked for
SEARCHES = 60  # steps in which variables are listed
NEAR = 2  # of the user's frames that lie innermost
MOST_ELEMENTS = 65_536
MOST_ROWS = 4_096  # of steps and places together that an equation is solved for
MOST = 8  # variables of a kind
LONGEST = 4_096  # lists
FEWEST_STEPS = 8
FEWEST_ENDS = 2  # of episodes, where the two would not be the same
EQUATIONS = 4  # for each unknown
EXACT = 1e-4  # relative; numbers of 32 bits that were added up over a trajectory
LEAST = 0.3  # discount
TELLS = 10.0  # times the precision
_VALUES = frozenset({"value", "values", "v", "vs", "val", "vals"})
_REWARDS = frozenset({"reward", "rewards", "rew", "rews", "r", "rs"})

Grid = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Held:
    """A variable with a number for each step and each of the environments side by side."""

    name: str
    values: Grid


@dataclass(frozen=True, slots=True)
class _Ends(_Held):
    """A variable that marks ends, by its name; `is_bool` for a tensor of truth values."""

    is_bool: bool
    inverse: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """How sums along trajectories go on at the end of an episode.

    Of `told` ends, where it makes a difference, `on` is the share at which they hold what comes
    after. `values` and `sums` say of what: the value of the next state, the sum of the next step.
    """

    told: int
    on: float
    values: bool
    sums: bool


class RolloutProbe(Probe):
    """Looks for variables that obey a recursion backwards over the steps of a trajectory.

    Returns and advantages are known by the numbers alone: each is a fixed combination of the
    reward, the values of this state and the next one, and the sum of the next step. What marks the
    ends and what the rewards are is known by name.
    """

    signals = (ENDS_BOOTSTRAPPED,)
    facts = (SummedPastEnds,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._searches = self._tries = 0
        self._seen: set[float] = set()  # sums of what was looked at

    def before_backward(self) -> None:
        """Looks while the functions that made a loss hold what it was made of."""
        if (not self._moment.sampled or len(self._seen) >= LOOKS or self._tries >= TRIES
                or self._searches >= SEARCHES):
            return
        self._searches += 1
        for scope in scopes(self._sites, 2)[0][:NEAR]:
            for ends in _ends(scope)[:NEAR]:
                self._tries += 1
                found = _sums_of(scope, ends)
                if found is not None:
                    self._write(scope, ends, *found)
                    return

    def _write(self, scope: Scope, ends: _Ends, held: _Held, sums: Sums) -> None:
        rollout = float(held.values.sum())
        if rollout in self._seen:
            return
        self._seen.add(rollout)
        places = recursion(scope.file, held.name, self._sites.keeps_text) or Recursion()
        self._writer.fact(SummedPastEnds(
            held.name, places.sums if sums.sums or not places.values else places.values,
            places.values if sums.values else None, places.sums if sums.sums else None,
            ends.name, places.ends, ends.is_bool, ends.inverse, sums.told), self._moment.step)
        self._writer.sample(ENDS_BOOTSTRAPPED, self._moment.step, {held.name: sums.on})


# What the program holds ---------------------------------------------------------------------------
def _ends(scope: Scope) -> list[_Ends]:
    """Variables that mark ends of episodes, step by step."""
    found = []
    for path, value in scope.paths():
        by_one = marks_ends(_last(path))
        grid = _grid(value) if by_one is not None else None
        if grid is None or len(grid) < FEWEST_STEPS or not np.isin(grid, (0.0, 1.0)).all():
            continue
        marked = grid if by_one else 1 - grid
        if FEWEST_ENDS <= marked[:-1].sum() <= marked.size / 2:
            found.append(_Ends(path, marked, _is_bool(value), not by_one))
    return found


def _sums_of(scope: Scope, ends: _Ends) -> tuple[_Held, Sums] | None:
    """The first variable that is a sum along trajectories, and how it goes on at ends."""
    steps, wide = ends.values.shape
    rewards: list[_Held | None] = []
    values: list[_Held | None] = []
    sums: list[_Held] = []
    for path, value in scope.paths():
        if path == ends.name:
            continue
        grid = _grid(value)
        if grid is None or not np.isfinite(grid).all():
            continue
        if grid.size == steps * wide:
            held = _Held(path, grid.reshape(steps, wide))
            if words_of(_last(path)) & _REWARDS:
                rewards.append(held)
            elif grid.std() > 0:
                values.append(held)
                sums.append(held)
        elif grid.shape == (steps + 1, wide):
            values.append(_Held(path, grid))
    few = max(1, MOST_ROWS // steps)
    # Where an advantage is a whole sum, the value obeys an equation of the same form.
    sums.sort(key=lambda each: bool(words_of(_last(each.name)) & _VALUES))
    for held, reward, value in product(sums[:MOST], [*rewards[:2], None][:2],
                                       [None, *values[-MOST:]]):
        if value is not None and value.name == held.name:
            continue
        found = solve(
            held.values[:, :few], ends.values[:, :few] > 0,
            None if reward is None else reward.values[:, :few],
            None if value is None else value.values[:, :few])
        if found is not None:
            return held, found
    return None


def _last(path: str) -> str:
    """The name of what a path ends in: `dones` of `self.buffer.dones` and of `batch['dones']`."""
    names = re.findall(r"\w+", path)
    return names[-1] if names else path


def _is_bool(value: Any) -> bool:
    first = value[0] if isinstance(value, list | tuple) and value else value
    return isinstance(first, torch.Tensor) and first.dtype == torch.bool


def _grid(value: Any) -> Grid | None:
    """Numbers by steps and environments, None for what is something else."""
    if type(value) in (list, tuple):
        if not FEWEST_STEPS <= len(value) <= LONGEST:
            return None
        rows: list[Grid] = []
        for each in value:
            row = _row(each)
            if row is None or (rows and row.shape != rows[0].shape):
                return None
            rows.append(row)
        return np.stack(rows)
    if isinstance(value, torch.Tensor | np.ndarray) and value.ndim:
        flat = _row(value)
        if flat is None:
            return None
        steps = value.shape[0]
        return flat.reshape(steps, -1) if steps >= FEWEST_STEPS else None
    return None


def _row(value: Any) -> Grid | None:
    """Plain numbers, flat."""
    if type(value) in (bool, int, float):
        return np.array([value], dtype=np.float64)
    if isinstance(value, torch.Tensor):
        # Those on a device would have to be waited for.
        if not observable(value) or not value.is_cpu or not 0 < value.numel() <= MOST_ELEMENTS:
            return None
        flat: Grid = value.detach().reshape(-1).double().numpy()
        return flat
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biuf" or not 0 < value.size <= MOST_ELEMENTS:
            return None
        return np.asarray(value, dtype=np.float64).reshape(-1)
    return None


# The recursion ------------------------------------------------------------------------------------
@np.errstate(all="ignore")
def solve(
    sums: Grid, ends: NDArray[np.bool_], rewards: Grid | None, values: Grid | None
) -> Sums | None:
    """How sums go on at ends, None where they are no sums along trajectories, or it does not tell.

    A sum must be a combination, the same at each step, of the reward, the value of the state, the
    value of the next one, the sum of the next step, and a constant, which stands for whatever was
    subtracted when they were normalised. At ends the last two may be left out, or one of them.

    Args:
        sums: steps by environments.
        ends: where an episode ends with its step, likewise.
        rewards: likewise.
        values: likewise, or with those of the state after the last step.
    """
    steps = len(sums) - 1
    target, after = sums[:-1].ravel(), sums[1:].ravel()
    at_end = ends[:-1].ravel().astype(float)
    own = [each[:steps].ravel() for each in (rewards, values) if each is not None]
    following = values[1:steps + 1].ravel() if values is not None else None
    found = []
    for on in ((True, True), (False, False), (True, False), (False, True)):  # the sum, the value
        kept = [1 - at_end * (not each) for each in on]
        columns = [after * kept[0], *own, *([] if following is None else [following * kept[1]]),
                   np.ones_like(target)]
        if not all(on):
            columns.append(at_end)  # what was subtracted from what is left out
        matrix = np.stack(columns, 1)
        factors = _exact(matrix, target)
        if factors is not None and LEAST <= factors[0] <= 1 + EXACT and (
            _takes_part(matrix, factors, range(1, 1 + len(own)), target)
            and (values is None or _is_discounted(
                factors[len(own)], factors[len(own) + 1], factors[0]))
        ):
            found.append(on)
    stops = (False, False) in found
    if not found or (stops and (True, True) in found):
        return None
    sums_on, values_on = (False, False) if stops else found[0]
    return Sums(int(at_end.sum()), float(not stops), values_on and values is not None, sums_on)


def _exact(matrix: Grid, target: Grid) -> Grid | None:
    """The factors of the columns that add up to the target, None if none do."""
    if len(target) < EQUATIONS * matrix.shape[1] or not np.abs(target).max():
        return None
    factors: Grid = np.linalg.lstsq(matrix, target, rcond=None)[0].astype(float)
    near = EXACT * float(np.abs(target).max() + np.abs(matrix * factors).max())
    return factors if np.abs(matrix @ factors - target).max() <= near else None


def _is_discounted(now: float, following: float, discount: float) -> bool:
    """Whether values take part as those of states: the next one by no less than the next sum.

    The equation of an advantage holds for the value as well, with the two exchanged. They differ in
    the factors: the value goes on by the discount, the advantage by less.
    """
    return following >= -EXACT and (
        abs(now) <= EXACT or -following / now >= discount - EXACT)


def _takes_part(matrix: Grid, factors: Grid, columns: Iterable[int], target: Grid) -> bool:
    """Whether rewards or values count: a counter of steps is a sum of a constant alone."""
    least = EXACT * TELLS * target.std()
    return bool(target.std() > 0) and any(
        abs(factors[i]) * matrix[:, i].std() > least for i in columns)
