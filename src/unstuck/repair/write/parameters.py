"""Which weights are trained: passed to an optimizer, not frozen."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import Origin, hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.places import construction, model_name, optimizer, receiver
from unstuck.repair.text import Function, Source, Splice
from unstuck.schema.edits import CallRequiresGrad, ParametersToOptimizer, Unfreeze
from unstuck.schema.facts.models import Model


def write_parameters(edit: ParametersToOptimizer, record: Record, index: Index) -> list[Patch]:
    """At the construction of the optimizer; behind it, where what is added is made later."""
    found = construction(record, index, edit.optimizer)
    parts = _parts(edit.expression)
    checks = (Check("optimizer.parameters", edit.optimizer, ", ".join(edit.parameters)),)
    if edit.unit:
        put, target = _put(found, edit.unit)
        held = receiver(record, index, edit.optimizer, put)
        line = f'{held}.add_param_group({{"params": {target}.parameters()}})'
        return [Patch(edit, change.after(put.source, put.statement, line), Form.STATEMENT,
                      checks=checks)]
    anew = _bound_anew(found, parts)
    if anew is not None:
        line = found.source.code(found.statement)
        return [Patch(edit, change.after(anew.source, anew.statement, line), Form.STATEMENT,
                      checks=checks)]
    later = [made for made in (_made(record, index, name) for name in edit.parameters)
             if made is not None and _behind(made, found)]
    if not later:
        parts = [_known(record, index, found, part, edit.parameters) for part in parts]
        several = len(optimizer(record, edit.optimizer).groups) > 1
        splices = _at_construction(index, found, parts, several)
        if edit.instead and (given := change.argument(found.call, "params", 0)) is not None:
            whole = parts[0] if len(parts) == 1 else f"[{', '.join(map(_spread, parts))}]"
            splices = change.replace(found.source, given, whole)
        return [Patch(edit, splices, Form.CALL, checks=checks)]
    last = max(later, key=lambda made: made.source.span(made.node))
    parts = [_known(record, index, last, part, edit.parameters) for part in parts]
    held = receiver(record, index, edit.optimizer, last)
    lines = [f'{held}.add_param_group({{"params": {part}}})' for part in parts]
    return [Patch(edit, change.after(last.source, last.statement, "\n".join(lines)),
                  Form.STATEMENT, checks=checks)]


def _bound_anew(built: Found, parts: list[str]) -> Found | None:
    """The only assignment behind the construction of the optimizer that gives the name of what it
    holds another value: the optimizer already has what that name meant then."""
    source, given = built.source, change.argument(built.call, "params", 0)
    if given is None or source.code(given) not in parts or not isinstance(
        built.statement, ast.Assign
    ):
        return None
    held = {node.id for node in ast.walk(given) if isinstance(node, ast.Name)}
    scope = source.function(built.node) or source.tree
    found = [node for node in names.inside(scope) if isinstance(node, ast.Assign)
             and source.span(node)[0] > source.span(built.statement)[0]
             and any(isinstance(target, ast.Name) and target.id in held for target in node.targets)]
    return Found(source, found[0]) if len(found) == 1 else None


def _put(built: Found, unit: str) -> tuple[Found, str]:
    """The only assignment behind the construction of the optimizer, in its function, that puts a
    layer into a network; and what it assigns to."""
    source, last = built.source, unit.rpartition(".")[2]
    scope = source.function(built.node) or source.tree
    found = [
        (node, target) for node in ast.walk(scope) if isinstance(node, ast.Assign)
        for target in node.targets
        if source.span(node)[0] > source.span(built.node)[0] and (
            (isinstance(target, ast.Attribute) and target.attr == last)
            or (isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant)
                and str(target.slice.value) == last))]
    if len(found) != 1:
        raise Refused(Reason.NO_PLACE, f"unstuck does not know where {unit} is put into the "
                      "network.")
    return Found(source, found[0][0]), source.code(found[0][1])


def _parts(expression: str) -> list[str]:
    """What itertools.chain joins, or the expression itself."""
    tree = ast.parse(expression, mode="eval").body
    if isinstance(tree, ast.Call) and names.called(tree) == "chain":
        return [ast.unparse(each) for each in tree.args]
    return [expression]


def _made(record: Record, index: Index, parameter: str) -> Found | None:
    """Where the layer of a parameter is constructed."""
    known = record.parameters().get(parameter)
    layer = record.layers().get(known.layer) if known is not None else None
    if layer is None or layer.location is None:
        return None
    try:
        return index.at(layer.location, layer.name)
    except Refused:
        return None


def _behind(made: Found, built: Found) -> bool:
    """Whether a layer is put into a model that the optimizer already has."""
    return (made.source is built.source
            and made.source.function(made.node) is built.source.function(built.node)
            and made.source.span(made.node)[0] > built.source.span(built.node)[0])


def _known(record: Record, index: Index, found: Found, expression: str,
           parameters: Sequence[str]) -> str:
    """The expression with a name that the model has at a place, if it has another one there."""
    tree = ast.parse(expression, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not _bound(found, node.id):
            held = [model for model in record.facts(Model) if node.id in ("model", model.name)]
            model = next((model for model in held if any(
                each.name in parameters for each in model.parameters)), None)
            if model is None:
                raise Refused(Reason.UNKNOWN_FORM, f"{node.id} is not known where the optimizer "
                              "is constructed.")
            node.id = model_name(record, index, model, found)
    return ast.unparse(tree)


def _bound(found: Found, name: str) -> bool:
    """Whether a name has a value at a place."""
    here, start = found.source.function(found.node), found.source.span(found.node)[0]
    return any(isinstance(each.node, ast.arg) or found.source.function(each.node) is not here
               or _start(found.source, each.node) < start
               for each in names.resolve(found.source, found.node, name))


def _start(source: Source, node: ast.AST) -> int:
    return source.span(node)[0] if isinstance(node, ast.expr | ast.stmt) else 0


def _at_construction(
    index: Index, found: Found, parts: list[str], several: bool
) -> tuple[Splice, ...]:
    """Beside what the optimizer is given, which may be `several` parameter groups."""
    source, call = found.source, found.call
    given = change.argument(call, "params", 0)
    if given is None:
        raise Refused(Reason.UNKNOWN_FORM, "The parameters are not an argument of their own.")
    here = Origin(source, given, Form.CALL)
    if isinstance(given, ast.Name):
        here = hop(index, source, given) or here
    if isinstance(here.node, ast.List):
        groups = several or any(isinstance(each, ast.Dict | ast.Call) and (
            isinstance(each, ast.Dict) or names.called(each) == "dict") for each in here.node.elts)
        opens = here.source.span(here.node)[0]
        return change.add_item(here.source, opens, _items(parts, groups))
    text = source.code(given)
    joined = _items(parts, several)
    simple = isinstance(given, ast.Call | ast.Name | ast.Attribute)
    return change.replace(source, given, f"[*{text if simple else f'({text})'}, {joined}]")


def _items(parts: list[str], groups: bool) -> str:
    """What is added to a list of parameter groups, or to one of parameters."""
    return ", ".join(f'{{"params": {part}}}' if groups else _spread(part) for part in parts)


def _spread(part: str) -> str:
    """What an expression of parameters is as items of a list."""
    tree = ast.parse(part, mode="eval").body
    if isinstance(tree, ast.List):
        return ", ".join(map(ast.unparse, tree.elts))
    return f"*{part}"


# Not frozen --------------------------------------------------------------------------------------
def write_unfreeze(edit: Unfreeze, record: Record, index: Index) -> list[Patch]:
    """Without the statement that freezes, and what is around it alone."""
    found = index.at(edit.at, "the freezing")
    source, statement = found.source, found.statement
    while isinstance(outer := source.parents[statement], ast.For | ast.If) and (
            len(outer.body) == 1 and not outer.orelse):
        statement = outer
    if isinstance(source.parents[statement], Function) and isinstance(statement, ast.Return):
        raise Refused(Reason.UNKNOWN_FORM, "The freezing is part of a return statement.")
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) and (
            names.called(statement.value) == "requires_grad_"):
        inner = statement.value.func
        assert isinstance(inner, ast.Attribute)
        end, stop = source.span(inner.value)[1], source.span(statement.value)[1]
        return [Patch(edit, (Splice(source.name, end, stop, ""),), Form.CALL)]
    return [Patch(edit, change.remove(source, statement), Form.STATEMENT)]


def write_requires_grad(
    edit: CallRequiresGrad, record: Record, index: Index
) -> list[Patch]:
    """The attribute's assignment, as a call of the method that reaches the parameters."""
    found = index.at(edit.at, "the statement that was to unfreeze")
    source, statement = found.source, found.statement
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not (
        isinstance(target := statement.targets[0], ast.Attribute)
    ):
        raise Refused(Reason.UNKNOWN_FORM, "The attribute is not set by an assignment of its own.")
    called = f"{source.code(target.value)}.requires_grad_({source.code(statement.value)})"
    return [Patch(edit, change.replace(source, statement, called), Form.STATEMENT)]


WRITERS = {
    CallRequiresGrad: write_requires_grad,
    ParametersToOptimizer: write_parameters,
    Unfreeze: write_unfreeze,
}
