"""Baseline models: each sample's label as predicted from all other samples. Numpy only.

A learner is a matrix S of shape (N, N) with a zero diagonal, which depends on the inputs alone:
S @ y predicts every y from the others. So other labels, permuted ones for instance, cost one
product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unstuck.observe.samples.kept import Samples
from unstuck.record.series import Floats, Integers

MOST = 1_000  # samples: some inverses of matrices of that size are the work
NEIGHBOURS = 10
RIDGE = 0.03  # of the kernel's mean diagonal
WORDS = 1_000  # most frequent tokens that are counted
POSITIONS = 2_000  # columns that say which token stands where
QUANTILES = 16
FREQUENCIES = 64
DIRECT = 400  # rows of a matrix that is inverted as a whole
STRIPE = 128  # samples, or features, that are worked on at a time
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
    given = np.nan_to_num(given, copy=False, posinf=0.0, neginf=0.0)
    if given.shape[1] < QUANTILES:
        return (_scaled(given),)
    spots = np.concatenate([_spots(given[i:i + STRIPE]) for i in range(0, len(given), STRIPE)])
    return _scaled(given), _scaled(spots)


def _spots(given: Floats) -> Floats:
    """What a sample holds wherever it stands: frequencies, quantiles, mean, standard deviation."""
    spectrum = np.abs(np.fft.rfft(given - given.mean(1, keepdims=True), axis=1))
    parts = np.array_split(np.arange(spectrum.shape[1]), min(FREQUENCIES, spectrum.shape[1]))
    bands = np.stack([spectrum[:, part].mean(1) for part in parts], 1)
    spots = np.quantile(given, np.linspace(0, 1, QUANTILES), axis=1).T
    moments = np.stack([given.mean(1), given.std(1)], 1)
    return np.concatenate([bands, spots, moments], 1)


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
    """Standardised columns of those that vary; some at a time, in the place of what is given."""
    count = 0
    for i in range(0, features.shape[1], STRIPE):
        part = features[:, i:i + STRIPE]
        deviation = part.std(0)
        varied = deviation > 1e-6 * np.maximum(np.abs(part).max(0, initial=0.0), 1e-12)
        kept = (part[:, varied] - part[:, varied].mean(0)) / deviation[varied]
        features[:, count:count + kept.shape[1]] = np.clip(kept, -SPREAD, SPREAD)
        count += kept.shape[1]
    return features[:, :count]


def learners(features: tuple[Floats, ...]) -> Iterator[Floats]:
    """Linear and Gaussian kernel ridge regression and nearest neighbours, for each of the views.

    One matrix at a time: each is as large as all that they are made from.
    """
    for view in features:
        if len(view) <= 2 * NEIGHBOURS or not view.shape[1]:
            continue
        yield _linear(view) if view.shape[1] < len(view) else _ridge(view @ view.T)
        distances = view @ view.T  # once more: to keep them takes as much memory as all else
        squares = np.diag(distances).copy()
        for i, row in enumerate(distances):
            distances[i] = np.maximum(squares[i] + squares - 2 * row, 0.0)
        yield _neighbours(distances)
        typical = float(np.median(distances[::8]))
        if typical > 0:
            np.negative(distances, out=distances)
            distances /= typical
            yield _ridge(np.exp(distances, out=distances))


def _neighbours(distances: Floats) -> Floats:
    own = np.diag(distances).copy()
    np.fill_diagonal(distances, np.inf)
    smoother = np.zeros_like(distances)
    for row, told in zip(distances, smoother, strict=True):
        told[np.argpartition(row, NEIGHBOURS)[:NEIGHBOURS]] = 1 / NEIGHBOURS
    distances[np.diag_indices(len(own))] = own
    return smoother


def _linear(view: Floats) -> Floats:
    """What `_ridge(view @ view.T)` is, by an inverse as large as the features are many.

    Leave-one-out predictions from the hat matrix: (H y)_i / (1 - H_ii), j = i left out.
    """
    inner = view.T @ view
    inner[np.diag_indices(len(inner))] += RIDGE * np.trace(inner) / len(view)
    smoother = (view @ _inverse(inner)) @ view.T
    smoother /= 1 - np.diag(smoother).copy()[:, None]
    np.fill_diagonal(smoother, 0.0)
    return smoother


def _ridge(kernel: Floats) -> Floats:
    """Leave-one-out predictions in closed form: y - (K^-1 y) / diag(K^-1); `kernel` is used up.

    Source: Rifkin and Lippert 2007, Notes on regularized least squares, section 3.
    """
    kernel[np.diag_indices(len(kernel))] += RIDGE * np.trace(kernel) / len(kernel)
    smoother = _inverse(kernel)
    diagonal = np.diag(smoother).copy()
    np.negative(smoother, out=smoother)
    smoother /= diagonal[:, None]
    np.fill_diagonal(smoother, 0.0)
    return smoother


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a positive definite matrix; of a large one by halves, in its own place.

    Numpy's own takes four matrices of that size.
    """
    if len(matrix) <= DIRECT:
        return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    half = len(matrix) // 2
    corner, rest = matrix[:half, half:], matrix[half:, half:]
    first = _inverse(matrix[:half, :half].copy())
    across = first @ corner
    second = _inverse(rest - corner.T @ across)
    both = across @ second
    matrix[:half, :half] = first + both @ across.T
    matrix[:half, half:], matrix[half:, :half] = -both, -both.T
    matrix[half:, half:] = second
    return matrix


def best(predictions: list[Floats], targets: Floats) -> Floats:
    """The predictions of targets, (n, K), that correlate best with them.

    Args:
        predictions: of each learner, of the targets less their mean.
        targets: what is predicted.
    """
    mean = targets.mean(0)
    wanted = targets - mean
    return np.asarray(mean + max(predictions, key=lambda values: _correlation(values, wanted)))


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
