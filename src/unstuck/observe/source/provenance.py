"""Where the data that a model or a loss receives come from, as the program's text has it.

The expression is followed back, from a call that is under way: through loops over loaders, data
sets, functions, parameters, attributes and assignments, to what first made the values.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.observe.source.data_calls import (
    BATCHING,
    CONVERTING,
    MAKING,
    ORDERING,
    PASSING,
    SHAPING,
    SPLITTING,
    change,
    computed,
    of_each,
    source_of,
)
from unstuck.observe.source.lexical import (
    Function,
    Instance,
    Path,
    Point,
    Scope,
    another_call,
    binding,
    call_under_way,
    defined,
    instance,
    method,
    one_back,
    own_nodes,
)
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Site, Sites, expression_at
from unstuck.observe.source.standins import StandIn
from unstuck.schema.facts.calls import DataStep, StepKind

MOST_STEPS = 24
_DEEPEST = 60  # expressions that are followed one after another


def steps_to(
    sites: Sites, stack: list[Site], place: int, network: StandIn | None = None
) -> tuple[DataStep, ...]:
    """What was done to an argument of the innermost call of a stack, the last thing first.

    Args:
        sites: of the program.
        stack: the call sites of its frames, innermost first.
        place: the number of the argument.
        network: of plain tensors, which the innermost call receives the output of: its own call is
            meant then.
    """
    under = call_under_way(sites, stack)
    if under is not None and network is not None:
        own = another_call(network.called, under[1]) if network.called is not None else None
        within = [each for each in under[0].args[:1] if isinstance(each, ast.Call)]
        under = own or (within[0], under[1]) if own or within else None
    if under is None:
        return ()
    call, at = under
    given = [*call.args, *(each.value for each in call.keywords)]
    if len(given) <= place or any(isinstance(each, ast.Starred) for each in call.args):
        return ()
    named = [each.value for each in call.keywords if each.arg == "target"]
    node = named[0] if place and named else given[place]
    found: list[DataStep] = []
    for kind, file, step in _Follower().followed(node, at, ()):
        where = expression_at(file, step, sites.keeps_text)
        if not sites.is_user(file) or len(found) >= MOST_STEPS:
            break
        found.append(DataStep(kind, where))
    return tuple(found)


_Step = tuple[StepKind, str, ast.expr | ast.stmt]


class _Follower:
    """Goes back from one expression to the next, until the text does not say what is before."""

    def __init__(self) -> None:
        self._left = _DEEPEST

    def followed(self, node: ast.expr, at: Point, path: Path) -> Iterator[_Step]:
        """The steps behind an element of an expression's value."""
        self._left -= 1
        if self._left < 0:
            return
        match node:
            case ast.Name() | ast.Attribute():
                yield from self._named(node, at, path)
            case ast.Subscript():
                yield from self._item(node, at, path)
            case ast.Call():
                yield from self._call(node, at, path)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                if path and isinstance(path[0], int) and path[0] < len(parts):
                    yield from self.followed(parts[path[0]], at, path[1:])
                elif parts and not path:
                    yield from self.followed(parts[0], at, path)
            case ast.Dict(keys=keys, values=values) if path:
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == path[0]:
                        yield from self.followed(value, at, path[1:])
            case ast.BinOp():
                yield computed(node), at.scope.file, node
                inner: ast.expr = node
                while isinstance(inner, ast.BinOp):
                    inner = inner.right if isinstance(inner.left, ast.Constant) else inner.left
                yield from self.followed(inner, at, ())
            case ast.UnaryOp(operand=inner) | ast.Compare(left=inner):
                yield StepKind.COMPUTED, at.scope.file, node
                yield from self.followed(inner, at, ())
            case ast.NamedExpr(value=inner) | ast.Await(value=inner) | ast.Starred(value=inner):
                yield from self.followed(inner, at, path)
            case ast.ListComp() | ast.GeneratorExp() if (one := of_each(node, path)) is not None:
                yield from self.followed(one, at, path[1:])
            case ast.ListComp() | ast.GeneratorExp() | ast.IfExp():
                yield StepKind.MADE, at.scope.file, node

    # Names ----------------------------------------------------------------------------------------
    def _named(self, node: ast.Name | ast.Attribute, at: Point, path: Path) -> Iterator[_Step]:
        over = _comprehended(node, at)
        if over is not None:
            yield from self._element(over[0], at, (*over[1], *path))
            return
        back = one_back(node, at)
        if back is None:
            if isinstance(node, ast.Attribute):
                inner = node.value
                if node.attr in PASSING or node.attr in ("T", "mT"):
                    yield from self.followed(inner, at, path)
                elif instance(inner, at) is None and not _unknown(inner, at):
                    yield StepKind.MADE, at.scope.file, node
            return
        value, before, within, statement = back
        if statement is not None and statement.value is None:
            yield change(statement.statement), before.scope.file, statement.statement
            yield from self.followed(value, before, path)
            return
        if statement is not None and statement.loop:
            yield from self._element(value, before, (*within, *path))
        else:
            yield from self.followed(value, before, (*within, *path))

    def _item(self, node: ast.Subscript, at: Point, path: Path) -> Iterator[_Step]:
        match node.slice:
            case ast.Constant(value=int() | str() as key):
                yield from self.followed(node.value, at, (key, *path))
            case index:
                drawn = _order(index, at)
                if drawn is not None:
                    yield StepKind.ORDERED, at.scope.file, drawn
                of = instance(node.value, at)
                if of is not None:
                    yield from self._fetched(of, at, path)
                else:
                    yield from self.followed(node.value, at, path)

    # Elements of what is looped over --------------------------------------------------------------
    def _element(self, node: ast.expr, at: Point, path: Path) -> Iterator[_Step]:
        """The steps behind what a loop over an expression gives."""
        self._left -= 1
        if self._left < 0:
            return
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            given = node.args
            if name == "enumerate" and path[:1] == (1,) and given:
                yield from self._element(given[0], at, path[1:])
                return
            if name == "zip" and path and isinstance(path[0], int) and path[0] < len(given):
                yield from self._element(given[path[0]], at, path[1:])
                return
            inner = source_of(node)
            if name in PASSING and inner is not None:
                yield from self._element(inner, at, path)
            else:
                yield from self._call(node, at, path)
            return
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.List):
            node = node.left
        of = instance(node, at)
        if of is not None:
            yield from self._fetched(of, at, path)
        elif isinstance(node, ast.List | ast.Tuple) and node.elts:
            yield from self.followed(node.elts[0], at, path)
        elif isinstance(node, ast.Name | ast.Attribute):
            back = one_back(node, at)
            if back is None:
                return
            value, before, within, statement = back
            if statement is not None and (statement.value is None or statement.loop):
                return
            if within:
                yield from self.followed(value, before, (*within, *path))
            else:
                yield from self._element(value, before, path)
        else:
            yield from self.followed(node, at, path)

    def _fetched(self, of: Instance, at: Point, path: Path) -> Iterator[_Step]:
        """The steps behind a sample of a data set of the program's own class."""
        if of.call is not None and of.at is not None:
            yield StepKind.WRAPPED, of.at.scope.file, of.call
        for name in ("__getitem__", "__iter__", "__getitems__"):
            body = method(of.kind, name)
            if body is not None:
                yield from self._returned(
                    body, Scope(at.scope.sites, of.file, of.tree, body, owner=of), path)
                return

    # Calls ----------------------------------------------------------------------------------------
    def _call(self, node: ast.Call, at: Point, path: Path) -> Iterator[_Step]:
        name, given, file = last_name(node.func), node.args, at.scope.file
        one = of_each(node, path)
        if one is not None:
            yield from self.followed(one, at, path[1:])
            return
        first = given[0] if given else None
        if name in BATCHING:
            data = first or next((k.value for k in node.keywords if k.arg == "dataset"), None)
            if name == "random_split":
                path = path[1:]  # which part
            if name.endswith("Dataset") and isinstance(first, ast.List | ast.Tuple):
                data = first.elts[0] if first.elts else None
            if data is not None:
                yield from self._element(data, at, path)
            return
        if name == "TensorDataset":
            yield StepKind.WRAPPED, file, node
            if path and isinstance(path[0], int) and path[0] < len(given):
                yield from self.followed(given[path[0]], at, path[1:])
            return
        if name in SPLITTING or (name == "shuffle" and given):
            yield StepKind.ORDERED, file, node
            each = 2 if name in SPLITTING else 1
            place = path[0] // each if path and isinstance(path[0], int) else 0
            if place < len(given):
                yield from self.followed(given[place], at, path[1:])
            return
        own = self._own(node, at)
        if own is not None:
            yield StepKind.CALLED, file, node
            yield from self._returned(own.body, own, path)
            return
        inner = source_of(node)
        constructed = instance(node, at)
        if constructed is not None:
            yield from self._fetched(constructed, at, path)
            return
        kind = (StepKind.CONVERTED if name in CONVERTING else StepKind.SHAPED if name in SHAPING
                else StepKind.ORDERED if name in ORDERING and inner is not None else None)
        if kind is not None:
            yield kind, file, node
        elif name not in PASSING:
            inner = None if name.startswith(MAKING) else inner
            yield StepKind.MADE if inner is None else computed(node), file, node
        if inner is not None:
            yield from self.followed(inner, at, path)

    def _own(self, node: ast.Call, at: Point) -> Scope | None:
        """The program's own function that a call runs, as a scope."""
        if isinstance(node.func, ast.Attribute):
            of = instance(node.func.value, at)
            body = method(of.kind, node.func.attr) if of is not None else None
            if of is not None and body is not None:
                return Scope(at.scope.sites, of.file, of.tree, body, node, at, of)
        if isinstance(node.func, ast.Name):
            back = one_back(node.func, at)
            if back is not None and isinstance(back[0], ast.Lambda) and not back[2]:
                inner = back[1].scope
                return Scope(inner.sites, inner.file, inner.tree, back[0], node, at)
            known = defined(node.func.id, at.scope)
            if known is not None and isinstance(known[0], Function):
                return Scope(at.scope.sites, known[1], known[2], known[0], node, at)
        return None

    def _returned(self, body: ast.AST, scope: Scope, path: Path) -> Iterator[_Step]:
        """The steps behind what the only `return` or `yield` of a function gives."""
        if isinstance(body, ast.Lambda):
            yield from self.followed(body.body, Point(scope, body.lineno), path)
            return
        values = [(each, each.value) for each in own_nodes(body) if isinstance(
            each, ast.Return | ast.Yield) and each.value is not None]
        if len(values) == 1:
            yield from self.followed(values[0][1], Point(scope, values[0][0].lineno), path)


def _order(index: ast.expr, at: Point) -> ast.expr | None:
    """What draws the order in which rows are picked by an index; None if it is not drawn."""
    if isinstance(index, ast.Name):
        found = binding(index.id, at)
        if found is None or found.value is None or found.loop:
            return None
        index = found.value
    return next((each for each in ast.walk(index) if isinstance(each, ast.Call)
                 and last_name(each.func) in ORDERING | SPLITTING), None)


def _comprehended(node: ast.expr, at: Point) -> tuple[ast.expr, Path] | None:
    """What the comprehension around a name goes through for it, and which element it is."""
    if not isinstance(node, ast.Name):
        return None
    for each in own_nodes(at.scope.body):
        if isinstance(each, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) and any(
                inner is node for inner in ast.walk(each)):
            for part in each.generators:
                target = part.target
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                for place, name in enumerate(names):
                    if isinstance(name, ast.Name) and name.id == node.id:
                        return part.iter, (place,) if isinstance(target, ast.Tuple) else ()
    return None


def _unknown(node: ast.expr, at: Point) -> bool:
    """Whether an expression is a parameter of which nothing is known."""
    return isinstance(node, ast.Name) and one_back(node, at) is None
