"""The user's sources as a whole: what is at a place, who calls what, how torch is spelled."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from unstuck.record.reader import Record
from unstuck.repair import names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.text import Function, Source
from unstuck.schema.facts.models import Layer, Model
from unstuck.schema.places import SourceLocation

Loop = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True, slots=True)
class Found:
    """A node of a source."""

    source: Source
    node: ast.expr | ast.stmt

    @property
    def statement(self) -> ast.stmt:
        """The statement that it is in."""
        return self.source.statement(self.node)

    @property
    def call(self) -> ast.Call:
        """The call that it is. Raises Refused if it is none."""
        if not isinstance(self.node, ast.Call):
            raise Refused(Reason.UNKNOWN_FORM, "The expression at this place is not a call.")
        return self.node

    @property
    def expression(self) -> ast.expr:
        """The expression that it is. Raises Refused if it is none."""
        if not isinstance(self.node, ast.expr):
            raise Refused(Reason.UNKNOWN_FORM, "The expression to change is a whole statement.")
        return self.node


class Index:
    """The sources of a program.

    `cells` names those that share one namespace: the cells of a notebook. `argv` is what the
    program was started with. `changed` names files that are not any more what ran.
    """

    def __init__(self, sources: Iterable[Source], argv: Sequence[str] = (),
                 cells: Sequence[str] = (), changed: Iterable[str] = ()) -> None:
        self.sources = {source.name: source for source in sources}
        self.argv = tuple(argv)
        self.cells = frozenset(cells)
        self.changed = frozenset(changed)

    # Places --------------------------------------------------------------------------------------
    def at(self, location: SourceLocation | None, what: str = "this") -> Found:
        """The expression, else the statement, with the span of a location.

        Raises:
            Refused: the record has no location, it is in no source of the user's, or the text there
                is another.
        """
        if location is None:
            raise Refused(Reason.NO_PLACE, f"unstuck does not know where {what} is.",
                          (f"the line of {what}",))
        source = self.sources.get(location.file)
        if location.file in self.changed:
            raise Refused(Reason.TEXT_DIFFERS, f"{location.file} has changed since it ran.",
                          ("a run of the present text",))
        if source is None:
            raise Refused(Reason.NO_TEXT, f"{what[:1].upper()}{what[1:]} is not in a source file "
                          f"of yours ({location.file}).")
        node = source.find(location)
        if node is None or (location.text is not None
                            and source.lines[location.line - 1].rstrip() != location.text.rstrip()):
            raise Refused(Reason.TEXT_DIFFERS, f"{location.file} is not the text that ran: line "
                          f"{location.line:,} differs.", ("a run of the present text",))
        return Found(source, node)

    def layers_at(self, record: Record, location: SourceLocation) -> list[Layer]:
        """All layers that were constructed at a place."""
        return [layer for model in record.facts(Model) for layer in model.layers
                if layer.location == location]

    # Calls, functions, classes -------------------------------------------------------------------
    def nodes(self, kind: type[ast.AST]) -> Iterator[tuple[Source, ast.AST]]:
        """All nodes of a kind in all sources, in the order of their text."""
        for source in self.sources.values():
            for node in source.nodes.get(kind, ()):
                yield source, node

    @cached_property
    def _calls(self) -> dict[str, list[tuple[Source, ast.Call]]]:
        found: dict[str, list[tuple[Source, ast.Call]]] = {}
        for source, node in self.nodes(ast.Call):
            assert isinstance(node, ast.Call)
            found.setdefault(names.called(node), []).append((source, node))
        return found

    def calls(self, name: str) -> list[tuple[Source, ast.Call]]:
        """All calls whose function has this last name."""
        return self._calls.get(name, [])

    def callers(self, source: Source, function: Function) -> list[tuple[Source, ast.Call]]:
        """All calls of a function, a class's constructor counted as its __init__."""
        outer = source.parents.get(function)
        if isinstance(outer, ast.ClassDef) and function.name == "__init__":
            heirs = [each.name for _, each in self.classes() if outer.name in map(
                names.last_name, each.bases) and not methods(each, "__init__")]
            return [call for name in (outer.name, *heirs) for call in self.calls(name)]
        if isinstance(outer, ast.ClassDef) and function.name == "forward":
            return []  # it is called through the module
        return self.calls(function.name)

    @cached_property
    def _functions(self) -> dict[str, list[tuple[Source, Function]]]:
        found: dict[str, list[tuple[Source, Function]]] = {}
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef):
            for source, node in self.nodes(kind):
                assert isinstance(node, Function)
                outer = source.parents.get(node)
                constructs = isinstance(outer, ast.ClassDef) and node.name == "__init__"
                name = outer.name if isinstance(outer, ast.ClassDef) and constructs else node.name
                found.setdefault(name, []).append((source, node))
        return found

    def functions(self, called: str) -> list[tuple[Source, Function]]:
        """The functions that a call of a name can mean: a class's is its __init__."""
        return self._functions.get(called, [])

    def classes(self) -> list[tuple[Source, ast.ClassDef]]:
        """All classes of the user's."""
        return [(source, node) for source, node in self.nodes(ast.ClassDef)
                if isinstance(node, ast.ClassDef)]

    def class_named(self, name: str) -> tuple[Source, ast.ClassDef] | None:
        """The only class of a name."""
        found = [(source, each) for source, each in self.classes() if each.name == name]
        return found[0] if len(found) == 1 else None

    def forward_of(self, kind: str) -> tuple[Source, Function] | None:
        """The forward of a class of the user's, or of the class that it inherits from."""
        seen: set[str] = set()
        while kind not in seen:
            seen.add(kind)
            found = self.class_named(kind)
            if found is None:
                return None
            source, node = found
            own = methods(node, "forward")
            if own:
                return source, own[0]
            kind = next((names.last_name(base) for base in node.bases
                         if self.class_named(names.last_name(base))), kind)
        return None

    # Loops ---------------------------------------------------------------------------------------
    def loops(self, source: Source, node: ast.AST, deepest: int = 4) -> list[tuple[Source, Loop]]:
        """The loops around a node, innermost first, across the only call of its function."""
        found: list[tuple[Source, Loop]] = []
        inner = node
        for outer in source.ancestors(node):
            if isinstance(outer, Loop) and any(inner is each for each in outer.body):
                found.append((source, outer))
            if isinstance(outer, Function):
                callers = self.callers(source, outer)
                if len(callers) == 1 and deepest:
                    return found + self.loops(*callers[0], deepest - 1)
                return found
            inner = outer
        return found

    # Names of torch ------------------------------------------------------------------------------
    def spelled(self, source: Source, name: str) -> str | None:
        """How a source spells a dotted name of a library: "nn.ReLU" for "torch.nn.ReLU".

        None if it imports nothing that leads there.
        """
        best: str | None = None
        sources = [source, *(self.sources[cell] for cell in self.cells
                             if source.name in self.cells and cell in self.sources)]
        for each in sources:
            for node in each.tree.body:
                for full, short in _imported(node):
                    if name == full or name.startswith(f"{full}."):
                        spelled = short + name[len(full):]
                        if best is None or len(spelled) < len(best):
                            best = spelled
        return best


def _imported(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            full = alias.name if alias.asname else alias.name.partition(".")[0]
            yield full, alias.asname or full
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield f"{node.module}.{alias.name}", alias.asname or alias.name
    elif isinstance(node, ast.Try | ast.If):
        for inner in node.body:
            yield from _imported(inner)


def methods(node: ast.ClassDef, name: str) -> list[Function]:
    """The methods of a class with a name."""
    return [each for each in node.body if isinstance(each, Function) and each.name == name]


def breaks(source: Source, loop: Loop) -> list[ast.Break]:
    """The statements that leave a loop."""
    return [node for node in ast.walk(loop) if isinstance(node, ast.Break) and next(
        each for each in source.ancestors(node) if isinstance(each, Loop)) is loop]
