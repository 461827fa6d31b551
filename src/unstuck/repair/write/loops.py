"""How long the training is, and how many samples a batch has; the order of the samples."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index, Loop, breaks
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.places import backwards, free_name, spell
from unstuck.repair.text import Source, Splice
from unstuck.repair.values import Number, constant, known, ways
from unstuck.schema.edits import AlsoAtEnd, BatchSize, DropLast, MoreSteps, Shuffle
from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.data import Feeding, Fetch, Loader
from unstuck.schema.facts.optimizers import Optimizer

_RANGES = ("range", "trange")


def _loops(record: Record, index: Index) -> list[tuple[Source, Loop]]:
    """The loops around the first backward pass, innermost first."""
    backward = backwards(record, index)[0]
    return index.loops(backward.source, backward.node)


# The number of steps -----------------------------------------------------------------------------
def write_more_steps(edit: MoreSteps, record: Record, index: Index) -> list[Patch]:
    """A multiple of what the outermost loop over numbers counts to; a loop that was left early is
    not left any more."""
    number = Number(factor=edit.factor, shared=True, whole=True)
    built = {loop for fact in record.facts(Optimizer) if fact.location is not None
             for found in [index.at(fact.location, "the construction of the optimizer")]
             for _, loop in index.loops(found.source, found.node)}  # over folds or settings
    loops = _loops(record, index)
    for around, (source, loop) in reversed(list(enumerate(loops))):
        if loop in built:
            continue
        end = _end(source, loop)
        if end is not None:
            left = _left_early(record, index, source, loop, end, around)
            if left is not None:
                return [Patch(edit, change.remove(source, left), Form.STATEMENT)]
            return [Patch(edit, way.splices, way.form)
                    for way in ways(index, source, end, number)]
    for source, loop in loops:
        end = _left_at(source, loop)
        if end is not None and loop not in built:
            return [Patch(edit, way.splices, way.form) for way in ways(index, source, end, number)]
    raise Refused(Reason.UNKNOWN_FORM, "No loop around the training counts its epochs or steps.")


def _left_at(source: Source, loop: Loop) -> ast.expr | None:
    """The number at which a loop without an end of its own is left, by its only `break`."""
    left = breaks(source, loop)
    around = source.parents.get(left[0]) if len(left) == 1 else None
    match around:
        case ast.If(test=ast.Compare(ops=[ast.GtE() | ast.Gt() | ast.Eq()], comparators=[end])):
            return end
    return None


def _left_early(
    record: Record, index: Index, source: Source, loop: Loop, end: ast.expr, around: int
) -> ast.Break | None:
    """The one `break` of a loop that made at most half of its turns; None if that is not known.

    `end` is what it counts to. `around` says how many loops are inside it, around a step: one is a
    pass over a loader.
    """
    batches = {math.ceil(each.samples / each.batch_size) for each in record.facts(Fetch)}
    a_turn = 1 if not around else batches.pop() if around == 1 and len(batches) == 1 else None
    turns = known(index, source, end)
    left = breaks(source, loop)
    if a_turn is None or turns is None or len(left) != 1:
        return None
    return left[0] if 0 < 2 * record.steps <= turns * a_turn else None


def _end(source: Source, loop: Loop) -> ast.expr | None:
    """What a loop counts to."""
    if isinstance(loop, ast.While):
        match loop.test:
            case ast.Compare(ops=[ast.Lt() | ast.LtE()], comparators=[end]):
                return end
        return None
    for node in ast.walk(loop.iter):
        if isinstance(node, ast.Call) and names.called(node) in _RANGES and (
                len(node.args) in (1, 2)):
            return node.args[-1]
    return None


# Batches -----------------------------------------------------------------------------------------
def _loader(record: Record, index: Index) -> Found | None:
    """The construction of the loader that feeds training; None if no loader does, or several.

    Raises:
        Refused: the record describes other loaders only, as where one line makes several.
    """
    loaders = {each.name: each for each in record.facts(Loader)}
    if not loaders:
        return None
    feeding = [loaders[each.loader] for each in record.facts(Feeding)
               if each.role is CallRole.TRAIN and each.loader in loaders]
    sizes = {(each.samples, each.batch_size) for each in record.facts(Fetch)}
    fetched = [each for each in feeding or loaders.values()
               if not sizes or (each.samples, each.batch_size) in sizes]
    shuffled = [each for each in fetched if each.sampler == torch_api.SHUFFLES]
    found = (feeding and fetched) or shuffled or fetched
    if not found:
        return _beside(record, index, {size for _, size in sizes})
    places = {each.location for each in found}
    return index.at(found[0].location, "the loader") if len(places) == 1 else None


def _beside(record: Record, index: Index, sizes: set[int]) -> Found:
    """A loader that stands on the line of a known one, and has the size that training takes."""
    lines = {(fact.location.file, fact.location.line) for fact in record.facts(Loader)
             if fact.location is not None}
    found = [Found(source, call) for source, call in index.calls("DataLoader")
             if (source.name, call.lineno) in lines
             and (size := change.argument(call, "batch_size", 1)) is not None
             and constant(size) in sizes]
    if len(found) != 1:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the loader that feeds "
                      "training is constructed.")
    return found[0]


def write_batch_size(edit: BatchSize, record: Record, index: Index) -> list[Patch]:
    """At the loader, else where the rows of a batch are taken."""
    found = _loader(record, index)
    if found is not None:
        size = change.argument(found.call, "batch_size", 1)
        checks = (Check("loader.batch_size", "", str(edit.size)),)
        if size is None:
            return [Patch(edit, change.set_argument(
                found.source, found.call, "batch_size", str(edit.size)), Form.LITERAL,
                checks=checks)]
        number = Number(edit.size, whole=True, shared=_only_trains(record))
        return [Patch(edit, way.splices, way.form, checks=checks)
                for way in ways(index, found.source, size, number)]
    number = Number(edit.size, shared=True, whole=True)
    for source, loop in (each for found in _loops(record, index)
                         for each in (found, *_of_generator(index, found[1]))):
        size = _rows(source, loop)
        if size is not None:
            every = ways(index, source, size, number)
            if constant(size) is not None or not isinstance(size, ast.Name):
                return [Patch(edit, way.splices, way.form) for way in every]
            # A slice x[i:i + B] reads the name too: all its readers get the new size.
            named = [Patch(edit, change.before(source, outer, f"{size.id} = {edit.size}"),
                           Form.STATEMENT)
                     for outer in _outermost(record, index, source, loop)]
            return [*(Patch(edit, way.splices, way.form) for way in every
                      if way.form is not Form.CALL), *named]
    raise Refused(Reason.UNKNOWN_FORM, "The record has no loader, and the loop takes its batches "
                  "in a way that is not known.")


def _of_generator(index: Index, loop: Loop) -> list[tuple[Source, Loop]]:
    """The loops of the program's own function that brings a loop its batches."""
    called = loop.iter if isinstance(loop, ast.For | ast.AsyncFor) else None
    functions = index.functions(names.called(called)) if isinstance(called, ast.Call) else []
    return [(source, node) for source, function in functions if len(functions) == 1
            for node in names.inside(function) if isinstance(node, ast.For)]


