"""The loss: another function, other arguments, another sign, scale or weights."""

from __future__ import annotations

import ast
import re

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.functions import call_in, given_to
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Splice, apply
from unstuck.repair.values import decimal
from unstuck.repair.weighing import weigh_formula
from unstuck.schema.edits import (
    ClassWeights,
    DivideLoss,
    FlipSign,
    Guard,
    LossArgument,
    LossOption,
    SwapLoss,
    WeighTerm,
    literal,
)
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.places import SourceLocation

# The classes of torch.nn that call these functions.
ROBUST = ("huber_loss",)  # another measure of the same errors
MODULES = {
    "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "mse_loss": "MSELoss",
    "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss", "huber_loss": "HuberLoss",
    "binary_cross_entropy": "BCELoss", "kl_div": "KLDivLoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "poisson_nll_loss": "PoissonNLLLoss",
}


def _loss(record: Record, location: SourceLocation | None) -> Loss | None:
    return next((each for each in record.facts(Loss) if each.location == location), None)


def built(record: Record, index: Index, found: Found) -> Found | None:
    """The construction of the loss module that is called at a place; None for a function."""
    fact = next((each for each in record.facts(Loss) if each.location is not None
                 and index.at(each.location, "the loss").node is found.node), None)
    if fact is not None and fact.built is not None:
        return index.at(fact.built, "the construction of the loss")
    call = found.call
    if isinstance(call.func, ast.Call):
        return Found(found.source, call.func)  # nn.MSELoss()(x, y)
    origin = hop(index, found.source, call.func) if isinstance(
        call.func, ast.Name | ast.Attribute) else None
    if origin is not None and isinstance(origin.node, ast.Call) and (
            names.called(origin.node) in MODULES.values()):
        return Found(origin.source, origin.node)
    return None


# Arguments ---------------------------------------------------------------------------------------
def write_argument(edit: LossArgument, record: Record, index: Index) -> list[Patch]:
    """Around what the loss receives, at all places that compute it; at the one place alone."""
    found = index.at(edit.at, "the loss")
    if isinstance(found.node, ast.BinOp):
        return _of_operation(edit, found, record, index)
    fact = _loss(record, edit.at)
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
                raise Refused(Reason.UNKNOWN_FORM,
                              "The loss is a formula of your own; change it there.")
            splices += _around(index, each, given, edit.by, needs)
        forms.append(Patch(edit, tuple(splices), Form.CALL, tuple(needs)))
    return forms


def _of_operation(edit: LossArgument, found: Found, record: Record, index: Index) -> list[Patch]:
    """Around one side of an operator: the one that the model has made, or the other.

    A name that is read at other places of the function too is better given another value.
    """
    node = found.node
    assert isinstance(node, ast.BinOp)
    fact = _loss(record, edit.at)
    if fact is not None and fact.hand_written and fact.function in torch_api.BINARY:
        return [_of_entropy(edit, found, index)]
    first = fact.input_first if fact is not None else None
    if first is None and isinstance(node.op, ast.Sub):
        first = _made_first(node, found, record, index)
    if first is None:
        raise Refused(Reason.UNKNOWN_FORM, "Which side of the loss the model has made is not "
                      "known.")
    side = node.left if first is (edit.argument == "input") else node.right
    places = [side]
    if isinstance(side, ast.Name):
        scope, given = names.scope_of(found.source, side), names.given_before(found.source, side)
        if given is not None and len(names.uses(found.source, scope, side.id)) > 1:
            places = [given, side]
    forms: list[Patch] = []
    for value in places:
        needs: list[Need] = []
        splices = _around(index, found, value, edit.by, needs)
        forms.append(Patch(edit, splices, Form.CALL, tuple(needs)))
    return forms


def _of_entropy(edit: LossArgument, found: Found, index: Index) -> Patch:
    """Around the labels t of t log(p) + (1 - t) log(1 - p), at both places."""
    factors = [side.operand if isinstance(side, ast.UnaryOp) else side
               for product in ast.walk(found.node) if isinstance(product, ast.BinOp)
               and isinstance(product.op, ast.Mult) for side in (product.left, product.right)]
    rests = [side.right for side in factors if isinstance(side, ast.BinOp)
             and isinstance(side.op, ast.Sub) and isinstance(side.left, ast.Constant)
             and side.left.value == 1]
    code = found.source.code
    pairs = [(each, rest) for rest in rests for each in factors if code(each) == code(rest)]
    if edit.argument != "target" or len(pairs) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The loss is a formula of your own; change it there.")
    needs: list[Need] = []
    by = edit.by if edit.by.startswith("{}.") else f"({edit.by})"
    splices = [splice for each in pairs[0] for splice in _around(index, found, each, by, needs)]
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


