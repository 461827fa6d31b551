"""Tests what is computed of kept samples about their labels, on arrays."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unstuck.measures.labels import above_chance, interval
from unstuck.observe.samples import cheap
from unstuck.observe.samples.classes import Classes, are_positions, classes_of, rankings
from unstuck.observe.samples.kept import Samples
from unstuck.observe.samples.noise import confident, noise
from unstuck.observe.samples.pairing import dependence


def samples_of(inputs, targets, outputs=None, loss="cross_entropy", indices=None) -> Samples:  # type: ignore[no-untyped-def]
    count = len(inputs)
    given = None if outputs is None else np.asarray(outputs, np.float32)[:, None]
    targets = np.asarray(targets, np.float64).reshape(count, -1)
    return Samples(
        inputs=np.asarray(inputs, np.float32), features=inputs.shape[1],
        discrete=inputs.dtype.kind == "i", targets=targets,
        class_indices=loss == "cross_entropy" and targets.shape[1] == 1, outputs=given, losses=None,
        steps=np.zeros((count, 1), np.int64), indices=indices, loss=loss,
        scored=np.ones(count, bool))


def clusters(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count)
    centres = generator.normal(size=(4, 6)) * 3
    return centres[labels] + generator.normal(size=(count, 6)), labels


def learned(inputs) -> tuple[tuple[cheap.Floats, ...], list[cheap.Floats]]:  # type: ignore[no-untyped-def]
    samples = samples_of(inputs, np.zeros(len(inputs)))
    features = cheap.views(samples, cheap.chosen(samples))
    return features, list(cheap.learners(features))


def told(found: list[cheap.Floats], targets: cheap.Floats) -> cheap.Floats:
    return cheap.best([learner @ (targets - targets.mean(0)) for learner in found], targets)


# Cheap learners ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("samples", "features"), [(200, 7), (900, 60), (40, 39)])
def test_a_linear_learner_is_the_same_by_features_and_by_samples(
    samples: int, features: int
) -> None:
    view = np.random.default_rng(0).standard_normal((samples, features))
    np.testing.assert_allclose(
        cheap._linear(view), cheap._ridge(view @ view.T), atol=1e-7)


def test_a_learner_does_not_know_the_sample_that_it_predicts() -> None:
    _, found = learned(clusters(80, 0)[0])
    assert len(found) == 3
    for smoother in found:
        assert np.all(np.diag(smoother) == 0)


def test_the_closed_form_equals_leaving_each_sample_out() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(30, 4)), generator.normal(size=30)
    kernel = x @ x.T
    ridge = cheap.RIDGE * np.trace(kernel) / 30
    told = cheap._ridge(kernel.copy()) @ y
    for i in range(30):
        others = np.arange(30) != i
        weights = np.linalg.solve(kernel[np.ix_(others, others)] + ridge * np.eye(29), y[others])
        assert told[i] == pytest.approx(kernel[i, others] @ weights)


def test_augmented_copies_of_one_sample_are_taken_once() -> None:
    indices = np.array([3, 1, 3, 2, 1, 0])
    samples = samples_of(np.ones((6, 2)), np.zeros(6), indices=indices)
    assert indices[cheap.chosen(samples)].tolist() == [3, 1, 2, 0]


def test_tokens_are_counted() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, (50, 7))
    samples = samples_of(tokens, tokens[:, 0])
    (features,) = cheap.views(samples, cheap.chosen(samples))
    assert features.shape == (50, 9 + 9 * 7)


# Dependence --------------------------------------------------------------------------------------
def test_labels_that_depend_on_inputs_stand_out() -> None:
    inputs, labels = clusters(200, 2)
    tested = dependence(*learned(inputs), cheap.one_hot(labels, 4))
    assert tested is not None
    assert tested[0] > 20
    assert tested[1] == pytest.approx(0.01)


def test_permuted_labels_stand_nowhere() -> None:
    inputs, labels = clusters(200, 3)
    features, found = learned(inputs)
    scores = []
    for seed in range(20):
        mixed = np.random.default_rng(seed).permutation(labels)
        tested = dependence(features, found, cheap.one_hot(mixed, 4))
        assert tested is not None
        scores.append(tested[0])
    assert max(scores) < 4.5
    assert sum(score > 2.5 for score in scores) <= 4


def test_an_exclusive_or_is_found() -> None:
    inputs = np.random.default_rng(4).uniform(-1, 1, (400, 2))
    labels = (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int64)
    tested = dependence(*learned(inputs), cheap.one_hot(labels, 2))
    assert tested is not None
    assert tested[0] > 20


def test_more_classes_than_are_tested_one_by_one() -> None:
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 40, 400)
    inputs = generator.normal(size=(40, 8))[labels] + 0.3 * generator.normal(size=(400, 8))
    tested = dependence(*learned(inputs), cheap.one_hot(labels, 40))
    assert tested is not None
    assert tested[0] > 20


def test_no_generator_of_the_program_is_touched() -> None:
    inputs, labels = clusters(120, 6)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    dependence(*learned(inputs), cheap.one_hot(labels, 4))
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert before == after


@pytest.mark.parametrize("inputs", [np.zeros((50, 3)), np.full((50, 3), np.nan), np.ones((5, 2))])
def test_inputs_that_tell_nothing(inputs: NDArray[np.float64]) -> None:
    features, found = learned(inputs)
    targets = cheap.one_hot(np.arange(len(inputs)) % 2, 2)
    assert not found
    assert dependence(features, found, targets) is None


# Classes -----------------------------------------------------------------------------------------
def test_labels_of_a_binary_loss() -> None:
    outputs = np.array([[2.0], [-1.0], [0.5]])
    classes = classes_of(samples_of(
        np.ones((3, 2)), [1, 0, 0], outputs, "binary_cross_entropy_with_logits"))
    assert classes is not None
    assert classes.scores is not None
    assert classes.labels.tolist() == [1, 0, 0]
    assert classes.scores[:, 0].argmax(1).tolist() == [1, 0, 1]


def test_labels_of_one_hot_rows_and_ignored_ones() -> None:
    hot = classes_of(samples_of(np.ones((3, 2)), np.eye(3), np.eye(3), "mse_loss"))
    assert hot is not None
    assert hot.labels.tolist() == [0, 1, 2]
    some = classes_of(samples_of(np.ones((4, 2)), [0, -100, 2, 1], np.zeros((4, 3))))
    assert some is not None
    assert some.rows.tolist() == [0, 2, 3]


@pytest.mark.parametrize("targets", [np.full((4, 3), 1 / 3), np.ones((4, 3)), np.zeros(4)])
def test_soft_multiple_and_constant_labels_are_no_classes(targets: NDArray[np.float64]) -> None:
    outputs = np.zeros((4, 3))
    assert classes_of(samples_of(np.ones((4, 2)), targets, outputs)) is None


def test_positions_in_the_batch_are_no_classes() -> None:
    rows = np.arange(6)
    classes = Classes(rows, rows % 3, 3, None, np.zeros((6, 1), np.int64))
    assert are_positions(classes, (rows[:3], rows[3:]))
    assert not are_positions(classes, (rows[[0, 3]], rows[[1, 2]]))
    assert not are_positions(classes, ())


# Noise -------------------------------------------------------------------------------------------
def test_suspects_are_those_of_cleanlab() -> None:
    library = pytest.importorskip("cleanlab.filter")
    generator = np.random.default_rng(7)
    labels = generator.integers(0, 5, 300)
    scores = generator.random((300, 5)) + 1.2 * cheap.one_hot(labels, 5)
    scores /= scores.sum(1, keepdims=True)
    labels[:60] = generator.integers(0, 5, 60)
    issues = library.find_label_issues(
        labels, scores, filter_by="confident_learning", n_jobs=1)
    assert issues.sum() > 20
    assert np.array_equal(confident(labels, scores), issues)


def test_the_share_of_wrong_labels_is_estimated_and_the_suspects_are_they() -> None:
    inputs, right = clusters(600, 8)
    generator = np.random.default_rng(9)
    wrong = generator.random(600) < 0.25
    labels = np.where(wrong, (right + generator.integers(1, 4, 600)) % 4, right)
    _, found = learned(inputs)
    scores = told(found, cheap.one_hot(labels, 4))
    network = 3 * cheap.one_hot(right, 4) + generator.normal(size=(600, 4))
    visits = np.repeat(network[:, None], 2, axis=1)
    classes = Classes(np.arange(600), labels, 4, visits, np.zeros((600, 2), np.int64))
    seen = noise(classes, scores)
    assert seen is not None
    assert seen.disagreement["surest half"] == pytest.approx(wrong.mean(), abs=0.08)
    both = seen.confident & seen.early
    assert wrong[both].mean() > 0.9
    assert both[wrong].mean() > 0.6
    assert seen.learned < 0.2


def test_overlapping_classes_disagree_where_nothing_is_sure() -> None:
    generator = np.random.default_rng(10)
    labels = generator.integers(0, 2, 800)
    inputs = generator.normal(size=(800, 2)) + 1.6 * labels[:, None] * [1, 0]
    _, found = learned(inputs)
    scores = told(found, cheap.one_hot(labels, 2))
    side = inputs[:, :1] - 0.8
    network = np.repeat(np.concatenate([-side, side], 1)[:, None], 2, axis=1)
    seen = noise(Classes(np.arange(800), labels, 2, network, np.zeros((800, 2), np.int64)), scores)
    assert seen is not None
    assert seen.disagreement["all"] > 0.1
    assert seen.disagreement["surest quarter"] < 0.5 * seen.disagreement["all"]


# Figures -----------------------------------------------------------------------------------------
def test_the_area_under_the_curve() -> None:
    scores = np.array([[0.0], [1.0], [2.0], [2.0]])
    labels = np.array([1, 1, 0, 1])
    assert rankings(scores, labels)["0"] == pytest.approx((1 + 1 + 0.5) / 3)


def test_intervals() -> None:
    low, high = interval(0.1, 100)
    assert (low, high) == (pytest.approx(0.0552, abs=1e-3), pytest.approx(0.1744, abs=1e-3))
    assert interval(float("nan"), 10) == interval(0.5, 0) == (0.0, 1.0)
    assert above_chance(0.6, 0.5, 100) == pytest.approx(2.0)
    assert above_chance(0.3, 0.0, 100) == pytest.approx(3.0)
