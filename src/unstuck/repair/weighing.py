"""Weights of classes in a loss that the program writes out by hand: `alpha[target]`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need
from unstuck.repair.places import spell
from unstuck.repair.text import Source, Splice

TENSORS = ("tensor", "as_tensor", "asarray", "array", "FloatTensor", "Tensor", "from_numpy")


def weigh_formula(
    found: Found, index: Index, weights: str
) -> tuple[tuple[Splice, ...], Form, tuple[Need, ...]]:
    """Other numbers where the weights are made that a formula picks by its targets.

    Args:
        found: a part of the formula.
        weights: a list in code.

    Raises:
        Refused: the text does not show which numbers those are.
    """
    source = found.source
    scope: ast.AST = source.function(found.node) or source.tree
    targets = set(_targets(scope))
    picked = [node.value for node in ast.walk(scope) if isinstance(node, ast.Subscript)
              and names.dotted(node.slice) in targets and names.dotted(node.value)]
    if len({names.dotted(each) for each in picked}) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The loss is a formula of your own, and which numbers "
                      "weigh its classes is not sure.")
    where, made = _made(index, source, picked[0])
    if made is picked[0]:
        name, needs = spell(index, source, "torch.tensor")
        return tuple(splice for each in picked for splice in change.replace(
            source, each, f"{name}({weights})")), Form.CALL, needs
    if isinstance(made, ast.List | ast.Tuple):
        return change.replace(where, made, weights), Form.CONSTANT, ()
    if isinstance(made, ast.Call) and names.called(made) in TENSORS and made.args:
        return change.replace(where, made.args[0], weights), Form.CONSTANT, ()
    if any(word in where.code(made) for word in ("device", "cuda", ".to(")):
        raise Refused(Reason.UNKNOWN_FORM, "The weights of the classes are moved to a device where "
                      "they are computed.")
    name, needs = spell(index, where, "torch.tensor")
    return change.replace(where, made, f"{name}({weights})"), Form.CONSTANT, needs


def _targets(scope: ast.AST) -> Iterator[str]:
    """The names that pick a class's output in a function: `p.gather(1, y)`, `p[rows, y]`."""
    for node in ast.walk(scope):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call) and names.called(node) in (
            "gather", "nll_loss", "cross_entropy", "one_hot"
        ):
            given = node.args
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            given = node.slice.elts[1:]
        for each in given:
            yield from (names.dotted(inner) for inner in ast.walk(each)
                        if isinstance(inner, ast.Name | ast.Attribute) and names.dotted(inner))


def _made(index: Index, source: Source, node: ast.expr) -> tuple[Source, ast.expr]:
    """The expression that makes a value, its names and buffers followed."""
    for _ in range(DEEPEST):
        if not isinstance(node, ast.Name | ast.Attribute):
            break
        buffer = _buffer(source, node)
        origin = hop(index, source, node) if buffer is None else None
        if buffer is not None:
            node = buffer
        elif origin is not None:
            source, node = origin.source, origin.node
        else:
            break
    return source, node


def _buffer(source: Source, node: ast.expr) -> ast.expr | None:
    """What the class of `self.name` registers as this buffer."""
    outer = source.class_of(node)
    if outer is None or not names.dotted(node).startswith("self."):
        return None
    found = [call.args[1] for call in ast.walk(outer) if isinstance(call, ast.Call)
             and names.called(call) == "register_buffer" and len(call.args) > 1
             and isinstance(call.args[0], ast.Constant)
             and call.args[0].value == names.dotted(node).partition(".")[2]]
    return found[0] if len(found) == 1 else None
