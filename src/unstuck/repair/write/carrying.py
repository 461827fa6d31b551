"""Graphs that are differentiated twice: what a loop carries on, and what its losses share."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source
from unstuck.schema.edits import ComputeEachStep, DetachState, DifferentiateOnce

_NUMBERS = ("int", "float", "len", "max", "min", "abs", "round", "range", "next")


def write_detach_state(edit: DetachState, record: Record, index: Index) -> list[Patch]:
    """Behind the backward pass, which then has no graph to keep."""
    found = index.at(edit.at, "the backward pass")
    source, statement, call = found.source, found.statement, found.call
    if edit.name:
        return [_behind(edit, source, statement, call, edit.code())]
    loop = _loop(source, statement)
    if loop is None:
        raise Refused(Reason.UNKNOWN_FORM, "The backward pass stands in no loop of its function.")
    trained = names.dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    carried = list(dict.fromkeys(_carried(source, loop, trained)))
    if not carried:
        raise Refused(Reason.UNKNOWN_FORM, "What the loop carries into its next step is not one "
                      "name that a call is given and assigned to.")
    code = "\n".join(f"{name} = {name}.detach()" for name in carried)
    return [_behind(edit, source, statement, call, code)]


def _behind(
    edit: DetachState, source: Source, statement: ast.stmt, call: ast.Call, code: str
) -> Patch:
    """The state is detached, and no graph is kept for the next backward pass."""
    splices = [*change.after(source, statement, code),
               *change.drop_argument(source, call, "retain_graph")]
    return Patch(edit, tuple(splices), Form.STATEMENT)


def _loop(source: Source, statement: ast.stmt) -> ast.For | ast.While | None:
    """The innermost loop around a statement."""
    return next((each for each in source.ancestors(statement)
                 if isinstance(each, ast.For | ast.While)), None)


def _carried(source: Source, loop: ast.For | ast.While, trained: str) -> Iterator[str]:
    """Names that a call in the loop is given and that its result is assigned to, or the sum that
    is trained; not those that each turn of the loop begins anew.
    """
    for node in ast.walk(loop):
        if not isinstance(node, ast.Assign):
            continue
        given = {names.dotted(each) for call in ast.walk(node.value)
                 if isinstance(call, ast.Call) and names.called(call) not in _NUMBERS
                 for each in [*call.args, *(keyword.value for keyword in call.keywords)]}
        summed = {names.dotted(each) for each in ast.walk(node.value)
                  if isinstance(each, ast.Name | ast.Attribute)} & {trained}
        for target in node.targets:
            for name in _targets(target):
                if name in given | summed and not _begins(source, loop, node, name):
                    yield name


def _begins(source: Source, loop: ast.For | ast.While, node: ast.Assign, name: str) -> bool:
    """Whether each turn of the loop assigns a name before this statement."""
    return any(
        isinstance(each, ast.Assign) and each.lineno < node.lineno
        and any(name in _targets(target) for target in each.targets)
        for each in loop.body)


def _targets(target: ast.expr) -> list[str]:
    """The names that an assignment binds, those within tuples too."""
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _targets(each)]
    name = names.dotted(target)
    return [name] if name else []


def write_compute_each_step(
    edit: ComputeEachStep, record: Record, index: Index
) -> list[Patch]:
    """The statement moves to the start of the loop; it stays as well where others read it."""
    made, found = index.at(edit.made, "the computation"), index.at(edit.at, "the backward pass")
    source, statement = made.source, made.statement
    loop = _loop(found.source, found.statement)
    if loop is None or source is not found.source or loop in source.ancestors(statement):
        raise Refused(Reason.UNKNOWN_FORM, "The computation does not stand in front of the loop.")
    inside = {id(node) for node in ast.walk(loop)}
    bound = {target.id for target in ast.walk(statement)
             if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)}
    elsewhere = any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                    and node.id in bound and id(node) not in inside
                    for node in ast.walk(source.tree))
    splices = [*change.before(source, loop.body[0], source.code(statement)),
               *([] if elsewhere else change.remove(source, statement))]
    return [Patch(edit, tuple(splices), Form.STATEMENT)]


def write_differentiate_once(
    edit: DifferentiateOnce, record: Record, index: Index
) -> list[Patch]:
    """All losses that the same statements differentiate without a step between them are added.

    Across a step the first loss is given without its graph what it shares with the second, such as
    the samples of a generator in the loss of its adversary.
    """
    found = index.at(edit.at, "the backward pass")
    source, statement = found.source, found.statement
    body = source.body(statement)
    place = body.index(statement)
    first = last = place
    while first and not _steps(body[first - 1]):
        first -= 1
    while last + 1 < len(body) and not _steps(body[last + 1]):
        last += 1
    passes = [(each, receiver) for each in body[first:last + 1]
              if (receiver := _differentiated(each)) is not None]
    if len(passes) < 2:
        return [_apart(edit, source, body[:place + 1])]
    total = " + ".join(source.code(receiver) for _, receiver in passes)
    before, receiver = passes[:-1], passes[-1][1]
    splices = [splice for each, _ in before for splice in change.remove(source, each)]
    return [Patch(edit, (*splices, *change.replace(source, receiver, f"({total})")),
                  Form.STATEMENT)]


def _apart(edit: DifferentiateOnce, source: Source, body: list[ast.stmt]) -> Patch:
    """The statements up to the second backward pass, the first loss without what both read."""
    passes = [number for number, each in enumerate(body) if _differentiated(each) is not None]
    if len(passes) < 2:
        raise Refused(Reason.UNKNOWN_FORM, "The two backward passes do not stand together.")
    earlier, later = body[:passes[-2] + 1], body[passes[-2] + 1:]
    made = {name: number for number, each in enumerate(earlier) if isinstance(each, ast.Assign)
            and isinstance(each.value, ast.Call) for target in each.targets
            for name in _targets(target)}
    read = {node.id for each in later for call in ast.walk(each) if isinstance(call, ast.Call)
            for node in call.args if isinstance(node, ast.Name)}
    given = [node for number, each in enumerate(earlier) for call in ast.walk(each)
             if isinstance(call, ast.Call) for node in call.args
             if isinstance(node, ast.Name) and made.get(node.id, number) < number
             and node.id in read]
    if len({node.id for node in given}) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "What the two losses share is not one variable that "
                      "both are given.")
    return Patch(edit, tuple(splice for node in given
                             for splice in change.method(source, node, ".detach()")),
                 Form.CALL)


def _differentiated(statement: ast.stmt) -> ast.expr | None:
    """The loss of a statement that is a plain `loss.backward()`."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and (
        call.func.attr == "backward" and not call.args and not call.keywords
    ):
        return call.func.value
    return None


def _steps(statement: ast.stmt) -> bool:
    """Whether weights change in a statement, or gradients are cleared."""
    return any(isinstance(node, ast.Attribute) and node.attr in ("step", "zero_grad")
               for node in ast.walk(statement))


WRITERS = {
    DifferentiateOnce: write_differentiate_once,
    ComputeEachStep: write_compute_each_step,
    DetachState: write_detach_state,
}
