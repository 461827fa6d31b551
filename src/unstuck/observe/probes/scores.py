"""Whether what a program counts as right predictions of a binary classifier is that."""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.source.sites import expression_at, local_variables, syntax_tree
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.scores import Counting, Score
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.scores import TOLD_SCORE, TRUE_SCORE

MOST_SAMPLES = 20_000  # of a batch
MOST_PASSES = 200  # over data that are looked at
MOST_NAMES = 500  # of a scope
MOST_KEYS = 50  # of a dictionary
MOST_FRAMES = 24
FEWEST = 20  # samples that a score is of
LOGITS = "binary_cross_entropy_with_logits"
_NAMES = re.compile(r"acc|corr|right|hit|score|match", re.IGNORECASE)
SAME = 1e-5  # relative
APART = 1e-3
MOST = 0.8  # of the values of a variable must agree: a few do by chance


@dataclass(slots=True)
class _Tally:
    """The right predictions of a pass so far, by one way of counting."""

    count: float = 0.0
    means: float = 0.0
    last: tuple[float, float] = (0.0, 0.0)  # count and mean of the last batch

    def add(self, count: float, mean: float) -> None:
        self.count, self.means, self.last = self.count + count, self.means + mean, (count, mean)

    def holds(self, value: float, run: _Pass) -> bool:
        """Whether a number is this, in one of the forms in which a program may keep it."""
        return _is_one_of(value, SAME, self.count, self.means, self.count / run.samples,
                          self.means / run.batches)

    def is_near(self, value: float, run: _Pass) -> bool:
        """Whether a number is about this, or the same of the last batch."""
        return _is_one_of(value, APART, self.count, self.means, self.count / run.samples,
                          self.means / run.batches, *self.last)


@dataclass(slots=True)
class _Pass:
    """A pass over data without gradients, as far as it has come."""

    frame: int
    step: int
    before: dict[str, float]  # the values of the variables when it began, or were last looked at
    labels: str = ""  # the variable that holds them
    samples: int = 0
    batches: int = 0
    tallies: dict[Counting, list[_Tally]] = field(default_factory=dict)


class ScoreProbe(Probe):
    """Compares the program's variables with the ways of counting, after each batch of a pass.

    Only of binary classifiers with one logit, for which a prediction is right in one way.
    """

    signals = (TOLD_SCORE, TRUE_SCORE)
    facts = (Score,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._pass: _Pass | None = None
        self._passes = 0
        self._agreed: dict[tuple[str, Counting], int] = {}
        self._others: dict[str, int] = {}  # values of a variable that are not the right count
        self._places: dict[str, SourceLocation | None] = {}
        self._written: dict[str, int] = {}  # the last step of each score that was written

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at what the batches before have come to, and counts this one."""
        learns, run = self._moment.learns, self._pass
        if (run is None and learns) or self._passes > MOST_PASSES:
            return
        frames = list(self._frames())
        if run is not None and run.samples >= FEWEST:
            self._compare(run, frames)
        self._pass = None
        if learns or not frames or not self._is_scored(output):
            return
        if run is None or (run.frame, run.step) != (id(frames[0]), self._moment.step):
            run = _Pass(id(frames[0]), self._moment.step, dict(_numbers(frames)))
            self._passes += 1
        labels = _labels(run, frames[0], output.numel())
        if labels is not None:
            _count(run, output.detach(), labels)
            self._pass = run

    def _frames(self) -> Iterator[FrameType]:
        """The user's frames, the innermost first."""
        frame: FrameType | None = sys._getframe(2)
        for _ in range(MOST_FRAMES):
            if frame is None:
                return
            if self._sites.is_user(frame.f_code.co_filename):
                yield frame
            frame = frame.f_back

    def _is_scored(self, output: Any) -> bool:
        """Whether these are the logits of a binary classifier."""
        return is_plain(output) and observable(output) and output.is_floating_point() and (
            1 < output.numel() <= MOST_SAMPLES and output.numel() == len(output)
            and output.ndim <= 2
        ) and {known.fact.function for known in self._losses.known.values()} == {LOGITS}

    def _compare(self, run: _Pass, frames: list[FrameType]) -> None:
        """Looks whether variables that have changed hold what one of the ways has come to."""
        right = run.tallies[Counting.RIGHT]
        for frame in frames:
            for name, value in _numbers([frame]):
                if run.before.get(name) == value or not value:
                    continue
                run.before[name] = value
                called = f"{frame.f_code.co_name}: {name}"
                if any(tally.holds(value, run) for tally in right):
                    self._agree(called, Counting.RIGHT)
                if any(tally.is_near(value, run) for tally in right):
                    continue
                self._others[called] = self._others.get(called, 0) + 1
                found = [(how, tally) for how, tallies in run.tallies.items() for tally in tallies
                         if tally.holds(value, run)]
                if len({how for how, _ in found}) == 1:  # else they have come to the same so far
                    how, tally = found[0]
                    self._places.setdefault(called, self._place(frame, name))
                    self._agree(called, how)
                    self._write(called, tally.means / run.batches, right[0].means / run.batches)

    def _agree(self, called: str, how: Counting) -> None:
        self._agreed[called, how] = self._agreed.get((called, how), 0) + 1

    def _write(self, called: str, told: float, true: float) -> None:
        step = self._moment.step
        if self._written.get(called) != step:
            self._written[called] = step
            self._writer.sample(TOLD_SCORE, step, {called: told})
            self._writer.sample(TRUE_SCORE, step, {called: true})

    def _place(self, frame: FrameType, name: str) -> SourceLocation | None:
        """The expression that a variable of a frame is computed by."""
        file, code = frame.f_code.co_filename, frame.f_code
        tree: ast.AST | None = syntax_tree(file)
        if tree is None:
            return None
        scope = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
                      and node.name == code.co_name
                      and node.lineno <= frame.f_lineno <= (node.end_lineno or 0)), tree)
        values = [node.value for node in ast.walk(scope)
                  if (isinstance(node, ast.AugAssign) and _is(node.target, name))
                  or (isinstance(node, ast.Assign) and _is(node.targets[0], name)
                      and not isinstance(node.value, ast.Constant | ast.List | ast.Dict))]
        values += [node.args[0] for node in ast.walk(scope) if isinstance(node, ast.Call)
                   and isinstance(node.func, ast.Attribute) and node.func.attr == "append"
                   and _is(node.func.value, name) and len(node.args) == 1]
        return expression_at(file, values[0], self._sites.keeps_text) if len(values) == 1 else None

    def finished(self, kind: EndKind) -> None:
        """Writes how the program counts."""
        for (called, how), agreed in self._agreed.items():
            others = self._others.get(called, 0)
            if agreed >= MOST * (others + agreed if how is Counting.RIGHT else others):
                self._writer.fact(
                    Score(called, how, agreed, self._places.get(called)), self._moment.step)


