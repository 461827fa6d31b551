"""Functions of torch applied in a program: found, swapped, left out."""

from __future__ import annotations

import ast

from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Need
from unstuck.repair.places import spell
from unstuck.repair.text import Source, Splice
from unstuck.schema.places import SourceLocation

# Layers that hold nothing, and the functions that do the same.
FUNCTIONS = {
    "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "GELU": "gelu", "SELU": "selu",
    "SiLU": "silu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softplus": "softplus",
    "Softmax": "softmax", "LogSoftmax": "log_softmax", "Identity": "",
}
_OF_TORCH = ("relu", "tanh", "sigmoid", "softmax", "log_softmax", "selu")
_ALIKE = {"relu": ("clamp", "clamp_min", "clip")}


def as_function(name: str) -> str:
    """The function of a layer's class ("ReLU"), or the name itself in lower case."""
    return FUNCTIONS.get(name, name.lower())


def function_at(index: Index, location: SourceLocation | None, name: str) -> Found:
    """The call that applies a function at a place, or the only such call of the statement there.

    Raises:
        Refused: there is none, or several are.
    """
    found = index.at(location, f"the {name}")
    accepted = (*_ALIKE.get(name, ()), name, f"{name}_")
    calls = [node for node in ast.walk(found.node) if isinstance(node, ast.Call)
             and names.called(node) in accepted and (name != "relu" or _cuts_at_zero(node))]
    if found.node in calls:
        return found
    if len(calls) == 1:
        return Found(found.source, calls[0])
    outer = found.node.value if isinstance(found.node, ast.Assign | ast.Return) else found.node
    if not calls and isinstance(outer, ast.Call) and len(outer.args) == 1:
        return Found(found.source, outer)  # a module or a function under another name
    raise Refused(Reason.UNKNOWN_FORM, f"No single call of {name} is on line "
                  f"{found.node.lineno:,}.")


def is_alike(index: Index, location: SourceLocation | None, name: str) -> bool:
    """Whether the call at a place does what a function of another name does: clamp(min=0)."""
    source = index.sources.get(location.file) if location is not None else None
    node = source.find(location) if source is not None and location is not None else None
    return (isinstance(node, ast.Call) and names.called(node) in _ALIKE.get(name, ())
            and _cuts_at_zero(node))


def _cuts_at_zero(call: ast.Call) -> bool:
    """Whether a call is a ReLU, by its name or by its only bound: clamp(min=0)."""
    if names.called(call).startswith("relu"):
        return True
    bounds = [keyword.value for keyword in call.keywords if keyword.arg == "min"] or call.args[-1:]
    return (len(call.keywords) <= 1 and len(bounds) == 1 and isinstance(bounds[0], ast.Constant)
            and bounds[0].value == 0
            and not any(keyword.arg == "max" for keyword in call.keywords))


def call_in(index: Index, found: Found, *wanted: str) -> Found:
    """The only call of one of these functions: at a place, in its expression, or its function.

    Raises:
        Refused: there is none, or there are several.
    """
    source = found.source
    around: ast.AST = source.function(found.node) or source.tree
    for where in (found.node, around):
        calls = [node for node in ast.walk(where)
                 if isinstance(node, ast.Call) and names.called(node) in wanted]
        if where is found.node and found.node in calls:
            return found
        if len(calls) == 1:
            return Found(source, calls[0])
        if calls:
            break
    raise Refused(Reason.UNKNOWN_FORM, f"There is no single call of {' or '.join(wanted)} at line "
                  f"{found.node.lineno:,} or near it.")


def given_to(index: Index, found: Found) -> ast.expr:
    """What a function is applied to: its first argument, or the tensor whose method it is."""
    call = found.call
    if isinstance(call.func, ast.Attribute) and not _is_module(
            index, found.source, call.func.value, bool(call.args)):
        return call.func.value
    if call.args and not isinstance(call.args[0], ast.Starred):
        return call.args[0]
    named = change.argument(call, "input")
    if named is None:
        raise Refused(Reason.UNKNOWN_FORM, "What the function is applied to is not written out.")
    return named


def _is_module(index: Index, source: Source, node: ast.expr, arguments: bool) -> bool:
    """Whether a name is that of a module, and not of a tensor whose method is called."""
    head = names.dotted(node).partition(".")[0]
    if not head:
        return isinstance(node, ast.Call) and names.called(node)[:1].isupper()
    found = names.resolve(source, node, head)
    if head == "self":  # self.act(x), but self.x.relu()
        return isinstance(node, ast.Name) or arguments
    return any(each.kind is names.Kind.IMPORTED for each in found) or (
        not found and head in ("F", "torch", "nn"))


def drop_function(found: Found, index: Index | None = None) -> tuple[Splice, ...]:
    """The argument in the place of the call; a statement that assigns it to itself goes."""
    source, call = found.source, found.call
    inner = given_to(index or Index((source,)), found)
    statement = source.statement(call)
    if isinstance(statement, ast.Assign) and statement.value is call and source.code(
            statement.targets[0]) == source.code(inner):
        return change.remove(source, statement)
    start, end = source.span(call)
    left, right = source.span(inner)
    opens, closes = ("", "") if _fits(source, call, inner) else ("(", ")")
    return (Splice(source.name, start, left, opens), Splice(source.name, right, end, closes))


def _fits(source: Source, call: ast.expr, inner: ast.expr) -> bool:
    """Whether an expression may stand where a call stands without brackets."""
    if isinstance(inner, ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.Constant):
        return True
    parent = source.parents.get(call)
    return not isinstance(parent, ast.BinOp | ast.UnaryOp | ast.Attribute | ast.Subscript
                          | ast.Compare | ast.Await)


def swap_function(index: Index, found: Found, layer: str) -> tuple[
        tuple[Splice, ...], tuple[Need, ...]]:
    """The function of a layer ("LeakyReLU(0.1)") in the place of the one that is called."""
    class_name, _, rest = layer.partition("(")
    name = FUNCTIONS.get(class_name)
    if name == "":
        return drop_function(found, index), ()
    source = found.source
    inner = given_to(index, found)
    if name is None:
        text, needs = spell(index, source, f"torch.nn.{class_name}")
        before, behind = f"{text}({rest}(", ")"
    else:
        functional = "torch.nn.functional"
        torch_has = name in _OF_TORCH and index.spelled(source, functional) in (None, functional)
        text, needs = spell(index, source, f"torch.{name}" if torch_has
                            else f"{functional}.{name}")
        options = rest.removesuffix(")").strip()
        before, behind = f"{text}(", f", {options})" if options else ")"
    start, end = source.span(found.call)
    left, right = source.span(inner)
    return (Splice(source.name, start, left, before),
            Splice(source.name, right, end, behind)), needs
