"""Rewrites of programs that keep what they compute, and so must keep their diagnosis.

Each is a `Form` (form.py); `FORMS` lists them. `rewritten` gives the text of a program in a form,
and follows the places of expressions to it. Nothing here imports `unstuck`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from corpus.forms import (
    activations,
    around,
    backwards,
    data,
    evaluation,
    losses,
    models,
    optimizers,
)
from corpus.forms.form import MARK, Form

FORMS: tuple[type[Form], ...] = (
    *activations.FORMS, *losses.FORMS, *optimizers.FORMS, *backwards.FORMS, *models.FORMS,
    *data.FORMS, *evaluation.FORMS, *around.FORMS,
)
Span = tuple[int, int, int, int]  # line and column of begin and end: lines from 1, columns from 0


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A program in another form.

    `places` has the lines, from 1 and both included, at which each expression is found now.
    """

    text: str
    places: dict[Span, tuple[tuple[int, int], ...]]


def rewritten(text: str, form: type[Form], follow: Iterable[Span] = ()) -> Rewritten | None:
    """A program in a form; None if the form does not apply to it.

    `follow` names expressions whose places are wanted: the smallest node around each is followed.
    """
    tree = ast.parse(text)
    spans = list(follow)
    for number, span in enumerate(spans):
        node = _smallest(tree, span)
        if node is not None:
            setattr(node, MARK, (*getattr(node, MARK, ()), number))
    changer = form()
    made = changer.rewrite(tree)
    if made is tree:
        return None
    written = ast.unparse(made)
    places: dict[Span, list[tuple[int, int]]] = {span: [] for span in spans}
    for old, new in _together(made, ast.parse(written)):
        for number in getattr(old, MARK, None) or ():
            assert isinstance(new, ast.expr | ast.stmt)
            places[spans[number]].append((new.lineno, new.end_lineno or new.lineno))
    return Rewritten(f"{written}\n", {span: tuple(found) for span, found in places.items()})


def _smallest(tree: ast.AST, span: Span) -> ast.AST | None:
    """The smallest expression or statement around a span."""
    best = None
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt) and (
            (node.lineno, node.col_offset) <= span[:2]
            and (node.end_lineno or 0, node.end_col_offset or 0) >= span[2:]
        ):
            best = node  # breadth first: later ones are deeper
    return best


def _together(old: ast.AST, new: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The nodes of a tree with those of its text's."""
    if type(old) is not type(new):
        return
    yield old, new
    if isinstance(old, ast.JoinedStr):
        return  # joins its constants otherwise
    for name in old._fields:
        first, second = getattr(old, name, None), getattr(new, name, None)
        if isinstance(first, ast.AST) and isinstance(second, ast.AST):
            yield from _together(first, second)
        elif isinstance(first, list) and isinstance(second, list):
            for a, b in zip(first, second, strict=False):
                if isinstance(a, ast.AST) and isinstance(b, ast.AST):
                    yield from _together(a, b)
