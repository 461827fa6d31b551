"""Scores that are returned or printed at once, so that no variable ever holds them."""

from __future__ import annotations

import ast

from unstuck.observe.probe import Context
from unstuck.observe.probes.counting import FEWEST, Part
from unstuck.observe.probes.label_search import Place
from unstuck.observe.source.comparisons import compared_column
from unstuck.observe.source.named import Scope
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.schema.facts.scores import Counting, Score
from unstuck.schema.signals.scores import TOLD_SCORE, TRUE_SCORE


class Unheld:
    """Finds the comparison of a column of outputs with a row of labels in the program's text.

    The shapes are those of the run, and what the comparison comes to was counted in it.
    """

    def __init__(self, context: Context) -> None:
        self._writer = context.writer
        self._sites = context.sites
        self._columns: dict[Place, tuple[str, str, int, str]] = {}
        self._told: dict[Place, list[tuple[int, float, float]]] = {}

    def meets(self, place: Place, scope: Scope, labels: str) -> None:
        """At a place a model's outputs are a column, and the variable `labels` is a row."""
        self._columns[place] = scope.file, scope.function, scope.line, labels

    def ended(self, place: Place, step: int, part: Part) -> None:
        """Keeps what comparing them has come to in an evaluation, and what is right."""
        if place in self._columns and part.samples >= FEWEST:
            told, true = (part.tallies[how][-1].means / part.batches
                          for how in (Counting.PAIRS, Counting.RIGHT))
            self._told.setdefault(place, []).append((step, told, true))

    def write(self) -> None:
        """Writes the scores of places where the text compares both as they are."""
        for place, told in self._told.items():
            file, function, line, labels = self._columns[place]
            tree = syntax_tree(file)
            found = None if tree is None else compared_column(tree, function, line, labels)
            if found is None:
                continue
            called = f"{function}: {ast.unparse(found)}"
            for step, share, true in told:
                self._writer.sample(TOLD_SCORE, step, {called: share})
                self._writer.sample(TRUE_SCORE, step, {called: true})
            self._writer.fact(Score(
                called, Counting.PAIRS, len(told),
                expression_at(file, found, self._sites.keeps_text), held=False), told[-1][0])
