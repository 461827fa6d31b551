"""What a loop carries from step to step: without the graph that computed it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source
from unstuck.schema.edits import DetachState

_NUMBERS = ("int", "float", "len", "max", "min", "abs", "round", "range", "next")


def write_detach_state(edit: DetachState, record: Record, index: Index) -> list[Patch]:
    """Behind the backward pass, which then has no graph to keep."""
    found = index.at(edit.at, "the backward pass")
    source, statement, call = found.source, found.statement, found.call
    loop = next((each for each in source.ancestors(statement)
                 if isinstance(each, ast.For | ast.While)), None)
    if loop is None:
        raise Refused(Reason.UNKNOWN_FORM, "The backward pass stands in no loop of its function.")
    trained = names.dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    carried = list(dict.fromkeys(_carried(source, loop, trained)))
    if not carried:
        raise Refused(Reason.UNKNOWN_FORM, "What the loop carries into its next step is not one "
                      "name that a call is given and assigned to.")
    code = "\n".join(f"{name} = {name}.detach()" for name in carried)
    splices = [*change.after(source, statement, code),
               *change.drop_argument(source, call, "retain_graph")]
    return [Patch(edit, tuple(splices), Form.STATEMENT)]


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


WRITERS = {DetachState: write_detach_state}