def _outermost(record: Record, index: Index, source: Source, loop: Loop) -> list[Loop]:
    """The outermost training loop of the function that a loop is in, if there is one."""
    return [each for where, each in _loops(record, index)
            if where is source and source.function(each) is source.function(loop)][-1:]


def _only_trains(record: Record) -> bool:
    return len(record.facts(Loader)) == 1


def _rows(source: Source, loop: Loop) -> ast.expr | None:
    """How many rows a batch has, by the loop that makes batches or by what is drawn in it."""
    if isinstance(loop, ast.For | ast.AsyncFor):
        for node in ast.walk(loop.iter):
            if isinstance(node, ast.Call):
                if names.called(node) == "split" and len(node.args) == 1:
                    return node.args[0]
                if names.called(node) == "split" and len(node.args) == 2:
                    return node.args[1]
                if names.called(node) in _RANGES and len(node.args) == 3:
                    return node.args[2] if _slices_agree(source, loop, node.args[2]) else None
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and names.called(node) in ("randint", "choice", "sample"):
                drawn = _drawn(node)
                if drawn is not None:
                    return drawn
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and (
                    isinstance(node.value, ast.Call)
                    and names.called(node.value) in ("randperm", "permutation")):
                return node.slice.upper
    return None


def _drawn(call: ast.Call) -> ast.expr | None:
    """The number of rows that torch.randint(n, (B,)) and choice(n, B) draw."""
    size = change.argument(call, "size") or (
        call.args[-1] if len(call.args) > 1 else None)
    if isinstance(size, ast.Tuple | ast.List):
        return size.elts[0] if len(size.elts) == 1 else None
    return size


