"""Whether what a program counts as right predictions of a classifier is that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.all_pairs import AllPairs
from unstuck.observe.probes.answers import (
    Identity,
    axis_of,
    identity,
)
from unstuck.observe.probes.counting import Part, Tally, of_classes, of_two_classes
from unstuck.observe.probes.evaluations import EvaluationLosses
from unstuck.observe.probes.label_search import VALUES, LabelSearch, Place
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.unheld import Unheld
from unstuck.observe.source.comparisons import (
    compared_values,
    compares,
    compares_sigmoid,
    computed_by,
    divides,
    reading,
    subtracts,
    takes_largest,
)
from unstuck.observe.source.named import SCORE, SHARE, Scope, scopes, subsets
from unstuck.observe.source.sites import expression_at, syntax_tree, user_trees
from unstuck.observe.tensors import observable, tensors_in
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.scores import Code, Counting, Score, Scoring
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import HELD_OUT_LOSS, SEEN_LOSS
from unstuck.schema.signals.scores import TOLD_SCORE, TRUE_SCORE
from unstuck.torch_api import CLASSES, DIFFERENCES

MOST_ELEMENTS = 1_000_000  # of an output
MOST_LOOKS = 5_000  # at batches
MOST_EVALUATIONS = 1_000  # that are looked at
MOST_PASSES = 8  # of an evaluation
FIRST, EACH = 8, 16  # batches of it after which its variables are looked at
MOST_PARTS = 8  # of the samples of a batch
LOGITS, PROBABILITIES = "binary_cross_entropy_with_logits", "binary_cross_entropy"
SURE = 3  # values of a variable that agree
MOST = 0.8  # of the values of a variable must agree: a few do by chance
MOST_COLUMNS = 16  # numbers of a sample
PATIENCE = 30  # calls beside which nothing lies that values could be compared with
WRITTEN = {Counting.ALL: subtracts, Counting.BATCHES: divides, Counting.SHARES: divides,
           Counting.COLUMN: takes_largest}
Rows = np.ndarray[Any, np.dtype[Any]]  # numbers of rows, or a mask


@dataclass(slots=True)
class _Pass:
    """The batches that one place has given to the model, counted in each way; and parts of them."""

    parts: dict[str, Part]

    def __init__(self) -> None:
        self.parts = {"": Part()}


@dataclass(slots=True)
class _Evaluation:
    """What a program does without gradients between two steps, as far as it has come."""

    step: int
    before: dict[str, float]  # the values of the variables when it began, or were last looked at
    batches: int  # counted so far
    module: Scope | None  # the outermost frame, if it is a module's
    passes: dict[tuple[Place, ...], _Pass] = field(default_factory=dict)

    def parts(self) -> list[Part]:
        return [part for run in self.passes.values() for part in run.parts.values()]


class ScoreProbe(Probe):
    """Compares the program's variables with the ways of counting, after each batch of a pass.

    Only of classifiers for which a prediction is right in one way: the class with the largest
    output, or a single output above its threshold. Of these, and of values that are compared with
    others, it also hands the outputs and labels to those that compute the loss of an evaluation.
    """

    signals = (HELD_OUT_LOSS, SEEN_LOSS, TOLD_SCORE, TRUE_SCORE)
    facts = (Score, Scoring)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._evaluated = EvaluationLosses(context, self._losses)
        self._evaluation: _Evaluation | None = None
        self._evaluations = 0
        self._looks = 0
        self._labels = LabelSearch(context)
        self._in_vain = 0  # how often nothing was found that values could be compared with
        self._sigmoid: bool | None = None  # whether the program's code compares one with a half
        self._agreed: dict[tuple[str, Counting], int] = {}
        self._others: dict[str, int] = {}  # values of a variable that are not the right count
        self._unheld = Unheld(context)
        self._pairs = AllPairs(
            self._write, lambda scope, name: self._place(scope, name, Counting.ALL))
        self._zeros = 0  # times that a score is zero, where predictions are right
        self._places: dict[str, SourceLocation | None] = {}
        self._written: dict[str, int] = {}  # the last step of each score that was written

    # What is counted ------------------------------------------------------------------------------
    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._evaluated.model_trained(output)

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        self._evaluated.loss_computed(function, args, loss)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at what the batches before have come to, and counts this one."""
        learns, held = self._moment.learns, self._evaluation
        if (held is None and learns) or self._looks > MOST_LOOKS:
            return
        scored = None if learns else next(
            (each for each in tensors_in(output) if self._kind(each)), None)
        if held is None and scored is None:  # before any frame is looked at
            return
        near, places = scopes(self._sites, 2)
        if held is not None:
            if near:
                _restart(held, near[0])
            if learns or held.batches < FIRST or not held.batches % EACH:
                self._compare(held, near)
            held.batches += 1
        if held is not None and (learns or held.step != self._moment.step):
            self._end(held)
            held = None
        if scored is None or not near or (held is None and self._evaluations > MOST_EVALUATIONS):
            return
        if held is None:
            held = self._evaluation = _Evaluation(
                self._moment.step, {}, 0, near[-1] if near[-1].function == "<module>" else None)
            held.before.update(_numbers(near))
            self._evaluations += 1
        self._looks += 1
        if places in held.passes or len(held.passes) < MOST_PASSES:
            self._count(held, places, near, scored, {identity(each) for each in tensors_in(
                *args, *kwargs.values()) if observable(each)})

    def evaluation_ended(self) -> None:
        """Looks for the last time at what the batches have come to."""
        held, self._evaluation = self._evaluation, None
        if held is not None:
            near = scopes(self._sites, 2)[0]
            ended = held.module is not None and all(
                scope.variables is not held.module.variables for scope in near)
            self._compare(held, [*near, held.module] if ended and held.module else near)
            self._end(held)

    def _end(self, held: _Evaluation) -> None:
        self._evaluation = None
        self._pairs.ended()
        for places, run in held.passes.items():
            self._unheld.ended(places[0], held.step, run.parts[""])
        self._evaluated.ended(held.step, self._labels.are_told() or any(
            how is Counting.RIGHT and agreed >= SURE and self._mostly(called, how, agreed)
            for (called, how), agreed in self._agreed.items()))

    def _mostly(self, called: str, how: Counting, agreed: int) -> bool:
        """Whether nearly all values of a variable are counted in this way."""
        others = self._others.get(called, 0)
        return agreed >= MOST * (others + agreed if how is Counting.RIGHT else others)

    def _kind(self, output: torch.Tensor) -> str:
        """By which loss these are the outputs of a classifier, or whether they are values that are
        compared with others; empty if neither."""
        if not observable(output) or not output.is_floating_point() or not output.ndim or (
            len(output) < 2 or output.numel() > MOST_ELEMENTS
        ):
            return ""
        known = [each.fact for each in self._losses.known.values()]
        kinds = {fact.function for fact in known}
        if kinds and kinds <= DIFFERENCES and self._in_vain < PATIENCE and (
            output.numel() <= MOST_COLUMNS * len(output)
        ):
            return VALUES
        if output.ndim <= 2 and output.numel() == len(output):
            return next(iter(kinds)) if kinds in ({LOGITS}, {PROBABILITIES}) else ""
        classes = {fact.input_shape[1] for fact in known
                   if fact.function in CLASSES and len(fact.input_shape) > 1}
        return "classes" if classes & {output.shape[1], output.shape[-1]} else ""

    def _count(
        self, held: _Evaluation, places: tuple[Place, ...], near: list[Scope],
        output: torch.Tensor, given: set[Identity],
    ) -> None:
        """Adds a batch to its pass, counted in each way; without labels the pass is dropped."""
        kind = self._kind(output)
        found = self._labels.of(places[0], near, output, kind, given)
        if found is None:
            held.passes.pop(places, None)
            if kind == VALUES and not self._labels.at:  # an agent acts, for instance
                self._in_vain += 1
            return
        with torch.no_grad():
            output, labels = output.detach().cpu(), found.detach().cpu().clone()
            if kind == VALUES:
                self._evaluated.add_values(output, labels)
                self._pairs.add(output, labels)
                return
            run = held.passes.setdefault(places, _Pass())
            if kind != "classes":
                counts = of_two_classes(
                    output.float(), labels, kind == LOGITS, self._compares_sigmoid())
                run.parts[""].add(len(output), counts)
                if Counting.PAIRS in counts and places[0] in self._labels.at:
                    self._unheld.meets(places[0], near[0], self._labels.at[places[0]])
                self._evaluated.add(output, labels, None)
                return
            axis = axis_of(labels, output, {
                known.fact.input_shape for known in self._losses.known.values()
                if known.fact.function in CLASSES})
            classes = output.shape[axis]
            told = output.argmax(axis).reshape(-1).numpy()
            flat = labels.reshape(-1).long().numpy()
            alone = output if output.ndim == 2 else None
            across = output.argmax(-1).reshape(-1).numpy() if axis == 1 and (
                output.ndim > 2 and labels.shape == output.shape[:-1]) else None
            counts = of_classes(told, flat, classes, alone, across)
            run.parts[""].add(len(flat), counts)
            self._evaluated.add(output, labels, axis)
            deep = run.parts[""].batches == 1  # later batches have what the first one had
            for name, rows in subsets(near, labels, found) if deep or len(run.parts) > 1 else ():
                if name in run.parts or len(run.parts) < MOST_PARTS:
                    some = flat[rows]
                    run.parts.setdefault(name, Part()).add(len(some), of_classes(
                        told[rows], some, classes,
                        None if alone is None else alone[torch.from_numpy(rows)]))

    def _compares_sigmoid(self) -> bool:
        if self._sigmoid is None:
            self._sigmoid = compares_sigmoid([tree for _, tree in user_trees(self._sites)])
        return self._sigmoid

    # What the program holds -----------------------------------------------------------------------
    def _compare(self, held: _Evaluation, near: list[Scope]) -> None:
        """Looks whether variables that have changed hold what one of the ways has come to."""
        self._pairs.compare(near)
        parts = held.parts()
        if not parts:
            return
        for scope in near:
            for name, value in scope.numbers():
                called = f"{scope.function}: {name}"
                if not value:
                    self._zeros += any(part.has_right() for part in parts)
                before = held.before.get(called)
                # What always counts the same class comes to the same each time, in a new object.
                if not value or before is value or (before == value and type(
                        scope.variables.get(name)) is not float):
                    continue
                held.before[called] = value
                found: dict[Counting, tuple[Tally, Part]] = {}
                for part in parts:
                    found |= {how: (tally, part) for how, tally in part.holding(value).items()
                              if _may_be(how, name)}
                if set(found) == {Counting.RIGHT}:
                    self._agree(called, Counting.RIGHT)
                if any(part.is_nearly_right(value) for part in parts):
                    continue
                self._others[called] = self._others.get(called, 0) + 1
                if len(found) == 1:  # else ways have come to the same so far
                    (how, (tally, part)), = found.items()
                    if called not in self._places:
                        self._places[called] = self._place(scope, name, how)
                    self._agree(called, how)
                    right = part.tallies[Counting.RIGHT][0]
                    self._write(called, tally.means / part.batches, right.means / part.batches)

    def _agree(self, called: str, how: Counting) -> None:
        self._agreed[called, how] = self._agreed.get((called, how), 0) + 1

    def _write(self, called: str, told: float, true: float) -> None:
        step = self._moment.step
        if self._written.get(called) != step:
            self._written[called] = step
            self._writer.sample(TOLD_SCORE, step, {called: told})
            self._writer.sample(TRUE_SCORE, step, {called: true})

    def _place(self, scope: Scope, name: str, how: Counting) -> SourceLocation | None:
        """The expression that a variable is computed by."""
        tree = syntax_tree(scope.file)
        found = None if tree is None else computed_by(
            tree, scope.function, scope.line, name, WRITTEN.get(how, compares))
        return expression_at(scope.file, found, self._sites.keeps_text) if found else None

    def finished(self, kind: EndKind) -> None:
        """Writes how the program counts."""
        if not self._agreed:
            self._unheld.write()
        for score in self._pairs.scores():
            self._writer.fact(score, self._moment.step)
        for (called, how), agreed in self._agreed.items():
            if self._mostly(called, how, agreed):
                self._writer.fact(
                    Score(called, how, agreed, self._places.get(called)), self._moment.step)
        trees = dict(user_trees(self._sites))
        scoring = Scoring(reading(list(trees.values())) if trees else Code.OTHER)
        stays_zero = self._zeros >= SURE and not (
            self._agreed or any(map(SCORE.search, self._others)))
        for file, tree in trees.items() if stays_zero else ():
            wrong = compared_values(tree)
            if wrong is not None:
                scoring = Scoring(Code.VALUES, expression_at(file, wrong, self._sites.keeps_text))
        self._writer.fact(scoring, self._moment.step)


def _may_be(how: Counting, name: str) -> bool:
    """Whether a number under a name may be a score of this kind, and not one by chance."""
    return how is Counting.SHARES or bool(
        (SHARE if how is Counting.BATCHES else SCORE).search(name))


def _restart(held: _Evaluation, scope: Scope) -> None:
    """Forgets the batches so far if a variable says that the program begins to count anew."""
    for name, value in scope.variables.items():
        if type(value) in (int, float) and not value and held.before.pop(
                f"{scope.function}: {name}", 0.0):
            held.passes.clear()


def _numbers(near: list[Scope]) -> Iterator[tuple[str, float]]:
    for scope in near:
        for name, value in scope.numbers():
            yield f"{scope.function}: {name}", value
