"""Training and held-out samples: copies dropped before they are split, a split without chance."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import hop, settled
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.text import Source, Splice
from unstuck.repair.write.scaling import below, scope_below, where_made
from unstuck.schema.edits import DropCopies, SplitFirst, SplitInOrder, SplitOnce
from unstuck.schema.facts.calls import CallRole, LossCall, ModelCall

_TRAINED = re.compile(r"(?:^|_)(?:tr|train|training|fit|learn)(?:_|\d|$)|^[xy]tr", re.IGNORECASE)
_ORDERS = {"randperm": "torch.arange", "permutation": "numpy.arange"}


def write_drop_copies(edit: DropCopies, record: Record, index: Index) -> list[Patch]:
    """In front of the split; else of the training's data set, or below where its rows are made."""
    found = None if edit.at is None else index.at(edit.at, "what holds the samples")
    if edit.split and found is None:
        found = _split(index)
    held = None if found is None else _arrays(index, found)
    if held is not None:
        place, arrays = held
        lines, needs = _once(index, place.source, arrays)
        return [Patch(edit, change.before(place.source, place.statement, lines), Form.DATA, needs,
                      at=place.source.location(*place.source.span(place.node)))]
    if edit.split:
        raise Refused(Reason.UNKNOWN_FORM, "What is split is not made of variables.")
    try:
        return _where_made(edit, record, index)
    except Refused:
        if edit.at is None:
            return [replace(patch, edit=edit) for patch in write_drop_copies(
                replace(edit, split=True), record, index)]
        raise


def _where_made(edit: DropCopies, record: Record, index: Index) -> list[Patch]:
    """Below where the variables are made that training takes its samples from."""
    trained, targets = (
        list(dict.fromkeys(call.variable for call in calls
                           if call.role is CallRole.TRAIN and call.variable is not None))
        for calls in (record.facts(ModelCall), record.facts(LossCall)))
    if len(trained) != 1 or len(targets) != 1 or trained[0].rows != targets[0].rows:
        raise Refused(Reason.NO_PLACE, "unstuck does not know which variables hold the samples and "
                      "their targets.")
    (source, made), (other, later) = (
        where_made(index, variable) for variable in (trained[0], targets[0]))
    if other is not source or scope_below(other, later) is not scope_below(source, made):
        raise Refused(Reason.UNKNOWN_FORM, "The samples are made in another function than their "
                      "targets.")
    last = max(made, later, key=source.span)
    lines, needs = _once(index, source, [trained[0].name, targets[0].name])
    return [Patch(edit, below(source, last, lines), Form.DATA, needs)]


def _split(index: Index) -> Found:
    """The only call that splits samples at random."""
    calls = [each for name in ("train_test_split", "random_split") for each in index.calls(name)]
    if len(calls) != 1:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the samples are split.")
    return Found(*calls[0])


def _arrays(index: Index, found: Found) -> tuple[Found, list[str]] | None:
    """Where arrays are split or made a data set of, and their names, that of the inputs first."""
    source, node = found.source, found.expression
    for _ in range(3):
        called = names.called(node) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and called in ("train_test_split", "TensorDataset"):
            arrays = [names.dotted(each) or "" for each in node.args]
            return (Found(source, node), arrays) if all(arrays) and len(arrays) > 1 else None
        if isinstance(node, ast.Call) and called in ("random_split", "Subset") and node.args:
            node = node.args[0]
        origin = hop(index, source, node) or settled(index, source, node)
        if origin is None:
            return None
        source, node = origin.source, origin.node
    return None


def _once(index: Index, source: Source, arrays: list[str]) -> tuple[str, tuple[Need, ...]]:
    """Lines that keep the first of equal samples, in their order."""
    first = free_name(index, source, "first")
    unique, needs = spell(index, source, "numpy.unique")
    package = unique.removesuffix("unique")
    ordered = f"{package}sort" if package else "sorted"
    return (f"{first} = {ordered}({unique}({arrays[0]}, axis=0, return_index=True)[1])\n"
            f"{', '.join(arrays)} = {', '.join(f'{each}[{first}]' for each in arrays)}"), needs