def _slices_agree(source: Source, loop: Loop, size: ast.expr) -> bool:
    """Whether the slices of a loop of range(0, n, B) can follow: they read the same name."""
    if isinstance(size, ast.Name | ast.Attribute | ast.Subscript):
        return True
    return not any(isinstance(node, ast.Slice) for each in loop.body for node in ast.walk(each))


def write_shuffle(edit: Shuffle, record: Record, index: Index) -> list[Patch]:
    """At the loader; in a loop over rows, a new order in each epoch."""
    found = index.at(edit.at, "what makes the batches")
    if isinstance(found.node, ast.Call) and _is_loader(found.node):
        sampler = change.argument(found.node, "sampler", 3)
        own = next((each for each in found.node.keywords if each.value is sampler), None)
        if own is not None and isinstance(sampler, ast.Call) and (
                names.called(sampler) == torch_api.CHOSEN):
            return [Patch(edit, (Splice(found.source.name, *found.source.span(own),
                                        "shuffle=True"),), Form.CALL)]
        if sampler is not None and not (isinstance(sampler, ast.Constant)):
            raise Refused(Reason.UNKNOWN_FORM, "The loader has a sampler of its own.")
        return [Patch(edit, change.set_argument(
            found.source, found.node, "shuffle", "True", 2), Form.LITERAL,
            checks=(Check("loader.sampler", "", torch_api.SHUFFLES),))]
    for node in ast.walk(found.node):
        if isinstance(node, ast.Call) and names.called(node) == "arange":
            name, needs = spell(index, found.source, "torch.randperm")
            if names.dotted(node.func).startswith(("np.", "numpy.")):
                return [Patch(edit, change.replace(
                    found.source, node.func, names.dotted(node.func).replace(
                        "arange", "random.permutation")), Form.CALL)]
            return [Patch(edit, change.replace(found.source, node.func, name), Form.CALL, needs)]
    for source, loop in _loops_of(index, found):
        splices = _rows_in_a_new_order(index, source, loop)
        if splices:
            _, needs = spell(index, source, "torch.randperm")
            rows = source.location(splices[-1].start, splices[-1].end)
            return [Patch(edit, splices, Form.DATA, needs, at=rows)]
    raise Refused(Reason.UNKNOWN_FORM, "The batches are made neither by a loader nor from an order "
                  "of rows.")


def _loops_of(index: Index, found: Found) -> Iterator[tuple[Source, ast.For]]:
    """The loops around a node, and those of the function that it calls."""
    for outer in found.source.ancestors(found.node):
        if isinstance(outer, ast.For):
            yield found.source, outer
    if isinstance(found.node, ast.Call):
        for source, function in index.functions(names.called(found.node)):
            yield from ((source, node) for node in ast.walk(function) if isinstance(node, ast.For))


def _rows_in_a_new_order(index: Index, source: Source, loop: ast.For) -> tuple[Splice, ...]:
    """Slices of several tensors, alike and by what the loop counts, of an order that is drawn
    before it; or a slice with a name that picks rows of them."""
    if not isinstance(loop.target, ast.Name) or not isinstance(loop.iter, ast.Call) or (
            names.called(loop.iter) != "range"):
        return ()
    named = _named_slice(index, source, loop)
    if named:
        return named
    counter, parts = loop.target.id, [
        node for each in loop.body for node in ast.walk(each) if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Slice)
        and names.dotted(node.value)]
    if any(node.slice.lower is None or counter not in (
            name.id for name in ast.walk(node.slice) if isinstance(name, ast.Name))
            for node in parts if isinstance(node.slice, ast.Slice)):
        return ()
    if len({ast.unparse(node.value) for node in parts}) < 2 or len(
            {ast.unparse(node.slice) for node in parts}) != 1:
        return ()
    order, drawn = _drawn_order(index, source, loop, parts)
    return (*drawn, *(splice for node in parts for splice in change.replace(
        source, node.slice, f"{order}[{source.code(node.slice)}]")))


