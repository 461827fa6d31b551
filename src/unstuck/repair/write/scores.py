"""Scores: what a program counts as a right prediction, and what it divides their number by."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import CountRight, literal

_CLASSES = ("argmax", "max")
_MODULES = ("torch", "np", "numpy", "F")
Splices = tuple[Splice, ...]


def write_count_right(edit: CountRight, record: Record, index: Index) -> list[Patch]:
    """The one call that makes the mistake, in the comparison, the division or what they read."""
    found = index.at(edit.at, "the score")
    return [Patch(edit, _FORMS[edit.how](edit, found, index), Form.CALL)]


def _by_sign(edit: CountRight, found: Found, index: Index) -> Splices:
    """The largest of a single column is always the first: its sign tells the class."""
    at_once = isinstance(found.node, ast.Call) and names.called(found.node) in _CLASSES
    source, call = (found.source, found.call) if at_once else _made_by(found, index, _CLASSES)
    told = f"{change.operand(source, _argument(call))}.squeeze(1) > {literal(edit.half)}"
    statement = source.statement(call)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        name = source.code(statement.targets[0].elts[-1])  # behind the largest itself
        return change.replace(source, statement, f"{name} = {told}")
    return change.replace(source, call, f"({told})")


def _compared(edit: CountRight, found: Found, index: Index) -> Splices:
    """Logits are compared with zero, not rounded."""
    source, call = _made_by(found, index, ("round",))
    return change.replace(
        source, call, f"({change.operand(source, _argument(call))} > {literal(edit.half)})")


def _without_sigmoid(edit: CountRight, found: Found, index: Index) -> Splices:
    source, call = _made_by(found, index, ("sigmoid",))
    return change.replace(source, call, source.code(_argument(call)))


def _of_one_shape(edit: CountRight, found: Found, index: Index) -> Splices:
    """The prediction, a column, is compared without its second axis."""
    compared = next((node for node in ast.walk(found.node) if isinstance(node, ast.Compare)
                     and isinstance(node.ops[0], ast.Eq)), None)
    equal = next((node for node in ast.walk(found.node) if isinstance(node, ast.Call)
                  and names.called(node) in ("eq", "equal") and node.args), None)
    if compared is not None:
        told = compared.left
    elif equal is not None:
        told = _argument(equal)
    else:
        raise Refused(Reason.UNKNOWN_FORM, "Predictions and labels are not compared in one place.")
    return change.method(found.source, told, ".squeeze(1)")


def _along_classes(edit: CountRight, found: Found, index: Index) -> Splices:
    source, call = _made_by(found, index, _CLASSES)
    place = 0 if _argument(call) not in call.args else 1
    return change.set_argument(source, call, "dim", "1", place)


def _by_samples(edit: CountRight, found: Found, index: Index) -> Splices:
    """The number of samples in the place of that of batches."""
    lengths = [call for node in ast.walk(found.node) if isinstance(node, ast.BinOp)
               and isinstance(node.op, ast.Div) for call in ast.walk(node.right)
               if isinstance(call, ast.Call) and names.called(call) == "len" and call.args
               and names.dotted(call.args[0])]
    if len(lengths) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "What the score is divided by is not the len() of one "
                      "loader.")
    return change.method(found.source, lengths[0].args[0], ".dataset")


def _summed(edit: CountRight, found: Found, index: Index) -> Splices:
    """The number of right predictions of a batch in the place of their share."""
    sums = [names.dotted(node.left) for node in ast.walk(found.node)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    means = [call for node in ast.walk(found.source.tree) if isinstance(node, ast.AugAssign)
             and names.dotted(node.target) in sums for call in ast.walk(node.value)
             if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
             and call.func.attr == "mean"]
    if len(means) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "No single mean() is added up for the score.")
    end = found.source.span(means[0].func)[1]
    return (Splice(found.source.name, end - len("mean"), end, "sum"),)


def _of_its_own(edit: CountRight, found: Found, index: Index) -> Splices:
    """One side of the only difference gets the shape of the other, which is a variable."""
    scopes = [(found.source, found.node), *(
        (source, function) for node in ast.walk(found.node) if isinstance(node, ast.Call)
        for source, function in index.functions(names.called(node)))]
    for source, scope in scopes:
        named = [(sum(isinstance(each, ast.Name) for each in (node.left, node.right)), node)
                 for node in ast.walk(scope)
                 if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)]
        both, one = ([node for many, node in named if many == least] for least in (2, 1))
        apart = both or one
        if len(apart) == 1:
            sides = apart[0].right, apart[0].left
            other, kept = sides if isinstance(sides[1], ast.Name) else sides[::-1]
            return change.method(source, other, f".reshape({source.code(kept)}.shape)")
    raise Refused(Reason.UNKNOWN_FORM, "Predictions and targets are not subtracted in one place.")


_FORMS: dict[str, Callable[[CountRight, Found, Index], Splices]] = {
    "column": _by_sign, "rounded": _compared, "twice": _without_sigmoid, "pairs": _of_one_shape,
    "axis": _along_classes, "batches": _by_samples, "shares": _summed,
    "all": _of_its_own,
}


def _argument(call: ast.Call) -> ast.expr:
    """What a function of torch, or a method of a tensor, is applied to."""
    if isinstance(call.func, ast.Attribute) and names.dotted(call.func.value) not in _MODULES:
        return call.func.value
    if not call.args:
        raise Refused(Reason.UNKNOWN_FORM, "The call is given nothing by its place.")
    return call.args[0]


def _made_by(found: Found, index: Index, functions: Collection[str]) -> tuple[Source, ast.Call]:
    """The only call of one of these functions in an expression, or in what it reads.

    Raises:
        Refused: there is none, or several are.
    """
    here: list[tuple[Source, ast.expr]] = [(found.source, _expression(found.node))]
    for _ in range(DEEPEST):
        calls = [(source, node) for source, each in here for node in ast.walk(each)
                 if isinstance(node, ast.Call) and names.called(node) in functions]
        if len(calls) == 1:
            return calls[0]
        if calls:
            break
        here = [made for source, each in here for node in ast.walk(each)
                if isinstance(node, ast.Name)
                and (made := _made(index, source, node)) is not None]
    raise Refused(Reason.UNKNOWN_FORM, "The score is computed in a way that has no form for this.")


def _made(index: Index, source: Source, node: ast.Name) -> tuple[Source, ast.expr] | None:
    """What a variable was given by, also where it is the second of two: `_, told = out.max(1)`."""
    origin = hop(index, source, node)
    if origin is not None:
        return origin.source, origin.node
    scope = source.function(node) or source.tree
    pairs = [each.value for each in ast.walk(scope) if isinstance(each, ast.Assign)
             and isinstance(each.targets[0], ast.Tuple) and len(each.targets[0].elts) == 2
             and names.dotted(each.targets[0].elts[1]) == node.id]
    return (source, pairs[0]) if len(pairs) == 1 else None


def _expression(node: ast.expr | ast.stmt) -> ast.expr:
    if isinstance(node, ast.expr):
        return node
    raise Refused(Reason.UNKNOWN_FORM, "The expression to change is a whole statement.")


WRITERS = {CountRight: write_count_right}