def write_split_first(edit: SplitFirst, record: Record, index: Index) -> list[Patch]:
    """What makes more samples of the arrays moves behind the statement that splits them."""
    found = [each for source, node in index.nodes(ast.Assign) if isinstance(node, ast.Assign)
             if (each := _copied_before(source, node)) is not None]
    if len(found) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "No statement right before a split makes more samples "
                      "of what is split.")
    source, split, made, names_of = found[0]
    code = change.with_texts(source, made, {
        source.span(each): names_of[each.id] for each in ast.walk(made)
        if isinstance(each, ast.Name) and each.id in names_of})
    return [Patch(edit, (*change.remove(source, made), *change.after(source, split, code)),
                  Form.STATEMENT, at=source.location(*source.span(made)))]


def _copied_before(source: Source, split: ast.Assign
                   ) -> tuple[Source, ast.Assign, ast.Assign, dict[str, str]] | None:
    """A statement that splits arrays, the one before it that makes more samples of all of them by
    one call, `x, y = oversample(x, y)`, and the names of their training parts.
    """
    match split:
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Call() as call):
            pass
        case _:
            return None
    arrays = [names.dotted(each) for each in call.args if isinstance(each, ast.Name)]
    targets = [names.dotted(each) for each in parts]
    body = source.body(split)
    before = body[body.index(split) - 1] if body.index(split) else None
    match before:
        case ast.Assign(targets=[ast.Tuple(elts=made)], value=ast.Call(args=given)):
            own = [names.dotted(each) for each in made]
        case _:
            return None
    if len(own) < 2 or own != arrays[:len(own)] or own != [
            names.dotted(each) for each in given[:len(own)]]:
        return None
    trained = targets[::2] if names.called(call) == "train_test_split" else [
        each for each in targets if _TRAINED.search(each)]
    if len(targets) != 2 * len(trained) or len(trained) < len(own):
        return None
    return source, split, before, dict(zip(own, trained, strict=False))


def write_split_in_order(edit: SplitInOrder, record: Record, index: Index) -> list[Patch]:
    """Without what draws the split: the first samples on one side and the last on the other."""
    found = _split(index) if edit.at is None else index.at(edit.at, "what splits the samples")
    source, call = found.source, found.call
    needs: tuple[Need, ...] = ()
    splices: tuple[Splice, ...]
    match names.called(call), call.args:
        case "train_test_split", _ if change.argument(call, "stratify") is None:
            splices = (*change.drop_argument(source, call, "random_state"),
                       *change.set_argument(source, call, "shuffle", "False"))
        case "randperm" | "permutation" as called, [length, *_]:
            plain, needs = spell(index, source, _ORDERS[called])
            splices = change.replace(source, call, f"{plain}({source.code(length)})")
        case "random_split", [data, ast.List() | ast.Tuple() as lengths, *_] if not any(
                isinstance(each, ast.Constant) and isinstance(each.value, float)
                for each in lengths.elts):
            subset, needs = spell(index, source, "torch.utils.data.Subset")
            arange, more = spell(index, source, "torch.arange")
            needs += more
            text = source.code(data)
            splices = change.replace(
                source, call, f"[{subset}({text}, rows.tolist()) for rows in "
                f"{arange}(len({text})).split({source.code(lengths)})]")
        case _:
            raise Refused(Reason.UNKNOWN_FORM, "The samples are split in another way than by a "
                          "random order of all.")
    return [Patch(edit, splices, Form.DATA, needs)]


def write_split_once(edit: SplitOnce, record: Record, index: Index) -> list[Patch]:
    """The parts of the second order are taken from the first one, or all from one split."""
    orders: dict[tuple[int, int], list[_Orders]] = {}
    for source in index.sources.values():
        for found in _two_orders(index, source):
            orders.setdefault((id(found.first), id(found.second)), []).append(found)
    splits = [pair for source in index.sources.values() for pair in _two_splits(source)]
    if len(orders) + len(splits) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "No two statements take complementary parts of two "
                      "random orders.")
    return [_one_order(edit, index, *orders.values()) if orders else _one_split(edit, *splits[0])]


@dataclass(frozen=True, slots=True)
class _Orders:
    """Slices `[:n]` and `[n:]` of two random orders, and the calls that draw these."""

    source: Source
    one: ast.Subscript
    other: ast.Subscript
    first: ast.Call
    second: ast.Call


