"""The arguments of a loss: something done to the outputs or the targets that it receives."""

from __future__ import annotations

import ast
import re

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Splice
from unstuck.schema.edits import LossArgument
from unstuck.schema.facts.calls import LossCall
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.places import SourceLocation


def loss_at(record: Record, location: SourceLocation | None) -> Loss | None:
    """The loss that is computed at a place."""
    return next((each for each in record.facts(Loss) if each.location == location), None)


def write_argument(edit: LossArgument, record: Record, index: Index) -> list[Patch]:
    """Around what the loss receives, at all places that compute it; at the one place alone."""
    found = index.at(edit.at, "the loss")
    if isinstance(found.node, ast.BinOp):
        return _of_operation(edit, found, record, index)
    fact = loss_at(record, edit.at)
    known = torch_api.LOSSES.get(fact.function) if fact is not None else None
    declared = known.arguments if known is not None else ("input", "target")
    forms: list[Patch] = []
    alike = _alike(edit, found, record, index) if edit.everywhere else [found]
    for places in dict.fromkeys((tuple(alike), (found,))):
        needs: list[Need] = []
        splices: list[Splice] = []
        for each in places:
            place = declared.index(edit.argument) if edit.argument in declared else 0
            given = change.argument(each.call, declared[place], place)
            if given is None:
                return [_passed(edit, fact, index)]
            splices += around(index, each, given, edit.by, needs)
        forms.append(Patch(edit, tuple(splices), Form.CALL, tuple(needs)))
    return forms


def _of_operation(edit: LossArgument, found: Found, record: Record, index: Index) -> list[Patch]:
    """Around one side of an operator: the one that the model has made, or the other.

    A name that is read at other places of the function too is better given another value.
    """
    node = found.node
    assert isinstance(node, ast.BinOp)
    fact = loss_at(record, edit.at)
    if fact is not None and fact.hand_written and fact.function in torch_api.BINARY:
        return [_of_entropy(edit, found, fact, index)]
    first = fact.input_first if fact is not None else None
    if first is None and isinstance(node.op, ast.Sub):
        first = _made_first(node, found, record, index)
    if first is None:
        raise Refused(Reason.UNKNOWN_FORM, "Which side of the loss the model has made is not "
                      "known.")
    side = node.left if first is (edit.argument == "input") else node.right
    places = [side]
    if isinstance(node.op, ast.Mult) and fact is not None and fact.function != "hand-written":
        return [_of_margin(edit, found, side, index)]
    if isinstance(side, ast.Name):
        scope, given = names.scope_of(found.source, side), names.given_before(found.source, side)
        if given is not None and len(names.uses(found.source, scope, side.id)) > 1:
            places = [given, side]
    forms: list[Patch] = []
    for value in places:
        needs: list[Need] = []
        splices = around(index, found, value, edit.by, needs)
        forms.append(Patch(edit, splices, Form.CALL, tuple(needs)))
    return forms


