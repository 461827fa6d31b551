"""Sums along trajectories: the recursion that they obey, at ends and elsewhere."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from unstuck.observe.probes.rollouts import Grid, solve
from unstuck.observe.source import recursion as texts
from unstuck.observe.source.recursion import recursion

STEPS, WIDE = 40, 6
DISCOUNT, LAMBDA = 0.97, 0.9


def _rollout(seed: int) -> tuple[Grid, Grid, Grid]:
    """Rewards, values with those behind the last step, and ends."""
    rng = np.random.default_rng(seed)
    ends = (rng.random((STEPS, WIDE)) < 0.12).astype(float)
    return rng.normal(size=(STEPS, WIDE)), rng.normal(size=(STEPS + 1, WIDE)), ends


def _advantages(rewards: Grid, values: Grid, ends: Grid, *, sums: bool, valued: bool) -> Grid:
    """Generalised advantages that go on through ends by the sum, the value, both, or neither."""
    found, running = np.zeros_like(rewards), np.zeros(WIDE)
    for t in reversed(range(STEPS)):
        goes_on = 1 - ends[t]
        delta = rewards[t] + DISCOUNT * values[t + 1] * (1 if valued else goes_on) - values[t]
        running = delta + DISCOUNT * LAMBDA * running * (1 if sums else goes_on)
        found[t] = running
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize(("sums", "valued"), [
    (True, True), (True, False), (False, True), (False, False)])
def test_what_goes_on_at_an_end_is_told(
    seed: int, normalised: bool, sums: bool, valued: bool
) -> None:
    rewards, values, ends = _rollout(seed)
    found = _advantages(rewards, values, ends, sums=sums, valued=valued)
    if normalised:
        found = (found - found.mean()) / found.std()
    told = solve(found.astype(np.float32).astype(float), ends > 0, rewards, values)
    assert told is not None
    assert (told.on, told.sums, told.values) == (float(sums or valued), sums, valued)


@pytest.mark.parametrize("masked", [False, True])
def test_returns_need_no_values(masked: bool) -> None:
    """Nor rewards elsewhere than at ends."""
    _, _, ends = _rollout(3)
    rewards = ends * np.linspace(0.5, 1, WIDE) - 0.02
    found, total = np.zeros_like(rewards), np.zeros(WIDE)
    for t in reversed(range(STEPS)):
        total = rewards[t] + DISCOUNT * total * (1 - ends[t] * masked)
        found[t] = total
    told = solve(found, ends > 0, rewards, None)
    assert told is not None
    assert told.on == float(not masked)


def test_a_counter_of_steps_is_no_sum_of_rewards() -> None:
    rewards, values, ends = _rollout(4)
    counter = np.repeat(np.arange(STEPS, dtype=float)[:, None], WIDE, 1)
    assert solve(counter, ends > 0, rewards, values) is None


def test_noise_is_no_sum() -> None:
    rewards, values, ends = _rollout(5)
    noise = np.random.default_rng(6).normal(size=(STEPS, WIDE))
    assert solve(noise, ends > 0, rewards, values) is None


TEXT = '''
def returns(rewards, done):
    total, found = 0, []
    for t in reversed(range(len(rewards))):
        total = rewards[t] + 0.9 * total
        found.insert(0, total)
    return found

for step in range(10):
    speed = 0.9 * speed + push
    gains = returns(rewards, done)
'''


def test_the_recursion_of_a_variable_is_that_of_the_function_that_makes_it(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "syntax_tree", lambda file: ast.parse(TEXT))
    found = recursion("program.py", "gains", False)
    assert found is not None
    assert found.sums is not None
    assert (found.sums.line, found.values, found.ends) == (5, None, "done[t]")
