"""In how many directions several targets vary, and in which of them inputs tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.directions import write_directions
from unstuck.schema.signals.targets import DIRECTIONS_TOLD, TARGET_DIRECTIONS

Numbers = NDArray[np.float64]


class Written:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.values: dict[Any, dict[str, float]] = {}

    def sample(self, signal: Any, step: int, values: dict[str, float]) -> None:
        self.values[signal] = values


def written(
    inputs: Numbers, targets: Numbers, told: Numbers | None = None
) -> dict[Any, dict[str, float]]:
    """What is written of targets, of which the last hundred are new ones."""
    keeper: Any = Written()
    predicted = np.zeros_like(targets) + targets[:-100].mean(0) if told is None else told
    write_directions(inputs[:-100], targets[:-100], targets[-100:], predicted[-100:], keeper, 0)
    return dict(keeper.values)


def drawn(rows: int, columns: int, seed: int = 4) -> Numbers:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def test_two_hidden_numbers_hold_all_that_twelve_targets_made_of_them_vary_in() -> None:
    shares = written(drawn(400, 5), drawn(400, 2) @ drawn(2, 12, 5))[TARGET_DIRECTIONS]
    assert shares["1"] < 0.95
    assert abs(shares["2"] - 1) < 1e-9


def test_independent_targets_need_a_direction_each() -> None:
    shares = written(drawn(1000, 5), drawn(1000, 10, 5))[TARGET_DIRECTIONS]
    assert 0.1 < shares["1"] < 0.15
    assert 0.45 < shares["5"] < 0.65


def test_noise_beside_what_inputs_tell_is_told_by_nothing() -> None:
    factors = drawn(400, 2)
    clean = factors @ drawn(2, 12, 5)
    known = written(factors, clean + 0.5 * drawn(400, 12, 6), told=clean)[DIRECTIONS_TOLD]
    assert known["2"] > 0.5
    assert known["3"] < 0.1


def test_targets_that_are_the_inputs_again_are_those_of_an_autoencoder() -> None:
    inputs = drawn(400, 6)
    assert written(inputs, inputs) == {}
    assert written(inputs + 0.3 * drawn(400, 6, 6), inputs) == {}


def test_few_targets_few_samples_and_two_values_say_nothing() -> None:
    assert written(drawn(400, 4), drawn(400, 2)) == {}
    assert written(drawn(120, 4), drawn(120, 10)) == {}
    assert written(drawn(400, 4), (drawn(400, 8) > 0).astype(float)) == {}
