"""Operations that overflow or vanish, in their stable form; calls that do nothing."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import Origin, hop
from unstuck.repair.functions import call_in, given_to
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Splice
from unstuck.schema.edits import CallIt, KeepList, KeepResult, LossForm, WriteInto


def write_form(edit: LossForm, record: Record, index: Index) -> list[Patch]:
    """The logarithm of a softmax, or of a sum of exponentials, by the function that is both."""
    if edit.at is None:
        raise Refused(Reason.BY_HAND, f"This takes more than one change of the text: "
                      f"{edit.reason}.")
    wanted = "exp" if "logsumexp" in edit.by else "log"
    found = call_in(index, index.at(edit.at, "the operation"), wanted)
    return [(_log_of_sum if wanted == "exp" else _log_of_softmax)(edit, found, index)]


def _log_of_softmax(edit: LossForm, found: Found, index: Index) -> Patch:
    given = given_to(index, found)
    if isinstance(given, ast.Name):
        origin = hop(index, found.source, given)
        if origin is not None and origin.source is found.source and isinstance(
                origin.node, ast.expr) and _unchanged(origin, found):
            given = origin.node
    if not isinstance(given, ast.Call) or names.called(given) != "softmax":
        raise Refused(Reason.UNKNOWN_FORM, "What the logarithm receives is not a softmax.")
    source = found.source
    text = source.code(given)
    at = source.span(given.func)[1] - source.span(given)[0]
    start, end = source.span(found.call)
    changed = f"{text[:at - len('softmax')]}log_softmax{text[at:]}"
    return Patch(edit, (Splice(source.name, start, end, changed),), Form.CALL)


def _unchanged(origin: Origin, found: Found) -> bool:
    """Whether all names of an expression mean the same at another place: each has one value."""
    source = origin.source
    return source.function(origin.node) is source.function(found.node) and all(
        len(names.resolve(source, node, node.id)) == 1
        for node in ast.walk(origin.node) if isinstance(node, ast.Name))


def _log_of_sum(edit: LossForm, found: Found, index: Index) -> Patch:
    source, exponential = found.source, found.call
    total = _next_call(found, exponential, "sum")
    logarithm = _next_call(found, total, "log") if total is not None else None
    if total is None or logarithm is None:
        raise Refused(Reason.UNKNOWN_FORM, "The exponentials are not summed up for a logarithm.")
    own = total.args if isinstance(total.func, ast.Attribute) and (
        total.func.value is exponential) else total.args[1:]
    options = ", ".join([*map(source.code, own),
                         *(f"{k.arg}={source.code(k.value)}" for k in total.keywords)])
    if not options:
        raise Refused(Reason.UNKNOWN_FORM, "The exponentials are summed over all axes.")
    name, needs = spell(index, source, "torch.logsumexp")
    start, end = source.span(logarithm)
    given = source.code(given_to(index, found))
    return Patch(edit, (Splice(source.name, start, end, f"{name}({given}, {options})"),),
                 Form.CALL, needs)


def _next_call(found: Found, inner: ast.expr, name: str) -> ast.Call | None:
    """The call of a name that an expression is given to, or whose method is called on it."""
    outer = found.source.parents.get(inner)
    if isinstance(outer, ast.Attribute):
        outer = found.source.parents.get(outer)
    fits = isinstance(outer, ast.Call) and names.called(outer) == name and (
        inner in outer.args[:1] or (isinstance(outer.func, ast.Attribute)
                                    and outer.func.value is inner))
    return outer if fits and isinstance(outer, ast.Call) else None


def write_call(edit: CallIt, record: Record, index: Index) -> list[Patch]:
    """The parentheses behind a method's name."""
    found = index.at(edit.at, edit.method)
    if not isinstance(found.node, ast.Attribute) or found.node.attr != edit.method:
        raise Refused(Reason.UNKNOWN_FORM, "Something else stands there.")
    end = found.source.span(found.node)[1]
    return [Patch(edit, (Splice(found.source.name, end, end, "()"),), Form.CALL)]


def write_result(edit: KeepResult, record: Record, index: Index) -> list[Patch]:
    """An assignment to the variable that the call was given, or whose method it is."""
    splices = []
    for place in edit.places:
        found = index.at(place, "the call")
        function = found.call.func
        given = found.call.args[0] if found.call.args else (
            function.value if isinstance(function, ast.Attribute) else None)
        variable = names.dotted(given) if given is not None else ""
        if not variable:
            raise Refused(Reason.UNKNOWN_FORM, "The result has no variable to go to.")
        start = found.source.span(found.call)[0]
        splices.append(Splice(found.source.name, start, start, f"{variable} = "))
    return [Patch(edit, tuple(splices), Form.STATEMENT)]


def write_into(edit: WriteInto, record: Record, index: Index) -> list[Patch]:
    """`p = value` becomes `p.data.copy_(value)`, and `p.lerp(q, share)` `p.lerp_(q, share)`."""
    found = index.at(edit.at, "the assignment")
    statement = found.statement
    if isinstance(statement, ast.Expr) and isinstance(call := statement.value, ast.Call) and (
            isinstance(call.func, ast.Attribute)):
        end = found.source.span(call.func)[1]
        return [Patch(edit, (Splice(found.source.name, end, end, "_"),), Form.CALL)]
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        raise Refused(Reason.UNKNOWN_FORM, "Something else stands there.")
    text = f"{statement.targets[0].id}.data.copy_({found.source.code(statement.value)})"
    return [Patch(edit, change.replace(found.source, statement, text), Form.STATEMENT)]


def write_list(edit: KeepList, record: Record, index: Index) -> list[Patch]:
    """`list` around the iterator."""
    found = index.at(edit.at, "the iterator")
    if not isinstance(found.node, ast.expr):
        raise Refused(Reason.UNKNOWN_FORM, "The iterator is not an expression of its own.")
    text = found.source.code(found.node)
    if isinstance(found.node, ast.GeneratorExp):
        text = text.removeprefix("(").removesuffix(")")
    return [Patch(edit, change.replace(found.source, found.node, f"list({text})"), Form.CALL)]


WRITERS = {
    KeepList: write_list,
    LossForm: write_form, CallIt: write_call, KeepResult: write_result, WriteInto: write_into,
}
