"""Which seeds of a worker_init_fn differ from worker to worker, and which are the same in all."""

from __future__ import annotations

import functools
import os
import random
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from unstuck.observe.probes.workers import global_generators
from unstuck.observe.source.sites import Sites
from unstuck.observe.source.starting import seeding_of

SEED, EPOCH = 3, 0


def alike(worker: int) -> None:
    np.random.seed(SEED)


def by_a_variable(worker: int) -> None:
    number = 10 * SEED + 1
    random.seed(number)
    np.random.seed(int(number))


def set_seed(number: int = 0) -> None:
    random.seed(number)
    torch.manual_seed(number)
    torch.cuda.manual_seed_all(number)


def by_a_helper(worker: int) -> None:
    set_seed(SEED)


def torch_before(worker: int) -> None:
    torch.manual_seed(SEED)
    np.random.seed(torch.initial_seed() % 2**32)


def by_the_epoch_alone(worker: int) -> None:
    np.random.seed(SEED + EPOCH)


class Job:
    def start(self, worker: int) -> None:
        random.seed(self.number)

    number = 1


def by_the_worker(worker: int) -> None:
    np.random.seed(SEED + worker)
    random.seed(1000 * EPOCH + worker)


def by_pytorch(worker: int) -> None:
    number = torch.initial_seed() % 2**32
    np.random.seed(number)
    random.seed(number)


def by_its_information(worker: int) -> None:
    information = get_worker_info()
    np.random.seed(information.seed % 2**32)  # type: ignore[union-attr]


def by_its_state(worker: int) -> None:
    np.random.seed(np.random.get_state()[1][0] + 1)  # type: ignore[index]


def by_the_helper_apart(worker: int) -> None:
    set_seed(SEED + worker)


def by_the_process(worker: int) -> None:
    np.random.seed(os.getpid())


def afresh(worker: int) -> None:
    np.random.seed()


def nothing(worker: int) -> None:
    torch.set_num_threads(1)


def own_generator(worker: int) -> None:
    get_worker_info().dataset.rng = np.random.default_rng(worker)  # type: ignore[union-attr]


def own_generator_alike(worker: int) -> None:
    get_worker_info().dataset.rng = np.random.default_rng(SEED)  # type: ignore[union-attr]


def in_some(worker: int) -> None:
    if worker:
        np.random.seed(SEED)


def by_the_clock(worker: int) -> None:
    np.random.seed(int(time.time()))


def of_something(worker: int) -> None:
    np.random.seed(hash(object()) % 2**32)


@pytest.mark.parametrize(("initialise", "generators"), [
    (alike, {"numpy.random"}),
    (by_a_variable, {"numpy.random", "random"}),
    (by_a_helper, {"random", "torch"}),
    (torch_before, {"torch", "numpy.random"}),
    (by_the_epoch_alone, {"numpy.random"}),
    (Job().start, {"random"}),
    (functools.partial(alike), {"numpy.random"}),
    (lambda worker: np.random.seed(SEED), {"numpy.random"}),
    *((each, set()) for each in (
        by_the_worker, by_pytorch, by_its_information, by_its_state, by_the_helper_apart,
        by_the_process, afresh, nothing, own_generator)),
    (lambda worker: np.random.seed(SEED + worker), set()),
])
def test_what_starts_alike(initialise: Any, generators: set[str]) -> None:
    found = seeding_of(initialise, Sites(None, keep_text=True))
    assert found is not None
    assert found.alike() == generators
    assert set(found.places) == generators


@pytest.mark.parametrize("initialise", [
    own_generator_alike, in_some, by_the_clock, of_something, np.sin])
def test_what_cannot_be_told(initialise: Any) -> None:
    assert seeding_of(initialise, Sites(None, keep_text=True)) is None


class Samples(Dataset[Any]):
    def __getitem__(self, index: int) -> Any:
        return index


class Noisy(Samples):
    def __getitem__(self, index: int) -> Any:
        return np.random.normal() + random.random() + self.more()

    def more(self) -> Any:
        return torch.randn(2)


class SeededBySample(Samples):
    def __getitem__(self, index: int) -> Any:
        np.random.seed(index)
        return np.random.normal()


@pytest.mark.parametrize(("data", "generators"), [
    (Samples(), set()), (SeededBySample(), set()), (Noisy(), {"numpy.random", "random", "torch"}),
])
def test_what_fetching_draws_from(data: Dataset[Any], generators: set[str]) -> None:
    loader: DataLoader[Any] = DataLoader(data, num_workers=2)
    assert global_generators(loader, Sites(None, keep_text=True)) == generators
