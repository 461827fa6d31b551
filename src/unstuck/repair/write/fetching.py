"""A new batch in each step, in the place of one that is taken again and again, or of none."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index, Loop, breaks, methods
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import backwards, free_name
from unstuck.repair.text import Function, Source, Splice
from unstuck.repair.write.once import names_made
from unstuck.schema.edits import FetchEachStep, WholeSlices

_DRAWING = ("randperm", "permutation", "randint", "choice", "sample")


def write_fetch(edit: FetchEachStep, record: Record, index: Index) -> list[Patch]:
    """One iterator that goes on from epoch to epoch, in the place of a new one each time.

    What is taken in front of the loop over steps is moved to its start, with the rows that it
    draws.
    """
    found = index.at(edit.at, "what takes the batch")
    source, statement = found.source, found.statement
    if isinstance(statement, ast.For):
        return [_to_the_end(edit, source, statement)]
    backward = backwards(record, index)[0]
    loops = [loop for where, loop in index.loops(backward.source, backward.node)
             if where is source and source.function(loop) is source.function(statement)]
    anew = [node for node in ast.walk(statement) if _is_anew(node)]
    inside = any(isinstance(each, Loop) for each in own_ancestors(source, statement))
    if len(anew) == 1 and isinstance(anew[0], ast.Call) and (inside or not loops):
        return [_going_on(edit, index, source, anew[0])]
    if not loops or not isinstance(statement, ast.Assign) or inside:
        raise Refused(Reason.UNKNOWN_FORM, "The batch is not taken in a statement of its own in "
                      "front of the loop.")
    if any(isinstance(node, ast.Call) and names.called(node) == "next"
           and not isinstance(node.args[0], ast.Call) for node in ast.walk(statement)):
        raise Refused(Reason.UNKNOWN_FORM, "The batch comes from an iterator, which ends after one "
                      "epoch.")
    body = source.body(statement)
    place = next(i for i, each in enumerate(body) if each is statement)
    moved: list[ast.stmt] = [statement]
    while place and _draws(body[place - 1], moved):
        place -= 1
        moved.insert(0, body[place])
    code = "\n".join(source.code(each) for each in moved)
    if len(code.split("\n")) > len(moved):
        raise Refused(Reason.UNKNOWN_FORM, "The statement has several lines.")
    gone = [splice for each in moved for splice in change.remove(source, each)]
    if len(anew) == 1 and len(moved) == 1 and isinstance(anew[0], ast.Call):
        held, needs = free_name(index, source, "batches"), _needs(source)
        given = source.code(anew[0].args[0])
        line = f"{held} = {_endless(anew[0])}"
        return [Patch(edit, (
            *change.before(source, loops[-1], line),
            *change.before(source, loops[0].body[0], code.replace(given, held)), *gone),
            Form.STATEMENT, needs)]
    return [Patch(edit, (*gone, *change.before(source, loops[0].body[0], code)), Form.STATEMENT)]


def _to_the_end(edit: FetchEachStep, source: Source, loop: ast.For) -> Patch:
    """A loop over all batches, in the place of one that is left after the first."""
    left = breaks(source, loop)
    if len(left) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The loop over the batches is not left by one break.")
    return Patch(edit, change.remove(source, left[0]), Form.STATEMENT)


def _is_anew(node: ast.AST) -> bool:
    """Whether an expression is `next(iter(...))`."""
    return (isinstance(node, ast.Call) and names.called(node) == "next" and bool(node.args)
            and isinstance(node.args[0], ast.Call) and names.called(node.args[0]) == "iter"
            and len(node.args[0].args) == 1)


def _endless(anew: ast.Call) -> str:
    """All batches, and in the next epoch all of them again."""
    assert isinstance(anew.args[0], ast.Call)
    return f"(batch for _ in count() for batch in {ast.unparse(anew.args[0].args[0])})"


def _needs(source: Source) -> tuple[Need, ...]:
    return (Need(source.name, "count", "from itertools import count"),)


def own_ancestors(source: Source, node: ast.AST) -> list[ast.AST]:
    """What is around a node within its own function."""
    found: list[ast.AST] = []
    for outer in source.ancestors(node):
        if isinstance(outer, Function | ast.ClassDef):
            break
        found.append(outer)
    return found


def _going_on(edit: FetchEachStep, index: Index, source: Source, anew: ast.Call) -> Patch:
    """One iterator: in front of the loops, as an attribute, or behind the loader's assignment."""
    made = anew.args[0]
    assert isinstance(made, ast.Call)
    loader = made.args[0]
    outer = source.class_of(anew)
    loops = [each for each in own_ancestors(source, anew) if isinstance(each, Loop)]
    dotted = names.dotted(loader)
    if loops:
        needed = {node.id for node in ast.walk(loader) if isinstance(node, ast.Name)}
        if needed & names_made(loops[-1]):
            raise Refused(Reason.UNKNOWN_FORM, "The loop makes the loader anew in each turn.")
        held = free_name(index, source, "batches")
        splices = (*change.before(source, loops[-1], f"{held} = {_endless(anew)}"),
                   *change.replace(source, made, held))
        return Patch(edit, splices, Form.STATEMENT, _needs(source))
    if outer is not None and dotted.startswith("self."):
        return _of_class(edit, source, anew, outer)
    function = source.function(anew)
    binding = names.resolve(source, anew, dotted) if dotted.isidentifier() else []
    if function is None or len(binding) != 1 or binding[0].value is None or (
            binding[0].scope is not source.tree):
        raise Refused(Reason.UNKNOWN_FORM, "The function that takes the batch cannot keep an "
                      "iterator from one call to the next.")
    held = free_name(index, source, "batches")
    line = f"{held} = {_endless(anew)}"
    return Patch(edit, (*change.after(source, source.statement(binding[0].value), line),
                        *change.replace(source, made, held)), Form.STATEMENT, _needs(source))


