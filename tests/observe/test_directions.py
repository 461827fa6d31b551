"""In how many directions several targets vary."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.directions import write_directions
from unstuck.observe.samples.kept import Samples

Numbers = NDArray[np.float64]


class Written:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def sample(self, signal: Any, step: int, values: dict[str, float]) -> None:
        self.values = values


def held(inputs: Numbers, targets: Numbers) -> dict[str, float]:
    """What the first components hold of targets."""
    known: dict[str, Any] = dict.fromkeys(each.name for each in dataclasses.fields(Samples))
    known.update(inputs=inputs, targets=targets, class_indices=False)
    written: Any = Written()
    write_directions(Samples(**known), written, 0)
    return dict(written.values)


def drawn(rows: int, columns: int) -> Numbers:
    return np.random.default_rng(4).normal(size=(rows, columns))


def test_two_hidden_numbers_hold_all_that_twelve_targets_made_of_them_vary_in() -> None:
    hidden = drawn(300, 2)
    shares = held(drawn(300, 5), hidden @ drawn(2, 12))
    assert shares["1"] < 0.95
    assert abs(shares["2"] - 1) < 1e-9


def test_independent_targets_need_a_direction_each() -> None:
    shares = held(drawn(900, 5), np.random.default_rng(5).normal(size=(900, 10)))
    assert 0.1 < shares["1"] < 0.15
    assert 0.45 < shares["5"] < 0.65


def test_targets_that_are_the_inputs_again_are_those_of_an_autoencoder() -> None:
    inputs = drawn(300, 6)
    assert held(inputs, inputs) == {}
    assert held(inputs + 0.3 * np.random.default_rng(6).normal(size=inputs.shape), inputs) == {}


def test_few_targets_few_samples_and_two_values_say_nothing() -> None:
    assert held(drawn(300, 4), drawn(300, 2)) == {}
    assert held(drawn(20, 4), drawn(20, 10)) == {}
    assert held(drawn(300, 4), (drawn(300, 8) > 0).astype(float)) == {}
