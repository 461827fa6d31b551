"""Scores of values that compare each prediction with the targets of all samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from unstuck.observe.source.named import Scope
from unstuck.schema.facts.scores import Counting, Score
from unstuck.schema.places import SourceLocation

FEWEST, MOST = 20, 2_000  # samples of an evaluation
MOST_BATCHES = 8  # of an evaluation: each takes N * N numbers
ENOUGH = 50  # values of a variable that agree
SAME = 1e-4  # relative: the program may add up in another order
Errors = dict[str, float]


class AllPairs:
    """Compares the program's numbers with the errors of a column against a row, and the right ones.

    A column of predictions (N, 1) less a row of targets (N,) is a square (N, N).
    """

    def __init__(
        self, write: Callable[[str, float, float], None],
        place: Callable[[Scope, str], SourceLocation | None],
    ) -> None:
        self._write = write  # a variable, its value and the right one
        self._place = place
        self._batches: list[tuple[Errors, Errors]] = []  # wrong and right, of this evaluation
        self._held: dict[str, float] = {}  # what each variable held last
        self._agreed: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._places: dict[str, SourceLocation | None] = {}

    def add(self, output: torch.Tensor, targets: torch.Tensor) -> None:
        """Takes in a batch that the program evaluates; both on the host, of one size."""
        if len(self._batches) > MOST_BATCHES or max(self._agreed.values(), default=0) >= ENOUGH:
            return
        if {output.ndim, targets.ndim} == {1, 2} and FEWEST <= output.numel() <= MOST and (
            output.numel() == len(output)
        ):
            given, wanted = output.reshape(-1).double(), targets.reshape(-1).double()
            self._batches.append((_errors(given[:, None] - wanted, wanted),
                                  _errors(given - wanted, wanted)))

    def compare(self, near: list[Scope]) -> None:
        """Looks whether variables that have changed hold such an error."""
        if not self._batches or len(self._batches) > MOST_BATCHES:
            return
        for scope in near:
            for name, value in scope.numbers():
                called = f"{scope.function}: {name}"
                if self._held.get(called) == value or not value:
                    continue
                self._held[called] = value
                wrong, right = (_holding(value, [each[side] for each in self._batches])
                                for side in (0, 1))
                if wrong is None or right is not None:
                    self._others[called] = self._others.get(called, 0) + (wrong is None)
                    continue
                if called not in self._places:
                    self._places[called] = self._place(scope, name)
                self._agreed[called] = self._agreed.get(called, 0) + 1
                true = sum(each[1][wrong] for each in self._batches) / len(self._batches)
                self._write(called, value, true)

    def ended(self) -> None:
        """The evaluation has ended."""
        self._batches = []

    def scores(self) -> Iterator[Score]:
        """The variables that hold such errors, and hardly anything else."""
        for called, agreed in self._agreed.items():
            if agreed > self._others.get(called, 0):
                yield Score(called, Counting.ALL, agreed, self._places.get(called))


def _errors(differences: torch.Tensor, targets: torch.Tensor) -> Errors:
    """What a program may make of differences: mean errors, and shares of the variance."""
    square = float(differences.square().mean())
    found = {"square": square, "root": math.sqrt(square),
             "modulus": float(differences.abs().mean())}
    times = differences.numel() / len(targets)  # where both are summed
    for name, spread in (("share", float(targets.var(correction=0))),
                         ("share of N - 1", float(targets.var()))):
        if spread > 0:
            found |= {name: 1 - square / spread, f"{name}, summed": 1 - times * square / spread}
    return found


def _holding(value: float, batches: list[Errors]) -> str | None:
    """Which error a number is: the last batch's, or the mean of all."""
    for name in batches[-1]:
        mean = sum(each.get(name, math.nan) for each in batches) / len(batches)
        if any(math.isclose(value, form, rel_tol=SAME) for form in (batches[-1][name], mean)):
            return name
    return None
