"""The loops of the program around its steps, and the loaders that feed them."""

from __future__ import annotations

import ast
import linecache
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probes.repeats import loader_fact
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Site, Sites, expression_at, syntax_tree
from unstuck.observe.source.variables import own_attributes, scopes
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.data import Feeding
from unstuck.schema.facts.loops import Loop
from unstuck.schema.places import SourceLocation

MOST_LOOPS = 64
MOST_STACKS = 64
MOST_FEEDS = 128
MOST_DRAWN = 8  # batches between two calls of a model whose loaders are remembered

_PASSING = ("enumerate", "tqdm")  # what they are given they iterate once
# Modules whose iterators cannot be begun anew,
_ENDING = ("builtins", "itertools", "torch.utils.data.dataloader")
_ENDLESS = ("count", "cycle", "repeat")  # and which of them never end
_RANK = {CallRole.OTHER: 0, CallRole.HELD_OUT: 1, CallRole.TRAIN: 2}


@dataclass(slots=True)
class _Feed:
    """A place at which a loader is iterated."""

    name: str
    loader: str
    site: Site
    role: CallRole = CallRole.OTHER
    written: Feeding | None = None


class Feeds:
    """Which loaders feed training, by what was drawn last before a model was called."""

    def __init__(self, writer: RecordWriter, sites: Sites) -> None:
        self._writer = writer
        self._sites = sites
        self._feeds: dict[tuple[SourceLocation | None, str], _Feed] = {}
        self._names: ByIdentity[Any, str] = ByIdentity()
        self._latest: ByIdentity[Any, _Feed] = ByIdentity()  # of each loader's sampler
        self._drawn: list[Any] = []  # samplers
        self._waiting: list[Any] = []  # those of calls that may lead to a loss
        self._begun: _Feed | None = None  # since a model was called

    def follow(self, before: Feeds) -> None:
        """Loaders may have been built before."""
        self._names = before._names

    # What the program does ----------------------------------------------------------------------
    def built(self, loader: Any) -> None:
        """A loader was constructed."""
        self._names[loader] = loader_fact(
            loader, self._sites.location(self._sites.here(loader))).name

    def iterated(self, loader: Any) -> None:
        """The program begins to iterate a loader."""
        site, sampler = self._sites.here(), getattr(loader, "_index_sampler", None)
        if site is None or sampler is None:
            return
        name = self._names.get(loader) or loader_fact(loader, None).name
        # Not by the call site: one and the same expression may change its instructions.
        place = self._sites.location(site), name
        feed = self._feeds.get(place)
        if feed is None:
            if len(self._feeds) >= MOST_FEEDS:
                return
            feed = self._feeds[place] = _Feed(f"{len(self._feeds) + 1}", name, site)
        self._latest[sampler] = self._begun = feed

    def drawn(self, iterator: Any) -> None:
        """A loader fetches a batch next."""
        self._drawn.append(getattr(iterator, "_index_sampler", None))
        del self._drawn[:-MOST_DRAWN]

    def called(self, learns: bool, role: Callable[[], CallRole]) -> None:
        """A model was called: what was drawn since the call before is for the same."""
        drawn, self._drawn = self._drawn, []
        begun, self._begun = self._begun, None
        if learns:
            self._waiting = [*self._waiting, *drawn][-MOST_DRAWN:]
            return
        for feed in [self._latest.get(sampler) for sampler in drawn] or [begun]:
            if feed is not None and _RANK[role()] > _RANK[feed.role]:
                feed.role = role()

    def trained(self) -> None:
        """The loss of the calls so far is about to be differentiated."""
        for sampler in self._waiting:
            feed = self._latest.get(sampler)
            if feed is not None:
                feed.role = CallRole.TRAIN
        self._waiting = []

    # Facts --------------------------------------------------------------------------------------
    def places(self) -> list[tuple[str, SourceLocation]]:
        """Each loader with where it is iterated."""
        return [(feed.loader, location) for feed in self._feeds.values()
                if (location := self._location(feed)) is not None]

    def flush(self, step: int) -> None:
        """Writes what is new."""
        self._waiting = []
        for feed in self._feeds.values():
            if feed.written is not None and feed.written.role is feed.role:
                continue
            feed.written = Feeding(feed.name, feed.loader, feed.role, self._location(feed))
            self._writer.fact(feed.written, step)

    def _location(self, feed: _Feed) -> SourceLocation | None:
        """What is iterated; of a loop that is said to iterate as a whole, its expression."""
        found = self._sites.location(feed.site)
        tree = syntax_tree(found.file) if found is not None else None
        if found is None or tree is None:
            return found
        for node in ast.walk(tree):
            if isinstance(node, ast.For | ast.AsyncFor) and node.lineno == found.line:
                whole = expression_at(found.file, node, self._sites.keeps_text)
                if (whole.column, whole.end_line) == (found.column, found.end_line):
                    return expression_at(found.file, node.iter, self._sites.keeps_text)
        return found


