"""Cheap learners: what each sample's label would be, told by all other samples. Numpy only.

A learner is a matrix S of shape (N, N) with a zero diagonal, which depends on the inputs alone:
S @ y predicts every y from the others. So other labels, permuted ones for instance, cost one
product of matrices.
"""

from __future__ import annotations

import numpy as np

from unstuck.observe.reservoir import Samples
from unstuck.record import Floats, Integers

MOST = 1_000  # samples: some inverses of matrices of that size are the work
NEIGHBOURS = 10
RIDGE = 0.03  # of the kernel's mean diagonal
WORDS = 1_000  # most frequent tokens that are counted
POSITIONS = 2_000  # columns that say which token stands where
QUANTILES = 16
FREQUENCIES = 64
SPREAD = 5.0  # standard deviations at which a feature is cut: one outlier must not rule distances


def chosen(samples: Samples) -> Integers:
    """The numbers of at most MOST samples, evenly picked, each index of the data set once."""
    numbers = np.arange(len(samples))
    if samples.indices is not None:
        # Augmented copies of one sample share its label, and would tell each other's.
        numbers = np.sort(np.unique(samples.indices, return_index=True)[1])
    picked = np.unique(np.linspace(0, len(numbers) - 1, min(MOST, len(numbers))).astype(int))
    return np.asarray(numbers[picked])


def views(samples: Samples, numbers: Integers) -> tuple[Floats, ...]:
    """Standardised features, each of shape (n, F): as they are, and independent of the place."""
    given = samples.inputs[numbers].astype(np.float64)
    if samples.discrete:
        return (_scaled(_words(given)),)
    given = np.nan_to_num(given, posinf=0.0, neginf=0.0)
    if given.shape[1] < QUANTILES:
        return (_scaled(given),)
    spectrum = np.abs(np.fft.rfft(given - given.mean(1, keepdims=True), axis=1))
    parts = np.array_split(np.arange(spectrum.shape[1]), min(FREQUENCIES, spectrum.shape[1]))
    bands = np.stack([spectrum[:, part].mean(1) for part in parts], 1)
    spots = np.quantile(given, np.linspace(0, 1, QUANTILES), axis=1).T
    moments = np.stack([given.mean(1), given.std(1)], 1)
    return _scaled(given), _scaled(np.concatenate([bands, spots, moments], 1))


def _words(tokens: Floats) -> Floats:
    """Counts of the most frequent tokens, and which one stands where if that is little."""
    kinds, counts = np.unique(tokens, return_counts=True)
    kinds = kinds[np.argsort(-counts, kind="stable")][:WORDS]
    bag = np.stack([(tokens == kind).sum(1) for kind in kinds], 1).astype(np.float64)
    if len(kinds) * tokens.shape[1] > POSITIONS:
        return bag
    there = (tokens[:, :, None] == kinds).reshape(len(tokens), -1).astype(np.float64)
    return np.concatenate([bag, there], 1)


def _scaled(features: Floats) -> Floats:
    deviation = features.std(0)
    varied = deviation > 1e-6 * np.maximum(np.abs(features).max(0, initial=0.0), 1e-12)
    kept = (features[:, varied] - features[:, varied].mean(0)) / deviation[varied]
    return np.asarray(np.clip(kept, -SPREAD, SPREAD))


def learners(features: tuple[Floats, ...]) -> list[Floats]:
    """Nearest neighbours, linear and Gaussian kernel ridge regression for each of the views."""
    found = []
    for view in features:
        if len(view) <= 2 * NEIGHBOURS or not view.shape[1]:
            continue
        products = view @ view.T
        squares = np.diag(products)
        distances = np.maximum(squares[:, None] + squares - 2 * products, 0.0)
        found.append(_neighbours(distances))
        found.append(_ridge(products))
        typical = float(np.median(distances[::8]))
        if typical > 0:
            found.append(_ridge(np.exp(-distances / typical)))
    return found


def _neighbours(distances: Floats) -> Floats:
    apart = distances.copy()
    np.fill_diagonal(apart, np.inf)
    nearest = np.argpartition(apart, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    smoother = np.zeros_like(apart)
    np.put_along_axis(smoother, nearest, 1 / NEIGHBOURS, axis=1)
    return np.asarray(smoother)


def _ridge(kernel: Floats) -> Floats:
    """Leave-one-out predictions in closed form: y - (K^-1 y) / diag(K^-1).

    Source: Rifkin and Lippert 2007, Notes on regularized least squares, section 3.
    """
    inverse = np.linalg.inv(kernel + np.eye(len(kernel)) * RIDGE * np.trace(kernel) / len(kernel))
    smoother = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(smoother, 0.0)
    return np.asarray(smoother)


def best(found: list[Floats], targets: Floats) -> Floats:
    """Predictions of targets, (n, K), by the learner whose ones correlate best with them."""
    mean = targets.mean(0)
    wanted = targets - mean
    given = [learner @ wanted for learner in found]
    return np.asarray(mean + max(given, key=lambda values: _correlation(values, wanted)))


def _correlation(given: Floats, wanted: Floats) -> float:
    """The mean correlation of the columns."""
    apart = given - given.mean(0)
    sizes = np.linalg.norm(apart, axis=0) * np.linalg.norm(wanted, axis=0)
    return float(np.mean(np.sum(apart * wanted, axis=0) / np.where(sizes > 0, sizes, np.inf)))


def one_hot(labels: Integers, count: int) -> Floats:
    """Zeros and a one a row: (n, K)."""
    return np.asarray(np.equal(labels[:, None], np.arange(count)), dtype=np.float64)


def ranks(values: Floats) -> Floats:
    """Ranks from 1 on of values of shape (n,), those of equal ones averaged."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[where])
