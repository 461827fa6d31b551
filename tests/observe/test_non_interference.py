"""A watched program is the program: a rotating sixtieth of the corpus, bit for bit.

With UNSTUCK_ALL=1 all of them to their end, as `python -m benchmarks.non_interference` does.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from benchmarks.non_interference import Comparison, Run, compare, every_run
from harness import apart

STEPS = 40  # optimizer steps of each program; the close looks are densest in the first
PARTS = 120
ALL = bool(os.environ.get("UNSTUCK_ALL"))


def turn() -> int:
    """Which part it is: another when the code has changed, and the same wherever it is tested."""
    return int(apart.mark(apart.PACKAGE.rglob("*.py")), 16) % PARTS


def part(number: int, runs: list[Run]) -> list[Run]:
    """One part of all."""
    return runs[number::PARTS]


@pytest.mark.parametrize("run", [] if ALL else part(turn(), every_run(STEPS)), ids=str)
def test_the_first_steps_are_the_same_bare_and_watched(run: Run) -> None:
    check(compare(run))


@pytest.mark.slow
@pytest.mark.parametrize("run", every_run(), ids=str)
def test_whole_programs_are_the_same_bare_and_watched(run: Run) -> None:
    check(compare(run))


def check(found: Comparison) -> None:
    """A program that was compared, and the same."""
    assert found.trouble is None
    assert found.differences == ()
    assert found.tensors > 0
    assert found.same


def test_the_parts_are_everything() -> None:
    every = every_run(STEPS)
    runs = [run for number in range(PARTS) for run in part(number, every)]
    assert sorted(map(str, runs)) == sorted(map(str, every))
    assert len({(run.file, run.function) for run in runs}) == len(runs) > 0


PROGRAM = """
import random, sys
import torch

def main(seed=0, moves=lambda: None):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(5, 3)).square().mean().backward()
        optimizer.step()
        moves()
    return model, optimizer

# What a bad watcher might do, as far as the program can tell that it is watched.
watched = "__unstuck_Module___init__" in vars(torch.nn.modules.module)

def weights():
    model, optimizer = main()
    with torch.no_grad():
        model[0].weight[0, 0] += 1e-7 * watched
    return model, optimizer

def buffers():
    model, optimizer = main()
    model[1].num_batches_tracked += watched
    return model, optimizer

def state():
    model, optimizer = main()
    next(iter(optimizer.state.values()))["exp_avg"][0] *= 1 + watched
    return model, optimizer

def mode():
    model, optimizer = main()
    return model.train(not watched), optimizer

def torch_random():
    return main(moves=lambda: torch.rand(1) if watched else None)

def python_random():
    return main(moves=lambda: random.random() if watched else None)

def numpy_random():
    import numpy as np
    return main(moves=lambda: np.random.rand() if watched else None)

def printed():
    print("watched" if watched else "bare")
    return main()

def raised():
    raise ValueError(watched)

def nothing():
    main()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Run:
    file = tmp_path_factory.mktemp("programs") / "small.py"
    file.write_text(PROGRAM)
    return Run(file, "main")


@pytest.mark.parametrize(("function", "difference"), [
    ("weights", "returned.0.0.weight"), ("buffers", "returned.0.1.num_batches_tracked"),
    ("state", "returned.1.state.state.0.exp_avg"), ("mode", "returned.0.1.training"),
    ("torch_random", "torch's random state"), ("python_random", "random"),
    ("numpy_random", "numpy's random state"), ("printed", "what was printed"),
    ("raised", "exception"),
])
def test_a_difference_would_be_seen(program: Run, function: str, difference: str) -> None:
    found = compare(replace(program, function=function))
    assert found.trouble is None
    assert difference in found.differences
    assert not found.same


def test_what_is_the_same_is_called_so(program: Run) -> None:
    for run in (program, replace(program, steps=2)):
        found = compare(run)
        assert found.trouble is None
        assert found.same
        assert found.tensors > 20


def test_nothing_to_compare_is_trouble(program: Run) -> None:
    found = compare(replace(program, function="nothing"))
    assert found.trouble == "the function returns nothing to compare"
    assert not found.same
