"""Expressions of the program that put one object into several places, and what they are meant for.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.schema.facts.sharing import Repeating
from unstuck.schema.places import SourceLocation

_SHARING = frozenset({
    "share", "shared", "shares", "sharing", "tie", "tied", "ties", "tying", "recur", "recurs",
    "recurrent", "recurrence", "siamese", "twin", "twins", "universal", "albert", "reuse",
    "reused", "reuses", "reusing", "same", "equilibrium", "unroll", "unrolled", "iterate",
    "iterated", "iterates", "iterative", "common",
})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_HOLDERS = frozenset({"Sequential", "ModuleList"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Repetition:
    """An expression that repeats; `intended` says that the words around it speak of sharing."""

    how: Repeating
    location: SourceLocation
    intended: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    how: Repeating
    node: ast.expr | ast.stmt
    names: frozenset[str]  # what is repeated


def repetition(
    held: SourceLocation | None, built: SourceLocation | None, kinds: Collection[str], keep: bool,
) -> Repetition | None:
    """The expression that most likely put a layer into several places.

    Args:
        held: the construction of what holds the layer.
        built: the construction of the layer.
        kinds: names of classes that take part, which may speak of sharing.
        keep: whether locations carry the source line.
    """
    best: tuple[int, str, _Candidate, list[ast.AST]] | None = None
    for file in dict.fromkeys(place.file for place in (held, built) if place is not None):
        tree = syntax_tree(file)
        if tree is None:
            continue
        targets = _targets(tree, built) if built is not None and built.file == file else set()
        for outer, found in _candidates(tree, []):
            score = _score(found, outer, [p for p in (held, built) if p and p.file == file],
                           targets)
            if score and (best is None or score > best[0]):
                best = score, file, found, outer
    if best is None:
        return None
    _, file, found, outer = best
    words = set().union(*(_words(kind) for kind in kinds)) | _words_around(file, found.node, outer)
    return Repetition(found.how, expression_at(file, found.node, keep), bool(words & _SHARING))


def _candidates(
    node: ast.AST, outer: list[ast.AST]
) -> Iterator[tuple[list[ast.AST], _Candidate]]:
    """All expressions below a node that repeat something, with what is around them."""
    for child in ast.iter_child_nodes(node):
        found = _candidate(child, [*outer, node])
        if found is not None:
            yield [*outer, node], found
        yield from _candidates(child, [*outer, node])


def _candidate(node: ast.AST, outer: list[ast.AST]) -> _Candidate | None:
    match node:
        case ast.BinOp(op=ast.Mult()):
            for side in (node.left, node.right):
                if isinstance(side, ast.List | ast.Tuple) and any(
                        not isinstance(each, ast.Constant) for each in side.elts):
                    return _Candidate(Repeating.TIMES, node, _dotted(side.elts))
        case (ast.ListComp(elt=element) | ast.GeneratorExp(elt=element)
              | ast.DictComp(value=element)):
            bound = {n.id for g in node.generators for n in ast.walk(g.target)
                     if isinstance(n, ast.Name)}
            own = _dotted([element])
            if isinstance(element, ast.Call):
                return _Candidate(Repeating.CALL, element, frozenset())
            if own and not {name.partition(".")[0] for name in own} & bound:
                return _Candidate(Repeating.COMPREHENSION, node, own)
        case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[_, last]) if not isinstance(
                last, ast.Constant):
            return _Candidate(Repeating.KEYS, node, _dotted([last]))
        case ast.Call(func=ast.Name(id="repeat") | ast.Attribute(attr="repeat"), args=[first, _]):
            return _Candidate(Repeating.REPEAT, node, _dotted([first]))
        case ast.Call(func=ast.Attribute(attr="append" | "add_module"), args=[*_, last]):
            loop = next((o for o in reversed(outer) if isinstance(o, ast.For | ast.While)), None)
            own = _dotted([last])
            if own and loop is not None and not _assigned(loop) & {
                    name.partition(".")[0] for name in own}:
                return _Candidate(Repeating.APPEND, node, own)
        case ast.Assign(targets=[_, _, *_]):
            return _Candidate(Repeating.CHAIN, node, frozenset())
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _HOLDERS:
            given = [each for argument in node.args
                     for each in (argument.elts if isinstance(argument, ast.List | ast.Tuple)
                                  else [argument])]
            every = [name for each in given for name in _dotted([each])]
            twice = frozenset(name for name in every if every.count(name) > 1)
            if twice:
                return _Candidate(Repeating.WRITTEN, node, twice)
    return None


def _score(
    found: _Candidate, outer: list[ast.AST], places: list[SourceLocation], targets: set[str],
) -> int:
    """How sure it is that it is the one: it holds a construction, or is part of one; 0 if not."""
    score = 0
    for place in places:
        if _within(place, found.node) or _inside(found.node, place):
            score += 8
    if found.names & targets:
        score += 4
    if found.how is Repeating.KEYS and not score:
        return 1  # nothing else is written like this
    if found.how is Repeating.CHAIN or not score:
        return score
    scope = next((o for o in reversed(outer) if isinstance(o, _SCOPES)), None)
    score += 2 * any(scope is not None and _within(place, scope) for place in places)
    return score + (found.how is not Repeating.WRITTEN)


def _within(place: SourceLocation, node: ast.AST) -> bool:
    """Whether a place lies within a node, by lines and columns."""
    start = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0) + 1)
    end = (getattr(node, "end_lineno", 0) or 0, (getattr(node, "end_col_offset", 0) or 0) + 1)
    return start <= (place.line, place.column) and (place.end_line, place.end_column) <= end


def _inside(node: ast.AST, place: SourceLocation) -> bool:
    start = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0) + 1)
    end = (getattr(node, "end_lineno", 0) or 0, (getattr(node, "end_col_offset", 0) or 0) + 1)
    return (place.line, place.column) <= start and end <= (place.end_line, place.end_column)


def _targets(tree: ast.Module, built: SourceLocation) -> set[str]:
    """The names that a construction is assigned to."""
    return {name for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _within(built, node)
            for name in _dotted(node.targets)}


def _assigned(loop: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(loop)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _dotted(nodes: list[ast.expr]) -> frozenset[str]:
    """The names and dotted names among expressions."""
    return frozenset(ast.unparse(node) for node in nodes
                     if isinstance(node, ast.Name | ast.Attribute))


# Intent ------------------------------------------------------------------------------------------
def _words_around(file: str, node: ast.AST, outer: list[ast.AST]) -> set[str]:
    """The words of a statement's names and comments, and of what it stands in."""
    statement = next((o for o in [node, *reversed(outer)] if isinstance(o, ast.stmt)), node)
    words = {word for part in ast.walk(statement)
             for word in _words(getattr(part, "id", getattr(part, "attr", "")))}
    for scope in outer:
        if isinstance(scope, _SCOPES):
            said = _in_order(ast.get_docstring(scope) or "")
            others = {word for name in _attributes(scope) for word in _words(name)} - words
            # "A shared trunk and a head for each task" speaks of the trunk.
            words |= _words(scope.name) | {
                word for word, following in pairwise([*said, ""]) if following not in others}
    first = getattr(statement, "lineno", 1)
    while first > 1 and linecache.getline(file, first - 1).lstrip().startswith("#"):
        first -= 1
    for line in range(first, (getattr(statement, "end_lineno", 0) or first) + 1):
        words |= _words(linecache.getline(file, line).partition("#")[2])
    return words


def _attributes(scope: ast.AST) -> set[str]:
    """The attributes that a scope assigns."""
    return {node.attr for node in ast.walk(scope)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}


def _words(text: str) -> set[str]:
    return set(_in_order(text))


def _in_order(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
