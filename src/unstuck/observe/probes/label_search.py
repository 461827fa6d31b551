"""The labels of what a model puts out in an evaluation, among the program's variables."""

from __future__ import annotations

from collections import deque

import torch

from unstuck.observe.probe import Context
from unstuck.observe.probes.answers import (
    PREDICTED,
    Identity,
    are_classes,
    are_values,
    are_zeros_and_ones,
    digest,
    identity,
)
from unstuck.observe.source.comparisons import LABELS, is_difference
from unstuck.observe.source.named import NEAR, Scope, tensor_of
from unstuck.observe.source.results import kept
from unstuck.observe.source.scored import Answers, answers
from unstuck.observe.source.sites import syntax_tree
from unstuck.observe.source.taken import taken_alike

VALUES = "values"  # outputs that are numbers
MOST_OUTPUTS = 8  # that are told from answers: a variable holds one of the last
PATIENCE = 20  # calls of a model beside whose results nothing is handed on
_FITS = {"classes": are_classes, VALUES: are_values}
Place = tuple[int, int]  # a code object and an instruction


class LabelSearch:
    """Finds the only variable that may be the labels of a batch; later at its place the same one.

    `at` tells by the place of a model's call the variable that holds them, or its text.
    """

    def __init__(self, context: Context) -> None:
        self._sites = context.sites
        self.at: dict[Place, str] = {}
        # Digests of what models have put out, which is no answer of the program's.
        self._made: deque[tuple[float, ...]] = deque(maxlen=MOST_OUTPUTS)
        self._told: dict[Place, bool] = {}  # whether the text compares them with what is made there
        self._handed: dict[Place, str] = {}  # what is handed on beside the result, by its text
        self._rows: dict[Place, int] = {}  # of these, that batches have had so far
        self._vain: dict[Place, int] = {}  # how often in a row none was

    def are_told(self) -> bool:
        """Whether the program's text says of any labels that they are."""
        return any(self._told.values())

    def of(
        self, place: Place, near: list[Scope], output: torch.Tensor, kind: str,
        given: set[Identity],
    ) -> torch.Tensor | None:
        """The labels of an output, None where they are not found.

        Args:
            kind: of the output: "classes", VALUES, or that of one that tells two classes apart.
            given: what the model received.
        """
        found = None
        if place not in self._handed:
            found = self._among_variables(place, near, output, kind, given)
            if found is not None and kind == VALUES and place not in self._told:
                self._told[place] = _is_subtracted(near[0], self.at[place])
        if found is None and self._vain.get(place, 0) < PATIENCE:
            found = self._handed_on(place, near, output, kind)
            self._vain[place] = 0 if found is not None else self._vain.get(place, 0) + 1
        if kind == VALUES:
            self._made.append(digest(output))
        return found

    def _among_variables(
        self, place: Place, near: list[Scope], output: torch.Tensor, kind: str,
        given: set[Identity],
    ) -> torch.Tensor | None:
        fits = _FITS.get(kind, are_zeros_and_ones)
        known = self.at.get(place)
        usual = tensor_of(near[0].variables.get(known or ""))
        if usual is not None and identity(usual) not in given and fits(usual, output):
            return usual
        for scope in near[:NEAR]:
            for deep in (False, True):
                found = {name: value for name, value in scope.tensors(deep, output.shape[0])
                         if identity(value) not in given and fits(value, output)
                         and not (kind == VALUES and (
                             PREDICTED.search(name) or digest(value) in self._made))}
                if known in found:
                    return found[known]
                if known is not None:
                    continue  # another may be what was made of them, such as the error
                alone = len(set(map(identity, found.values()))) == 1
                named = {name: value for name, value in found.items() if LABELS.search(name)}
                # Many variables are values: the only one beside the call needs no such name.
                if not alone or (kind == VALUES and (deep or scope is not near[0] or named)):
                    found = named or {name: value for name, value in found.items()
                                      if kind == VALUES and _is_subtracted(near[0], name)}
                if len(set(map(identity, found.values()))) == 1:
                    self.at[place], value = next(iter(found.items()))
                    return value
                if found:
                    return None
        with torch.no_grad():
            parts = {name: value for name, value in taken_alike(near[0], output.shape[0])
                     if fits(value, output)}
        if len(parts) != 1:
            return None
        self.at[place], value = next(iter(parts.items()))
        return value

    def _handed_on(
        self, place: Place, near: list[Scope], output: torch.Tensor, kind: str
    ) -> torch.Tensor | None:
        """What the program's text hands to a function beside what is made of the output.

        Of longer ones the rows that come next, where a model is called batch by batch.
        """
        fits, rows = _FITS.get(kind, are_zeros_and_ones), len(output)
        usual, begin = self._handed.get(place), self._rows.get(place, 0)
        found: dict[tuple[float, ...], tuple[Answers, torch.Tensor, int]] = {}
        with torch.no_grad():
            for answer in answers(kept(self._sites), near, kind == VALUES):
                if usual not in (None, answer.text) or PREDICTED.search(answer.text) or (
                        found and answer.outwards > next(iter(found.values()))[0].outwards):
                    continue  # of another model, perhaps, or further out in another unit
                first = begin if begin + rows <= len(answer.values) else 0
                part = answer.values[first:first + rows]
                if len(part) == rows and fits(part, output):
                    found.setdefault(digest(part), (answer, part, first + rows))
        if len(found) != 1:
            return None
        (answer, part, self._rows[place]), = found.values()
        self.at[place] = self._handed[place] = answer.text
        if kind != VALUES and len(answer.values) == rows:
            self._told[place] = self._told.get(place, False) or answer.by_metric
        return part


def _is_subtracted(scope: Scope, name: str) -> bool:
    """Whether a variable is, from what the model returns at this place."""
    tree = syntax_tree(scope.file)
    return tree is not None and is_difference(tree, scope.function, scope.line, name)