def _passed(edit: LossArgument, fact: Loss | None, index: Index) -> Patch:
    """Around what a function with a formula of its own is given beside the call of the model."""
    found = index.at(fact.call_location if fact is not None else None, "the call of the loss")
    given = found.call.args
    called = [any(isinstance(each, ast.Call) for each in ast.walk(value)) for value in given]
    if len(given) != 2 or sum(called) != 1 or not isinstance(
            value := given[called.index(edit.argument == "input")],
            ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        raise Refused(Reason.UNKNOWN_FORM, "The loss is a formula of your own; change it there.")
    needs: list[Need] = []
    splices = around(index, found, value, edit.by, needs)
    return Patch(edit, splices, Form.CALL, tuple(needs))


def _of_margin(edit: LossArgument, found: Found, side: ast.expr, index: Index) -> Patch:
    """Around one side of a label times a score, behind its minus sign."""
    needs: list[Need] = []
    value = side.operand if isinstance(side, ast.UnaryOp) else side
    by = edit.by if edit.by.startswith("{}.") else f"({edit.by})"
    return Patch(edit, around(index, found, value, by, needs), Form.CALL, tuple(needs))


def _of_entropy(edit: LossArgument, found: Found, fact: Loss, index: Index) -> Patch:
    """Around the labels t of t log(p) + (1 - t) log(1 - p), at both places; else of its function.
    """
    factors = [side.operand if isinstance(side, ast.UnaryOp) else side
               for product in ast.walk(found.node) if isinstance(product, ast.BinOp)
               and isinstance(product.op, ast.Mult) for side in (product.left, product.right)]
    rests = [side.right for side in factors if isinstance(side, ast.BinOp)
             and isinstance(side.op, ast.Sub) and isinstance(side.left, ast.Constant)
             and side.left.value == 1]
    code = found.source.code
    pairs = [(each, rest) for rest in rests for each in factors if code(each) == code(rest)]
    if edit.argument != "target" or len(pairs) != 1:
        return _passed(edit, fact, index)
    needs: list[Need] = []
    by = edit.by if edit.by.startswith("{}.") else f"({edit.by})"
    splices = [splice for each in pairs[0] for splice in around(index, found, each, by, needs)]
    return Patch(edit, tuple(splices), Form.CALL, tuple(needs))


def _made_first(node: ast.BinOp, found: Found, record: Record, index: Index) -> bool | None:
    """Whether the model has made what stands left of an operator, by the text alone."""
    calls = [index.at(each.call_location, "the call of the model").node
             for each in record.facts(Model) if each.call_location is not None]

    def made(side: ast.expr) -> bool:
        source, here = found.source, side
        for _ in range(DEEPEST):
            if any(call in ast.walk(here) for call in calls):
                return True
            origin = hop(index, source, here) if isinstance(here, ast.Name) else None
            if origin is None:
                break
            source, here = origin.source, origin.node
        return False

    left, right = made(node.left), made(node.right)
    return left if left is not right else None


def _alike(edit: LossArgument, found: Found, record: Record, index: Index) -> list[Found]:
    """The places that compute the same loss of outputs and targets of such shapes.

    Targets that are not what the loss takes are so on held-out data too.
    """
    known = [each for each in record.facts(LossCall) if each.location is not None]
    own = next((each for each in known if each.location == edit.at), None)
    if own is not None:
        alike = [index.at(each.location, "the loss") for each in known
                 if each.function == own.function
                 and each.input_shape[1:] == own.input_shape[1:]
                 and len(each.target_shape) == len(own.target_shape)]
        return [each for each in alike if isinstance(each.node, ast.Call)]
    if edit.argument == "input":
        return [found]
    called = found.source.code(found.call.func)
    return [Found(source, call) for source, call in index.calls(names.called(found.call))
            if source.code(call.func) == called and len(call.args) == len(found.call.args)]


def around(index: Index, found: Found, given: ast.expr, by: str,
            needs: list[Need]) -> tuple[Splice, ...]:
    """The template around an expression: a method where it is one, else a wrapping."""
    for short, full in (("F.", "torch.nn.functional."), ("torch.", "torch.")):
        for name in re.findall(rf"\b{re.escape(short)}(\w+)", by):
            text, more = spell(index, found.source, full + name)
            by = by.replace(short + name, text)
            needs += more
    before, _, behind = by.partition("{}")
    if not before and behind.startswith("."):
        return change.method(found.source, given, behind)
    if not before.endswith("("):  # an operator: brackets where the expression needs them
        start, end = found.source.span(given)
        text = change.operand(found.source, given)
        sum_of = before == "" and behind.startswith((" + ", " - ")) and isinstance(
            given, ast.BinOp)
        if text != found.source.code(given) and not sum_of:
            before, behind = f"{before}(", f"){behind}"
        return (Splice(found.source.name, start, start, before),
                Splice(found.source.name, end, end, behind))
    if behind.startswith("[") and change.operand(found.source, given) != found.source.code(given):
        before, behind = f"{before}(", f"){behind}"
    return change.wrap(found.source, given, before, behind)


WRITERS = {LossArgument: write_argument}