def _around(index: Index, found: Found, given: ast.expr, by: str,
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


# Functions ---------------------------------------------------------------------------------------
def write_swap(edit: SwapLoss, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call."""
    found = index.at(edit.at, "the loss")
    module = built(record, index, found)
    if module is not None:
        name, needs = spell(index, module.source, f"torch.nn.{MODULES[edit.by]}")
        if edit.by in ROBUST and module.node is not found.node and _scores(record, index, module):
            # Held-out data are scored as before.
            return [Patch(edit, change.replace(found.source, found.call.func, f"{name}()"),
                          Form.CALL, needs)]
        splices = change.replace(module.source, module.call.func, name)
        return [Patch(edit, splices, Form.CALL, needs)]
    fact = _loss(record, edit.at)
    name, needs = spell(index, found.source, f"torch.nn.functional.{edit.by}")
    if fact is not None and names.called(found.call) == fact.function:
        return [Patch(edit, change.replace(found.source, found.call.func, name), Form.CALL, needs)]
    raise Refused(Reason.UNKNOWN_FORM, "The loss is neither a function nor a module of torch.")


def write_option(edit: LossOption, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call."""
    found = index.at(edit.at, "the loss")
    where = built(record, index, found) or found
    return [Patch(edit, change.set_argument(
        where.source, where.call, edit.option, edit.value), Form.LITERAL)]


def write_weights(edit: ClassWeights, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call."""
    found = index.at(edit.at, "the loss")
    fact = _loss(record, edit.at)
    if fact is not None and fact.hand_written:
        splices, form, more = weigh_formula(
            found, index, f"[{', '.join(map(decimal, edit.weights))}]")
        return [Patch(edit, splices, form, more)]
    where = built(record, index, found) or found
    binary = fact is not None and fact.function in torch_api.BINARY
    name, needs = spell(index, where.source, "torch.tensor")

    def weighted(option: str, value: str) -> list[Patch]:
        splices = change.set_argument(where.source, where.call, option, value)
        if where.node is not found.node and not edit.everywhere and (
            _scores(record, index, where)
        ):
            # Held-out data are scored as before: training gets a loss of its own.
            start, _ = where.source.span(where.call)
            own = apply(where.source.code(where.call), [
                Splice(s.file, s.start - start, s.end - start, s.text) for s in splices])
            splices = change.replace(found.source, found.call.func, own)
        return [Patch(edit, splices, Form.LITERAL, needs)]

    if binary and len(edit.weights) == 2:
        if fact is not None and fact.function == "binary_cross_entropy":
            raise Refused(Reason.UNKNOWN_FORM, "binary_cross_entropy has no weights of classes; "
                          "binary_cross_entropy_with_logits has.")
        share = decimal(edit.weights[1] / edit.weights[0])
        return weighted("pos_weight", f"{name}({share})")
    text = ", ".join(map(decimal, edit.weights))
    return weighted("weight", f"{name}([{text}])")


def _scores(record: Record, index: Index, module: Found) -> bool:
    """Whether a loss module is also called on held-out data."""
    return any(
        each.role is not CallRole.TRAIN and each.built is not None
        and index.at(each.built, "the loss").node is module.node
        for each in record.facts(LossCall))


# Sign and scale ----------------------------------------------------------------------------------
def write_sign(edit: FlipSign, record: Record, index: Index) -> list[Patch]:
    """A minus less where the loss is made with one; else one more, at the loss or at backward."""
    ascending = _maximizers(record, index)
    if ascending:
        return [Patch(edit, ascending, Form.LITERAL)]
    found = index.at(edit.at, "the loss")
    source, node = found.source, found.expression
    parent = source.parents.get(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [Patch(edit, _without_minus(found, node), Form.LITERAL)]
    if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub):
        return [Patch(edit, _without_minus(found, parent), Form.LITERAL)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        start = source.span(node)[0]
        return [Patch(edit, (Splice(source.name, start, start, "-"),), Form.CALL)]
    if isinstance(node, ast.Call) and names.called(node) == "backward" and isinstance(
            node.func, ast.Attribute):
        held = node.func.value
        if isinstance(held, ast.UnaryOp) and isinstance(held.op, ast.USub):
            return [Patch(edit, _without_minus(found, held), Form.LITERAL)]
        origin = hop(index, source, held)
        if origin is not None and isinstance(origin.node, ast.UnaryOp) and isinstance(
                origin.node.op, ast.USub):
            return [Patch(edit, _without_minus(Found(origin.source, origin.node), origin.node),
                          Form.LITERAL)]
        return [Patch(edit, _scaled(found, held, "-", ""), Form.CALL)]
    return [Patch(edit, _scaled(found, node, "-", ""), Form.CALL)]


def _maximizers(record: Record, index: Index) -> tuple[Splice, ...]:
    """Splices that take maximize=True from optimizers."""
    return tuple(
        splice for fact in record.facts(Optimizer)
        if any(option.name == "maximize" and option.value == "True" for option in fact.options)
        for found in [index.at(fact.location, "the construction of the optimizer")]
        for splice in change.drop_argument(found.source, found.call, "maximize"))


def _without_minus(found: Found, minus: ast.UnaryOp) -> tuple[Splice, ...]:
    start, end = found.source.span(minus)
    left, right = found.source.span(minus.operand)
    if end != right:  # -(a + b): the brackets go with the sign
        bracket = found.source.text.index("(", start)
        return (Splice(found.source.name, start, bracket, ""),)
    return (Splice(found.source.name, start, left, ""),)


def _scaled(found: Found, node: ast.expr, before: str, behind: str) -> tuple[Splice, ...]:
    """A sign or a divisor at an expression, in brackets where a method is called on it."""
    source = found.source
    start, end = source.span(node)
    text = change.operand(source, node)
    inner = (before + "(", ")" + behind) if text != source.code(node) else (before, behind)
    parent = source.parents.get(node)
    if isinstance(parent, ast.Attribute) and parent.value is node:
        if source.text[start - 1:start] == "(" and source.pairs.get(start - 1) == end:
            pass  # it has brackets
        else:
            inner = "(" + inner[0], inner[1] + ")"
    return (Splice(source.name, start, start, inner[0]), Splice(source.name, end, end, inner[1]))


def write_divide(edit: DivideLoss, record: Record, index: Index) -> list[Patch]:
    """At the call of backward: what is printed and added up stays the loss of a batch."""
    found = index.at(edit.at, "the call of backward")
    call = found.call
    held = call.func.value if isinstance(call.func, ast.Attribute) else None
    if held is None or names.called(call) != "backward":
        raise Refused(Reason.UNKNOWN_FORM, "This line does not call backward.")
    passed = call.args[0] if call.args and names.dotted(held) else None
    if passed is not None and not isinstance(passed, ast.Constant):  # accelerator.backward(loss)
        return [Patch(edit, _scaled(found, passed, "", f" / {edit.passes}"), Form.CALL)]
    if isinstance(held, ast.Call) and names.called(held) == "scale" and held.args:
        return [Patch(edit, _scaled(found, held.args[0], "", f" / {edit.passes}"), Form.CALL)]
    return [Patch(edit, _scaled(found, held, "", f" / {edit.passes}"), Form.CALL)]


def write_weigh(edit: WeighTerm, record: Record, index: Index) -> list[Patch]:
    """In front of the term, wherever it stands."""
    found = index.at(edit.at, "the term of the loss")
    source, node = found.source, found.node
    if isinstance(node, ast.Expr | ast.Assign | ast.Return) and isinstance(node.value, ast.expr):
        node = node.value  # of a term whose operation was not found, its line is known
    if not isinstance(node, ast.expr):
        raise Refused(Reason.UNKNOWN_FORM, "The term is not one expression.")
    node = names.added(found.statement, node)
    return [Patch(edit, change.times(source, node, literal(edit.factor)), Form.FACTOR)]


# Operations that may give NaN --------------------------------------------------------------------
def write_guard(edit: Guard, record: Record, index: Index) -> list[Patch]:
    """Around what the operation receives: a function's argument, a base, a divisor."""
    found = index.at(edit.at, "the operation")
    if edit.operation and any(isinstance(each, ast.Call) and names.called(each) == edit.operation
                              for each in ast.walk(found.source.function(found.node)
                                                   or found.source.tree)):
        found = call_in(index, found, edit.operation)
    node = found.node
    needs: list[Need] = []
    if isinstance(node, ast.BinOp):
        given = node.right if isinstance(node.op, ast.Div | ast.FloorDiv) else node.left
    elif isinstance(node, ast.Call):
        given = given_to(index, found)
    else:
        raise Refused(Reason.UNKNOWN_FORM, "The operation is not one call or one operator.")
    splices = _around(index, found, given, edit.by, needs)
    method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
        node.func.value is given)
    operator = not edit.by.startswith("{}.") and "(" not in edit.by.partition("{}")[0]
    if (method or isinstance(node, ast.BinOp)) and operator:
        first, last = splices[0], splices[-1]
        if not change.is_alone_in_brackets(found.source, given):
            splices = (Splice(first.file, first.start, first.end, f"({first.text}"),
                       Splice(last.file, last.start, last.end, f"{last.text})"))
    return [Patch(edit, splices, Form.CALL, tuple(needs))]


WRITERS = {
    LossArgument: write_argument, SwapLoss: write_swap, LossOption: write_option,
    ClassWeights: write_weights, FlipSign: write_sign, DivideLoss: write_divide,
    WeighTerm: write_weigh, Guard: write_guard,
}
