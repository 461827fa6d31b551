"""Constant factors that push activations into their flat parts."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.repair.write.layers import element_of
from unstuck.schema.edits import RemoveFactors

_SATURATE = ("tanh", "sigmoid", "softsign", "hardtanh", "hardsigmoid", "erf",
             "Tanh", "Sigmoid", "Softsign", "Hardtanh", "Hardsigmoid")
_LARGE = 2.0  # a factor from here on scales up


def write_remove_factors(edit: RemoveFactors, record: Record, index: Index) -> list[Patch]:
    """What a factor is multiplied with, in the place of the product; an element less."""
    scaling = {node.name for _, node in index.classes() if _scales(node)}
    splices: list[Splice] = []
    for name in _SATURATE:
        for source, call in index.calls(name):
            method = [call.func.value] if isinstance(call.func, ast.Attribute) else []
            for given in (*call.args[:1], *method):
                splices += _without_factor(source, given)
            splices += _without_element(source, call, scaling)
    if not splices:
        raise Refused(Reason.UNKNOWN_FORM, "No constant factor stands in front of an activation.")
    return [Patch(edit, tuple(dict.fromkeys(splices)), Form.MODEL)]


def _without_factor(source: Source, node: ast.expr) -> tuple[Splice, ...]:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return ()
    for factor, kept in ((node.left, node.right), (node.right, node.left)):
        if isinstance(factor, ast.Constant) and isinstance(factor.value, int | float) and (
                abs(factor.value) >= _LARGE):
            return change.replace(source, node, source.code(kept))
    return ()


def _without_element(source: Source, call: ast.Call, scaling: set[str]) -> tuple[Splice, ...]:
    """The element in front of an activation goes if all it does is to multiply."""
    element = element_of(Found(source, call))
    if element is None or not element.index:
        return ()
    held = element.container
    elements = held.args if isinstance(held, ast.Call) else (
        held.elts if isinstance(held, ast.List) else [])
    before = elements[element.index - 1]
    if not (isinstance(before, ast.Call) and names.called(before) in scaling):
        return ()
    return change.drop_item(source, element.opens, element.index - 1)


def _scales(node: ast.ClassDef) -> bool:
    """Whether a module's forward only multiplies what it takes."""
    forward = next((each for each in node.body if isinstance(each, ast.FunctionDef)
                    and each.name == "forward"), None)
    match forward:
        case ast.FunctionDef(args=ast.arguments(args=[_, ast.arg(arg=taken)]), body=[
                ast.Return(value=ast.BinOp(op=ast.Mult(), left=left, right=right))]):
            return any(isinstance(each, ast.Name) and each.id == taken for each in (left, right))
    return False


WRITERS = {RemoveFactors: write_remove_factors}