def _two_orders(index: Index, source: Source) -> Iterator[_Orders]:
    """Of two random orders of equally many samples."""
    starts: list[tuple[str, ast.Subscript, ast.Call]] = []
    ends: list[tuple[str, ast.Subscript, ast.Call]] = []
    for node in source.nodes.get(ast.Subscript, ()):
        assert isinstance(node, ast.Subscript)
        match node.slice:
            case ast.Slice(lower=None, upper=ast.expr() as cut, step=None):
                found = starts
            case ast.Slice(lower=ast.expr() as cut, upper=None, step=None):
                found = ends
            case _:
                continue
        drawn = _order(index, source, node.value)
        if drawn is not None:
            found.append((f"{source.code(cut)} of {source.code(drawn.args[0])}", node, drawn))
    for part, one, first in starts:
        for rest, other, second in ends:
            if part == rest and first is not second:
                yield _Orders(source, one, other, first, second)


def _order(index: Index, source: Source, node: ast.expr) -> ast.Call | None:
    """The call that draws a random order, where a node is it or a name for it."""
    if isinstance(node, ast.Name):
        found = hop(index, source, node)
        node = found.node if found is not None and found.source is source else node
    return node if isinstance(node, ast.Call) and names.called(node) in _ORDERS and (
        node.args) else None


def _one_order(edit: SplitOnce, index: Index, pairs: list[_Orders]) -> Patch:
    found = pairs[0]
    source, one, other = found.source, found.one, found.other
    if isinstance(one.value, ast.Name):
        taken = {source.span(pair.other.value): pair.other.value for pair in pairs}
        if min(taken) < source.span(found.first):
            raise Refused(Reason.UNKNOWN_FORM, "The second order is used before the first.")
        splices = tuple(splice for node in taken.values()
                        for splice in change.replace(source, node, one.value.id))
    else:
        name = free_name(index, source, "order")
        statement = min(map(source.statement, (one, other)), key=source.span)
        splices = (*change.before(source, statement, f"{name} = {source.code(found.first)}"),
                   *change.replace(source, one.value, name),
                   *change.replace(source, other.value, name))
    return Patch(edit, splices, Form.DATA, at=source.location(*source.span(found.second)))


def _two_splits(source: Source) -> Iterator[tuple[Source, ast.Assign, ast.Assign]]:
    """`train, _ = split(x)` and `_, valid = split(x)`, next to each other or not."""
    found = [node for node in source.nodes.get(ast.Assign, ())
             if isinstance(node, ast.Assign) and _parts(node) is not None]
    for one in found:
        for other in found:
            mine, theirs = _parts(one) or [], _parts(other) or []
            if source.span(one) < source.span(other) and len(mine) == len(theirs) and (
                    source.function(one) is source.function(other)) and all(
                    (a == "_") != (b == "_") for a, b in zip(mine, theirs, strict=True)) and (
                    _samples(source, one) == _samples(source, other)):
                yield source, one, other


def _parts(node: ast.Assign) -> list[str] | None:
    """The names that take the parts of a random split."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Call() as call) if (
                names.called(call) in ("train_test_split", "random_split")):
            return [names.dotted(each) for each in parts]
        case _:
            return None


def _samples(source: Source, node: ast.Assign) -> list[str]:
    assert isinstance(node.value, ast.Call)
    return [source.code(each) for each in node.value.args]


def _one_split(edit: SplitOnce, source: Source, one: ast.Assign, other: ast.Assign) -> Patch:
    """The first split hands out both parts."""
    targets, theirs = one.targets[0], other.targets[0]
    assert isinstance(targets, ast.Tuple)
    assert isinstance(theirs, ast.Tuple)
    splices = [splice for a, b in zip(targets.elts, theirs.elts, strict=True)
               if names.dotted(a) == "_" for splice in change.replace(source, a, source.code(b))]
    return Patch(edit, (*splices, *change.remove(source, other)), Form.DATA,
                 at=source.location(*source.span(other.value)))


WRITERS = {DropCopies: write_drop_copies, SplitFirst: write_split_first,
           SplitInOrder: write_split_in_order, SplitOnce: write_split_once}
