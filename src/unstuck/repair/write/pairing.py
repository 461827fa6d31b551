"""Inputs and their targets kept together: in order, in place, and in their numbering."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import OneLoader, ShuffleFirst, SortClasses, TransformTogether
from unstuck.schema.places import SourceLocation

# How the state of each global generator is read and set, by what draws from it.
_STATES = (
    ("torch", "torch.get_rng_state()", "torch.set_rng_state"),
    ("numpy.random", "numpy.random.get_state()", "numpy.random.set_state"),
    ("random", "random.getstate()", "random.setstate"),
)
_OWN_GENERATORS = ("default_rng", "RandomState", "Generator", "Random")


# One draw for both -------------------------------------------------------------------------------
def write_together(edit: TransformTogether, record: Record, index: Index) -> list[Patch]:
    """Both in one call; else the state of the generators set back before the second."""
    found = index.at(edit.at, "the transform")
    source = found.source
    both = next((pair for pair in _pairs(found) if len(pair) == 2 and ast.dump(
        pair[0].value.func) == ast.dump(pair[1].value.func)), None)
    if both is None:
        raise Refused(Reason.UNKNOWN_FORM, "The input and the target are not transformed by the "
                      "same call, one right after the other.")
    return [_stacked(edit, index, source, *both), *_set_back(edit, index, source, *both)]


def _pairs(found: Found) -> Iterator[list[_Transformed]]:
    """The transforms in a statement that gives two names; or those in the one at the place, and in
    the one before or behind it, with nothing but seeds between."""
    match found.statement:
        case ast.Assign(targets=[ast.Tuple(elts=[one, other])],
                        value=ast.Tuple(elts=[first, second])):
            yield [_Transformed(found.statement, target, value) for target, value in (
                (one, first), (other, second)) if _is_transform(value)]
            return
    body = [each for each in found.source.body(found.statement) if each is found.statement
            or not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)
                    and names.called(each.value) in ("manual_seed", "seed"))]
    place = body.index(found.statement)
    for start in (place - 1, place):
        if start >= 0:
            yield [each for statement in body[start:start + 2]
                   if (each := _transformed(statement)) is not None]


class _Transformed:
    """A statement `x = transform(x)`."""

    def __init__(self, statement: ast.stmt, target: ast.expr, value: ast.Call) -> None:
        self.statement, self.target, self.value = statement, target, value


def _transformed(statement: ast.stmt) -> _Transformed | None:
    match statement:
        case ast.Assign(targets=[ast.Name() as target], value=ast.Call() as value) if (
                _is_transform(value)):
            return _Transformed(statement, target, value)
    return None


def _is_transform(node: ast.expr) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords


def _stacked(edit: TransformTogether, index: Index, source: Source, one: _Transformed,
             other: _Transformed) -> Patch:
    name, needs = spell(index, source, "torch.stack")
    targets = f"{source.code(one.target)}, {source.code(other.target)}"
    given = f"{source.code(one.value.args[0])}, {source.code(other.value.args[0])}"
    line = f"{targets} = {source.code(one.value.func)}({name}([{given}]))"
    gone = change.remove(source, other.statement) if other.statement is not one.statement else ()
    return Patch(edit, (*change.replace(source, one.statement, line), *gone), Form.STATEMENT, needs)


def _set_back(edit: TransformTogether, index: Index, source: Source, one: _Transformed,
              other: _Transformed) -> Iterator[Patch]:
    if any(index.calls(name) for name in _OWN_GENERATORS):
        return  # which of them the transform draws from is not sure
    known = [(index.spelled(source, module), read, put) for module, read, put in _STATES]
    states = [(read.replace(module, here, 1), put.replace(module, here, 1))
              for (here, read, put), (module, _, _) in zip(known, _STATES, strict=True)
              if here is not None]
    if not states:
        return
    lines = "\n".join(f"state_{i} = {read}" for i, (read, _) in enumerate(states))
    back = "\n".join(f"{put}(state_{i})" for i, (_, put) in enumerate(states))
    if one.statement is other.statement:  # two names, two values
        first, second = (f"{source.code(each.target)} = {source.code(each.value)}"
                         for each in (one, other))
        indented = f"{source.line_end}{source.indentation(source.span(one.statement)[0])}"
        text = "\n".join((lines, first, back, second)).replace("\n", indented)
        yield Patch(edit, change.replace(source, one.statement, text), Form.STATEMENT)
        return
    yield Patch(edit, (*change.before(source, one.statement, lines),
                       *change.before(source, other.statement, back)), Form.STATEMENT)


# One numbering -----------------------------------------------------------------------------------
def write_sorted(edit: SortClasses, record: Record, index: Index) -> list[Patch]:
    """Around what the numbers are given in the order of."""
    splices: dict[Splice, None] = {}
    last: SourceLocation | None = None  # what numbers the classes once more
    for source in index.sources.values():
        for node in ast.walk(source.tree):
            for splice in _numbering(source, node):
                splices[splice] = None
                if isinstance(node, ast.expr):
                    last = source.location(*source.span(node))
    if not splices:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the classes get their "
                      "numbers.", ("the line that numbers the classes",))
    return [Patch(edit, tuple(splices), Form.DATA, at=last if len(splices) > 1 else None)]


def _numbering(source: Source, node: ast.AST) -> Iterator[Splice]:
    match node:
        # for name in names: if name not in index: index[name] = len(index)
        case ast.For(target=ast.Name(id=name), iter=order) if any(
                isinstance(each, ast.Assign) and isinstance(each.value, ast.Call)
                and names.called(each.value) == "len" and isinstance(
                    each.targets[0], ast.Subscript)
                and names.dotted(each.targets[0].slice) == name
                and each.value.args and source.code(each.value.args[0]) == source.code(
                    each.targets[0].value) for each in ast.walk(node)):
            if not (isinstance(order, ast.Call) and names.called(order) in ("sorted", "unique")):
                yield from change.wrap(source, order, "sorted(set(", "))")
        # {name: i for i, name in enumerate(set(names))}
        case ast.DictComp(key=ast.Name(id=key), value=ast.Name(id=value), generators=[
                ast.comprehension(target=ast.Tuple(elts=[ast.Name(id=number), ast.Name(id=name)]),
                                  iter=ast.Call(func=ast.Name(id="enumerate"), args=[order]))]) if (
                key == name and value == number):
            if isinstance(order, ast.Name):
                order = names.given_before(source, order) or order
            elif isinstance(order, ast.Attribute):
                given = [each.value for each in source.nodes.get(ast.Assign, ())
                         if isinstance(each, ast.Assign) and names.dotted(order) in map(
                             names.dotted, each.targets)]
                order = given[0] if len(given) == 1 else order
            listed = isinstance(order, ast.Call) and names.called(order) in (
                "list", "tuple") and len(order.args) == 1
            inner = order.args[0] if listed and isinstance(order, ast.Call) else order
            if isinstance(inner, ast.Call) and names.called(inner) in ("set", "fromkeys",
                                                                      "listdir"):
                if listed and isinstance(order, ast.Call):
                    yield from change.replace(source, order.func, "sorted")
                else:
                    yield from change.wrap(source, order, "sorted(", ")")
        case ast.Call(args=[_]) if names.called(node) == "factorize":
            yield from change.set_argument(source, node, "sort", "True")


# One order ---------------------------------------------------------------------------------------
def write_one_loader(edit: OneLoader, record: Record, index: Index) -> list[Patch]:
    """A loader of pairs for `zip(inputs, targets)` of two loaders that each shuffle."""
    for source, call in index.calls("zip"):
        if len(call.args) != 2 or not all(isinstance(each, ast.Name) for each in call.args):
            continue
        made = [(each, origin) for each in call.args
                if (origin := hop(index, source, each)) is not None
                and isinstance(origin.node, ast.Call) and origin.source is source
                and names.called(origin.node) == "DataLoader"]
        if len(made) != 2:
            continue
        (first, inputs), (second, targets) = made
        assert isinstance(inputs.node, ast.Call)
        assert isinstance(targets.node, ast.Call)
        data = [change.argument(each, "dataset", 0) for each in (inputs.node, targets.node)]
        statement = source.statement(targets.node)
        scope = names.scope_of(source, second)
        if None in data or not isinstance(statement, ast.Assign) or len(names.uses(
                source, scope, names.dotted(second))) != 1:
            raise Refused(Reason.UNKNOWN_FORM, "The loader of the targets is used elsewhere too.")
        x, y = (each for each in data if each is not None)
        if not all(_tensor_like(each) for each in (x, y)):
            raise Refused(Reason.UNKNOWN_FORM, "The loaders hold more than tensors.")
        name, needs = spell(index, source, "torch.utils.data.TensorDataset")
        every: tuple[Need, ...] = needs
        return [Patch(edit, (
            *change.replace(source, x, f"{name}({source.code(x)}, {source.code(y)})"),
            *change.remove(source, statement),
            *change.replace(source, call, source.code(first))), Form.DATA, every)]
    raise Refused(Reason.NO_PLACE, "The program does not zip two loaders.")


def write_shuffle_first(edit: ShuffleFirst, record: Record, index: Index) -> list[Patch]:
    """Where `train_test_split` is told not to shuffle; else in front of `x[:n]` and `x[n:]`."""
    kept = [splice for source, call in index.calls("train_test_split")
            for splice in change.drop_argument(source, call, "shuffle")]
    if kept:
        return [Patch(edit, tuple(kept), Form.LITERAL)]
    splits: dict[tuple[str, str], list[ast.Subscript]] = {}
    for source, node in index.nodes(ast.Subscript):
        match node:
            case ast.Subscript(value=ast.Name(), ctx=ast.Load(), slice=(
                    ast.Slice(lower=None, upper=ast.expr() as border, step=None)
                    | ast.Slice(lower=ast.expr() as border, upper=None, step=None))):
                splits.setdefault((source.name, source.code(border)), []).append(node)
    found = {place: parts for place, parts in splits.items() if _splits(parts)}
    if len(found) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The samples are not split by two slices of them.")
    ((name, _), parts), = found.items()
    source = index.sources[name]
    parts.sort(key=source.span)
    held = dict.fromkeys(part.value.id for part in parts if isinstance(part.value, ast.Name))
    order = free_name(index, source, "order")
    shuffle, needs = spell(index, source, "torch.randperm")
    first = source.statement(parts[0])
    line = (f"{order} = {shuffle}(len({next(iter(held))}))\n"
            f"{', '.join(held)} = {', '.join(f'{each}[{order}]' for each in held)}")
    return [Patch(edit, change.before(source, first, line), Form.DATA, needs)]


def _splits(parts: list[ast.Subscript]) -> bool:
    """Whether what is sliced is sliced into a first and a last part, each name as often."""
    ends = [(part.value.id, part.slice.lower is None) for part in parts
            if isinstance(part.value, ast.Name) and isinstance(part.slice, ast.Slice)]
    names = {name for name, _ in ends}
    return set(ends) == {(name, first) for name in names for first in (True, False)}


def _tensor_like(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


WRITERS = {ShuffleFirst: write_shuffle_first, TransformTogether: write_together,
           SortClasses: write_sorted, OneLoader: write_one_loader}