def _named_slice(index: Index, source: Source, loop: ast.For) -> tuple[Splice, ...]:
    """`part = slice(low, high)`, or `arange`, in a loop where several tensors are indexed by it."""
    for each in loop.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(
                    args=[low, high], keywords=[]) as call) if names.called(call) in (
                        "slice", "arange"):
                parts = [node for later in loop.body for node in ast.walk(later)
                         if isinstance(node, ast.Subscript) and names.dotted(node.value)
                         and isinstance(node.slice, ast.Name) and node.slice.id == name]
                if len({ast.unparse(node.value) for node in parts}) > 1:
                    order, drawn = _drawn_order(index, source, loop, parts)
                    picked = f"{order}[{source.code(low)}:{source.code(high)}]"
                    return (*drawn, *change.replace(source, call, picked))
    return ()


def _drawn_order(
    index: Index, source: Source, loop: ast.For, parts: list[ast.Subscript]
) -> tuple[str, tuple[Splice, ...]]:
    """The name of an order of all rows, and the statement that draws it before a loop."""
    order, (randperm, _) = free_name(index, source, "order"), spell(
        index, source, "torch.randperm")
    first = source.code(min(parts, key=source.span).value)
    return order, change.before(source, loop, f"{order} = {randperm}(len({first}))")


def _is_loader(call: ast.Call) -> bool:
    return names.called(call).endswith("DataLoader") or any(
        keyword.arg == "batch_size" for keyword in call.keywords)


def write_drop_last(edit: DropLast, record: Record, index: Index) -> list[Patch]:
    """At the loader."""
    found = index.at(edit.at, "the loader") if edit.at is not None else _loader(record, index)
    if found is None:
        raise Refused(Reason.NO_PLACE, "The record has no loader that feeds training.")
    return [Patch(edit, change.set_argument(
        found.source, found.call, "drop_last", "True", 8), Form.LITERAL)]


def write_also_at_end(edit: AlsoAtEnd, record: Record, index: Index) -> list[Patch]:
    """In the condition: the loop must count its batches with `enumerate`."""
    found = index.at(edit.at, "the call")
    source = found.source
    around = source.parents.get(found.statement)
    if not isinstance(around, ast.If) or found.statement not in around.body or not any(
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
        for node in ast.walk(around.test)
    ):
        raise Refused(Reason.UNKNOWN_FORM, "The call does not stand under a condition that counts.")
    loop: ast.AST | None = around
    while loop is not None and not isinstance(loop, ast.For):
        loop = source.parents.get(loop)
    match loop:
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=counter), *_]),
                     iter=ast.Call(func=ast.Name(id="enumerate"), args=[batches, *start],
                                   keywords=named)):
            pass
        case _:
            raise Refused(Reason.UNKNOWN_FORM, "The batches are not counted with enumerate.")
    if counter not in (node.id for node in ast.walk(around.test) if isinstance(node, ast.Name)) or (
        not isinstance(batches, ast.Name | ast.Attribute)
    ):
        raise Refused(Reason.UNKNOWN_FORM, "How many batches there are is not written out.")
    first = start[0].value if start and isinstance(start[0], ast.Constant) else 0 if not (
        start or named) else None
    if first not in (0, 1):
        raise Refused(Reason.UNKNOWN_FORM, "Where the count of batches begins is not written out.")
    last = f"{counter} == len({source.code(batches)})" if first else (
        f"{counter} + 1 == len({source.code(batches)})")
    before, after = ("(", f") or {last}") if isinstance(
        around.test, ast.IfExp | ast.Lambda | ast.NamedExpr) else ("", f" or {last}")
    start_at, end = source.span(around.test)
    splices = (*((Splice(source.name, start_at, start_at, before),) if before else ()),
               Splice(source.name, end, end, after))
    return [Patch(edit, splices, Form.STATEMENT)]


WRITERS = {
    AlsoAtEnd: write_also_at_end, MoreSteps: write_more_steps, BatchSize: write_batch_size,
    Shuffle: write_shuffle, DropLast: write_drop_last,
}