def _of_class(edit: FetchEachStep, source: Source, anew: ast.Call, outer: ast.ClassDef) -> Patch:
    """The iterator that the class has where it begins anew at its end, else one more."""
    made = anew.args[0]
    kept = [names.dotted(target) for node in ast.walk(outer) if isinstance(node, ast.Assign)
            and ast.dump(node.value) == ast.dump(made) for target in node.targets]
    if any(isinstance(each, ast.Try) and any(
            handler.type is not None and names.last_name(handler.type) == "StopIteration"
            for handler in each.handlers) for each in own_ancestors(source, anew)):
        own = {each for each in kept if each.startswith("self.")}
        if len(own) == 1:
            return Patch(edit, change.replace(source, made, own.pop()), Form.LITERAL)
    constructor = next(iter(methods(outer, "__init__")), None)
    taken = {node.attr for node in ast.walk(outer) if isinstance(node, ast.Attribute)}
    if constructor is None or "batches" in taken:
        raise Refused(Reason.UNKNOWN_FORM, "The class that takes the batch has no constructor that "
                      "can keep an iterator.")
    splices: tuple[Splice, ...] = (
        *change.at_end(source, constructor.body, f"self.batches = {_endless(anew)}"),
        *change.replace(source, made, "self.batches"))
    return Patch(edit, splices, Form.STATEMENT, _needs(source))


def _draws(statement: ast.stmt, later: list[ast.stmt]) -> bool:
    """Whether a statement draws what later ones read."""
    read = {node.id for each in later for node in ast.walk(each)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return (isinstance(statement, ast.Assign)
            and any(names.dotted(target) in read for target in statement.targets)
            and any(isinstance(node, ast.Call) and names.called(node) in _DRAWING
                    for node in ast.walk(statement)))


def write_slices(edit: WholeSlices, record: Record, index: Index) -> list[Patch]:
    """Slices that end at the number of rows by which a `range` goes on, wherever they begin."""
    sizes = {where.code(call.args[2]) for where, call in index.calls("range")
             if len(call.args) == 3}
    splices: list[Splice] = []
    for source, node in index.nodes(ast.Slice):
        if isinstance(node, ast.Slice) and isinstance(node.lower, ast.Name) and (
            node.upper is not None and node.step is None and source.code(node.upper) in sizes
        ):
            splices += change.replace(
                source, node.upper, f"{node.lower.id} + {source.code(node.upper)}")
    if not splices:
        raise Refused(Reason.UNKNOWN_FORM, "No slice ends at the size of a batch.")
    return [Patch(edit, tuple(splices), Form.LITERAL)]


WRITERS = {FetchEachStep: write_fetch, WholeSlices: write_slices}
