"""Windows of a series that overlap across a split are told from all else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.observe.test_kin import INDEPENDENT, split
from unstuck.observe.samples.windows import MOST, overlaps


def shifted(width: int, stride: int, channels: int = 1) -> np.ndarray:
    """Windows of a noisy series, (N, channels * width), in the order of time."""
    random = np.random.default_rng(5)
    series = np.sin(np.arange(700) * 0.07)[:, None] + 0.1 * random.normal(size=(700, channels))
    windows = np.lib.stride_tricks.sliding_window_view(series, width, axis=0)[::stride]
    return windows.reshape(len(windows), -1).astype(np.float32)


def share(train: np.ndarray, held_out: np.ndarray) -> float:
    found = overlaps(train, held_out)
    return float((found >= MOST).mean()) if len(found) else 0.0


@pytest.mark.parametrize(("width", "stride", "channels"), [(24, 1, 1), (32, 4, 1), (20, 2, 3)])
def test_windows_that_are_split_at_random_overlap(width: int, stride: int, channels: int) -> None:
    rows = shifted(width, stride, channels)
    assert share(*split(rows, np.random.default_rng(1))) > 0.9


@pytest.mark.parametrize(("width", "stride"), [(24, 1), (32, 4)])
def test_windows_that_are_split_by_time_hardly_do(width: int, stride: int) -> None:
    rows = shifted(width, stride)
    cut = int(0.8 * len(rows))
    assert share(rows[:cut], rows[cut:]) < 0.2


def test_windows_without_a_common_part_do_not() -> None:
    rows = shifted(20, 20)
    assert share(*split(rows, np.random.default_rng(1))) == 0


@pytest.mark.parametrize("name", sorted(set(INDEPENDENT) - {"windows"}))
def test_independent_samples_do_not(name: str) -> None:
    random = np.random.default_rng(3)
    assert share(*split(INDEPENDENT[name](random), random)) < 0.1


def test_what_is_at_the_same_place_is_a_group_s() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(300, 24)).astype(np.float32)
    rows[:, 6:20] = rows[np.arange(300) // 10 * 10][:, 6:20]  # common to ten samples
    assert share(*split(rows, random)) == 0
