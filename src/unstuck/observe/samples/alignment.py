"""How a map of targets must be turned and moved to fit its picture. Numpy only.

The measure is Pearson's correlation over the part in which both overlap, for all movements at once.
Source: Padfield 2012, Masked object registration in the Fourier domain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unstuck.record.series import Floats, Integers

OVERLAP = 0.35  # of the picture that a movement must leave
FLAT = 0.05  # of the variance of the whole: a part with less says nothing
NEAR = 1  # cells by which a fit may be off and still be in its place
FEWEST = 16  # samples
SEED = 5  # of a generator of our own

Maps = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """Of N samples with a picture and a map each.

    Attributes:
        here: mean correlation where they are.
        best: mean correlation of the best place.
        strangers: the same for pictures of one sample and maps of another.
        surplus: standard errors by which `best` exceeds `strangers`.
        placed: share of the samples whose best place is where they are.
        turned: share of those whose best place is a mirrored or turned one.
        spread: share of the samples that do not have the most frequent place.
    """

    here: float
    best: float
    strangers: float
    surplus: float
    placed: float
    turned: float
    spread: float


def fit(pictures: Maps, maps: Maps) -> Fit | None:
    """How maps, of shape (N, H, W), fit pictures, of shape (N, C, H, W); None if too few say it.

    Of the channels, and of their distances from their means, that counts which fits best.
    """
    kept = maps.std((1, 2)) > 1e-6
    pictures, maps = pictures[kept], maps[kept]
    if len(maps) < FEWEST:
        return None
    far = np.abs(pictures - pictures.mean((2, 3), keepdims=True))
    found = [look(channel, maps) for channel in np.moveaxis(
        np.concatenate([pictures, far], 1), 1, 0) if np.all(channel.std((1, 2)) > 1e-6)
        for look in (_moved, _turned)]
    return max(found, key=lambda one: one.surplus, default=None)


def _moved(pictures: Maps, maps: Maps) -> Fit:
    """Among all movements, and mirror images of them."""
    return _fitted(pictures, maps, _search)


def _turned(pictures: Maps, maps: Maps) -> Fit:
    """Among mirror images and quarter turns, where they are: maps of others fit much less then."""
    return _fitted(pictures, maps, _turn)


def _fitted(
    pictures: Maps, maps: Maps, search: Callable[[Maps, Maps], tuple[Floats, Floats, Integers]]
) -> Fit:
    order = np.random.default_rng(SEED).permutation(len(maps))
    # Each map goes to the next one in a random circle: none to its own.
    strangers = np.empty_like(order)
    strangers[order] = np.roll(order, 1)
    here, best, where = search(pictures, maps)
    _, others, _ = search(pictures, maps[strangers])
    apart = best - others
    error = float(apart.std(ddof=1)) / np.sqrt(len(apart))
    _, counts = np.unique(where, axis=0, return_counts=True)
    placed = (where[:, 0] == 0) & (np.abs(where[:, 1:]).max(1) <= NEAR)
    return Fit(float(np.abs(here.mean())), float(best.mean()), float(others.mean()),
               float(apart.mean()) / max(error, 1e-9), float(placed.mean()),
               float((where[:, 0] > 0).mean()), 1 - float(counts.max()) / len(where))


def _search(pictures: Maps, maps: Maps) -> tuple[Floats, Floats, Integers]:
    """Correlations in place and at the best one, (N,), and the best: turn, and movement in cells.

    A fit of the other sign is as good.
    """
    every = _correlations(pictures[:, None], np.stack(_mirrored(maps), 1))
    count, *shape = every.shape
    places = np.abs(every).reshape(count, -1).argmax(1)
    best = np.abs(every).reshape(count, -1)[np.arange(count), places]
    turn, down, right = np.unravel_index(places, shape)
    where = np.stack([turn, *((moved + size // 2) % size - size // 2 for moved, size in (
        (down, shape[1]), (right, shape[2])))], 1)
    return every[:, 0, 0, 0], best, where


def _turn(pictures: Maps, maps: Maps) -> tuple[Floats, Floats, Integers]:
    """The same without movements, and with quarter turns of square maps."""
    turns = _mirrored(maps)
    if maps.shape[1] == maps.shape[2]:
        turns += _mirrored(maps.swapaxes(1, 2))
    every = np.stack([_correlation(pictures, each) for each in turns], 1)
    turn = np.abs(every).argmax(1)
    best = np.abs(every)[np.arange(len(turn)), turn]
    where = np.stack([turn, np.zeros_like(turn), np.zeros_like(turn)], 1)
    return every[:, 0], best, where


def _mirrored(maps: Maps) -> list[Maps]:
    turns = [maps, maps[:, :, ::-1]]
    return [*turns, maps[:, ::-1], maps[:, ::-1, ::-1]] if maps.shape[1] > 1 else turns


def _correlation(a: Maps, b: Maps) -> Floats:
    a, b = (x - x.mean((1, 2), keepdims=True) for x in (a, b))
    scale = np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2)))
    return np.asarray((a * b).sum((1, 2)) / np.maximum(scale, 1e-30))


def _correlations(a: Maps, b: Maps) -> Maps:
    """The correlation of `a` with `b` moved by each number of rows and columns, modulo the shape.

    Both along the last two axes; zero where they overlap too little.
    """
    height, width = a.shape[-2:]
    shape = (2 * height if height > 1 else 1, 2 * width)
    a, b = (x - x.mean((-2, -1), keepdims=True) for x in (a, b))
    ones = np.fft.rfft2(np.ones((height, width)), shape)
    fa, fb = np.fft.rfft2(a, shape), np.fft.rfft2(b, shape)

    def together(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> Maps:
        return np.asarray(np.fft.irfft2(left * np.conj(right), shape))

    count = np.maximum(together(ones, ones), 1.0)
    sum_a, sum_b = together(fa, ones), together(ones, fb)
    cross = together(fa, fb) - sum_a * sum_b / count
    spread_a = together(np.fft.rfft2(a**2, shape), ones) - sum_a**2 / count
    spread_b = together(ones, np.fft.rfft2(b**2, shape)) - sum_b**2 / count
    floor_a, floor_b = (FLAT * (x**2).sum((-2, -1), keepdims=True) for x in (a, b))
    there = (count >= OVERLAP * height * width) & (spread_a > floor_a) & (spread_b > floor_b)
    scale = np.sqrt(np.maximum(spread_a * spread_b, 1e-30))
    return np.where(there, cross / scale, 0.0)
