"""Families of near copies among samples: found where there are some, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets

from unstuck.observe.samples.kept import Rows
from unstuck.observe.samples.kin import families

Draw = Callable[[np.random.Generator], np.ndarray]


def windows(random: np.random.Generator) -> np.ndarray:
    time = np.arange(900) * 0.1
    series = np.sin(time) + 0.3 * np.sin(2.7 * time) + 0.1 * random.normal(size=900)
    return np.lib.stride_tricks.sliding_window_view(series, 24)


INDEPENDENT: dict[str, Draw] = {
    "digits": lambda _: datasets.load_digits().data,
    "wine": lambda _: datasets.load_wine().data,
    "breast cancer": lambda _: datasets.load_breast_cancer().data,
    "diabetes": lambda _: datasets.load_diabetes().data,
    "noise": lambda random: random.normal(size=(700, 20)),
    "space": lambda random: random.normal(size=(700, 3)),
    "plane": lambda random: random.normal(size=(700, 2)) @ random.normal(size=(2, 30)),
    "clusters": lambda _: datasets.make_blobs(700, 8, centers=5, random_state=0)[0],
    "bits": lambda random: random.integers(0, 2, (700, 12)).astype(float),
    "windows": windows,
    "grid": lambda _: np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3), -1).reshape(-1, 3),
    "curve": lambda random: np.stack([f(random.random(700) * 6) for f in (np.sin, np.cos)] * 2, 1),
    "mixed": lambda random: np.concatenate(
        [random.normal(size=(700, 1)), np.eye(4)[random.integers(0, 4, 700)]], 1),
    "heavy tails": lambda random: random.standard_t(1.5, (700, 10)),
}


def split(rows: np.ndarray, random: np.random.Generator) -> tuple[Rows, Rows]:
    order = random.permutation(len(rows))
    fifth = len(rows) // 5
    return rows[order[fifth:]].astype(np.float32), rows[order[:fifth]].astype(np.float32)


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_samples_fall_into_no_families(name: str) -> None:
    random = np.random.default_rng(3)
    assert families(*split(INDEPENDENT[name](random), random)) is None


@pytest.mark.parametrize("copies", [2, 5, 12])
def test_copies_with_noise_are_kin(copies: int) -> None:
    random = np.random.default_rng(4)
    rows = random.normal(size=(90, 30))
    many = np.concatenate([rows + random.normal(0, 0.05, rows.shape) for _ in range(copies)])
    found = families(*split(many, random))
    assert found is not None
    assert found.size == copies - 1
    assert found.gap > 3
    assert found.share > 0.7


def test_families_of_which_some_samples_are_missing_are_kin() -> None:
    random = np.random.default_rng(4)
    rows = random.normal(size=(500, 20))
    many = np.concatenate([rows + random.normal(0, 0.05, rows.shape) for _ in range(3)])
    found = families(*split(many[random.permutation(len(many))[:700]], random))
    assert found is not None
    assert 0.5 < found.size < 2
    assert found.gap > 3
    assert found.share > 0.4


def test_many_recordings_of_each_person_are_kin() -> None:
    random = np.random.default_rng(8)
    persons = random.normal(size=(50, 14))
    many = np.concatenate([persons + random.normal(0, 0.25, persons.shape) for _ in range(20)])
    found = families(*split(many, random))
    assert found is not None
    assert found.size == 19
    assert found.gap > 1.5
    assert found.share > 0.7


def test_numbers_of_any_size_give_no_warning() -> None:
    random = np.random.default_rng(6)
    rows = np.float32(random.normal(size=(200, 6))) * np.float32([1e-30, 1, 1e20, 1e25, 1e30, 1e37])
    assert families(rows[:150], rows[150:]) is None


def test_families_that_are_kept_together_share_nothing() -> None:
    random = np.random.default_rng(5)
    rows = random.normal(size=(90, 30))
    many = np.stack([rows + random.normal(0, 0.05, rows.shape) for _ in range(5)], 1)
    train, held_out = (part.reshape(-1, 30).astype(np.float32) for part in (many[:70], many[70:]))
    found = families(train, held_out)
    assert found is not None
    assert found.share == 0


def test_families_of_several_sizes_are_kin() -> None:
    """Distances within a family reach as far as the least between families, but in no sample."""
    random = np.random.default_rng(6)
    people = random.normal(size=(300, 12))
    who = np.repeat(np.arange(300), random.integers(2, 7, 300))
    rows = people[who] + random.normal(0, 0.12, (len(who), 12))
    found = families(*split(rows, random))
    assert found is not None
    assert found.share > 0.7
    assert found.gap > 2.3


def test_copies_that_differ_by_more_than_noise_are_kin() -> None:
    """Brighter or darker, and each with noise of its own: one in four is nearer to another."""
    random = np.random.default_rng(9)
    digits = datasets.load_digits().data[:500] / 16
    many = np.concatenate([
        digits * random.uniform(0.9, 1.1, (500, 1)) + random.uniform(-0.05, 0.05, (500, 1))
        + random.normal(0, 0.05, digits.shape) for _ in range(4)])
    found = families(*split(many, random))
    assert found is not None
    assert found.size == 3
    assert found.gap > 1.3
    assert found.share > 0.5


def test_noise_on_copies_of_pictures_counts_no_more_than_the_pictures() -> None:
    """At the borders of digits nothing varies but this noise."""
    random = np.random.default_rng(9)
    digits = datasets.load_digits().data[:500] / 16
    many = np.concatenate([digits + random.normal(0, 0.03, digits.shape) for _ in range(4)])
    found = families(*split(many, random))
    assert found is not None
    assert (found.size, found.share) == (3, 1)
    assert found.gap > 2.3