class Loops:
    """Finds the statements around the calls that make a step, in the source of the program."""

    def __init__(self, writer: RecordWriter, sites: Sites, feeds: Feeds) -> None:
        self._writer = writer
        self._sites = sites
        self._feeds = feeds
        self._stacks: set[tuple[Site, ...]] = set()
        self._found: dict[tuple[str, int, int], Loop] = {}
        self._written: dict[str, Loop] = {}

    def steps(self) -> None:
        """The program makes a step."""
        stack = tuple(self._sites.stack())
        if stack in self._stacks or len(self._stacks) >= MOST_STACKS:
            return
        self._stacks.add(stack)
        level = 0
        for site in stack:
            location = self._sites.location(site)
            if location is None:
                continue
            loops = around(self._sites.code(site), location)
            for number, statement in enumerate(loops):
                key = location.file, statement.lineno, statement.col_offset
                known = self._found.get(key)
                if known is not None:
                    self._found[key] = replace(known, level=min(level, known.level))
                elif len(self._found) < MOST_LOOPS:
                    spent = self._spent(statement, loops[number + 1:number + 2], location.file)
                    places = [expression_at(location.file, node, self._sites.keeps_text)
                              for node in (statement, spent) if node is not None]
                    self._found[key] = Loop(
                        f"{len(self._found) + 1}", places[0], level,
                        spent=places[1] if spent is not None else None)
                level += 1

    def _spent(self, loop: ast.stmt, outer: list[ast.stmt], file: str) -> ast.expr | None:
        """What a loop iterates, if the loop around it finds it at its end the second time."""
        name = _iterated(loop)
        if name is None or not outer or any(
            isinstance(node, ast.Break | ast.Return) or (
                isinstance(node, ast.Name) and node.id == name.id
                and isinstance(node.ctx, ast.Store))
            for node in ast.walk(outer[0])
        ):
            return None
        names = ChainMap(*(names for _, where, names in scopes(self._sites) if where == file))
        kind = type(names.get(name.id))
        made = kind.__module__ in _ENDING and kind.__name__ not in _ENDLESS
        return name if made and hasattr(kind, "__next__") and _passes(outer[0], names) > 1 else None

    def flush(self, step: int) -> None:
        """Writes what is new."""
        feeds = self._feeds.places() if self._found else []
        for loop in self._found.values():
            loader = next((name for name, place in feeds if _heads(loop.location, place)), None)
            fact = replace(loop, loader=loader)
            if self._written.get(loop.name) != fact:
                self._written[loop.name] = fact
                self._writer.fact(fact, step)


def _iterated(loop: ast.stmt) -> ast.Name | None:
    """The variable that a loop iterates, through `enumerate` and the like."""
    head: ast.expr | None = loop.iter if isinstance(loop, ast.For) else None
    while isinstance(head, ast.Call) and last_name(head.func) in _PASSING and head.args:
        head = head.args[0]
    return head if isinstance(head, ast.Name) else None


def _passes(loop: ast.stmt, names: Mapping[str, Any]) -> int:
    """How many passes a loop over a range makes; 0 if that is not known."""
    head = loop.iter if isinstance(loop, ast.For) else None
    if not isinstance(head, ast.Call) or last_name(head.func) != "range":
        return 0
    given = [n for each in head.args if (n := _whole(each, names)) is not None]
    return len(range(*given)) if 0 < len(head.args) == len(given) < 3 else 0


def _whole(node: ast.expr, names: Mapping[str, Any]) -> int | None:
    """A whole number: typed, or what a variable, its attribute or its item has."""
    value: Any = None
    match node:
        case ast.Constant():
            value = node.value
        case ast.Name():
            value = names.get(node.id)
        case ast.Attribute(value=ast.Name() as owner):
            value = own_attributes(names.get(owner.id)).get(node.attr)
        case ast.Subscript(value=ast.Name() as owner, slice=ast.Constant() as key):
            table = names.get(owner.id)
            value = table.get(key.value) if type(table) is dict else None
    return value if type(value) is int else None


_Span = tuple[tuple[int, int], tuple[int, int]]  # first and last place: line, column in bytes


def around(code: CodeType, place: SourceLocation) -> list[ast.stmt]:
    """The loops around an expression within its own function, innermost first."""
    scope: ast.AST | None = syntax_tree(code.co_filename)
    span = ((place.line, _bytes(place.file, place.line, place.column)),
            (place.end_line, _bytes(place.file, place.end_line, place.end_column)))
    found: list[ast.stmt] = []
    while scope is not None:
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            found = []  # loops around a definition are not around what it does when it is called
        elif isinstance(scope, ast.For | ast.AsyncFor | ast.While):
            head = scope.test if isinstance(scope, ast.While) else scope.iter
            if not _holds(head, span):
                found.append(scope)
        scope = next((n for n in ast.iter_child_nodes(scope) if _holds(n, span)), None)
    return found[::-1]


def _holds(node: ast.AST, span: _Span) -> bool:
    """Whether an expression lies in a part of a syntax tree."""
    if isinstance(node, ast.expr | ast.stmt | ast.ExceptHandler):
        return (node.lineno, node.col_offset) <= span[0] and span[1] <= (
            node.end_lineno or node.lineno, node.end_col_offset or 0)
    return any(_holds(child, span) for child in ast.iter_child_nodes(node))


def _bytes(file: str, line: int, column: int) -> int:
    """A column, as a place has it, as syntax trees count it."""
    return len(linecache.getline(file, line)[:column - 1].encode("utf-8", "surrogatepass"))


def _heads(loop: SourceLocation, place: SourceLocation) -> bool:
    """Whether an expression stands in the first line of a loop."""
    return loop.file == place.file and loop.line == place.line and loop.column < place.column