def _is_one_of(value: float, tolerance: float, *forms: float) -> bool:
    """Whether a number is one of some, as it is or in per cent."""
    return any(math.isclose(value, by * form, rel_tol=tolerance)
               for form in forms for by in (1, 100))


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name | ast.Subscript) and ast.unparse(target) == name


def _count(run: _Pass, output: torch.Tensor, labels: torch.Tensor) -> None:
    """Adds a batch, counted in each way."""
    samples = len(output)
    run.samples, run.batches = run.samples + samples, run.batches + 1
    with torch.no_grad():
        logits, flat = output.reshape(-1).cpu(), labels.detach().reshape(-1).cpu()
        ways = [logits > 0, logits > 0.5, logits.round() == 1]
        counts: dict[Counting, list[float]] = {
            Counting.RIGHT: [float((way == (flat == 1)).sum()) for way in ways[:2]],
            Counting.ROUNDED: [float((logits.round() == flat).sum())],
        }
        if output.ndim == 2:
            counts[Counting.COLUMN] = [float((flat == 0).sum())]
        if output.ndim == 2 and labels.ndim == 1:
            ones = float((flat == 1).sum())
            positive = [float(way.sum()) for way in ways]
            counts[Counting.PAIRS] = [
                each * ones + (samples - each) * (samples - ones) for each in positive]
    for how, numbers in counts.items():
        tallies = run.tallies.setdefault(how, [_Tally() for _ in numbers])
        for tally, number in zip(tallies, numbers, strict=True):
            tally.add(number, number / samples ** (2 if how is Counting.PAIRS else 1))


def _labels(run: _Pass, frame: FrameType, samples: int) -> torch.Tensor | None:
    """The only variable of zeros and ones, one for each sample; later the same one."""
    found = {name: value for name, value in list(local_variables(frame).items())[:MOST_NAMES]
             if is_plain(value) and value.numel() == samples and len(value) == samples
             and value.ndim <= 2 and observable(value)
             and bool(((value == 0) | (value == 1)).all())}
    if not run.labels and len({id(value) for value in found.values()}) == 1:
        run.labels = next(iter(found))
    return found.get(run.labels)


def _named(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """The variables of a frame, and what dictionaries among them hold by name."""
    for name, value in list(local_variables(frame).items())[:MOST_NAMES]:
        if type(value) is dict and not name.startswith("__"):
            for key, held in list(value.items())[:MOST_KEYS]:
                if isinstance(key, str):
                    yield f"{name}[{key!r}]", held
        else:
            yield name, value


def _numbers(frames: list[FrameType]) -> Iterator[tuple[str, float]]:
    """Numbers among the variables of frames whose names speak of right answers.

    Of a list the last one, and so of those that a dictionary holds.
    """
    for frame in frames:
        for name, value in _named(frame):
            if isinstance(value, list) and value:
                value = value[-1]
            if not _NAMES.search(name) or isinstance(value, bool):
                continue
            if is_plain(value) and value.numel() == 1 and value.is_cpu and observable(value):
                value = value.item()
            if isinstance(value, int | float):
                yield name, float(value)
