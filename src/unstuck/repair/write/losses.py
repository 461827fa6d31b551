"""The loss: another function, another sign, scale or weights."""

from __future__ import annotations

import ast

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, Origin, hop, returned
from unstuck.repair.functions import call_in, given_to
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Source, Splice, apply
from unstuck.repair.values import Number, decimal, known, ways
from unstuck.repair.weighing import TENSORS, weigh_formula
from unstuck.repair.write.loss_arguments import around, loss_at
from unstuck.schema.edits import (
    ClassWeights,
    DivideLoss,
    FlipSign,
    FlipTerm,
    Guard,
    LossOption,
    SwapLoss,
    WeighTerm,
    literal,
)
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.optimizers import Optimizer

# The classes of torch.nn that call these functions.
ROBUST = ("huber_loss",)  # another measure of the same errors
MODULES = {
    "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "mse_loss": "MSELoss",
    "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss", "huber_loss": "HuberLoss",
    "binary_cross_entropy": "BCELoss", "kl_div": "KLDivLoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "poisson_nll_loss": "PoissonNLLLoss",
}


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


# Functions ---------------------------------------------------------------------------------------
def write_swap(edit: SwapLoss, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call, or in the place of a formula."""
    found = index.at(edit.at, "the loss")
    for formula in (found.node, *found.source.ancestors(found.node)):
        sides = _mean_square(formula)
        if sides is not None and isinstance(formula, ast.expr):
            name, needs = spell(index, found.source, f"torch.nn.functional.{edit.by}")
            text = f"{name}({', '.join(found.source.code(side) for side in sides)})"
            return [Patch(edit, change.replace(found.source, formula, text), Form.CALL, needs)]
    module = built(record, index, found)
    if module is not None:
        name, needs = spell(index, module.source, f"torch.nn.{MODULES[edit.by]}")
        if edit.by in ROBUST and module.node is not found.node and _scores(record, index, module):
            # Held-out data are scored as before.
            return [Patch(edit, change.replace(found.source, found.call.func, f"{name}()"),
                          Form.CALL, needs)]
        splices = change.replace(module.source, module.call.func, name)
        return [Patch(edit, splices, Form.CALL, needs)]
    fact = loss_at(record, edit.at)
    name, needs = spell(index, found.source, f"torch.nn.functional.{edit.by}")
    if fact is not None and names.called(found.call) == fact.function:
        return [Patch(edit, change.replace(found.source, found.call.func, name), Form.CALL, needs)]
    raise Refused(Reason.UNKNOWN_FORM, "The loss is neither a function nor a module of torch.")


def _mean_square(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """The two sides of a mean of squared differences; None if an expression is something else."""
    match node:
        case (ast.Call(func=ast.Attribute(value=square, attr="mean"), args=[], keywords=[])
              | ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="mean"),
                         args=[square], keywords=[])):
            pass
        case _:
            return None
    match square:
        case (ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2), left=apart)
              | ast.Call(func=ast.Attribute(value=apart, attr="pow"), args=[ast.Constant(value=2)])
              | ast.Call(func=ast.Attribute(value=apart, attr="square"), args=[])):
            if isinstance(apart, ast.BinOp) and isinstance(apart.op, ast.Sub):
                return apart.left, apart.right
    return None


def write_option(edit: LossOption, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call."""
    found = index.at(edit.at, "the loss")
    where = built(record, index, found) or found
    return [Patch(edit, change.set_argument(
        where.source, where.call, edit.option, edit.value), Form.LITERAL)]


def write_weights(edit: ClassWeights, record: Record, index: Index) -> list[Patch]:
    """At the construction of the loss module, else at the call."""
    found = index.at(edit.at, "the loss")
    fact = loss_at(record, edit.at)
    if fact is not None and fact.hand_written:
        splices, form, more = weigh_formula(
            found, index, f"[{', '.join(map(decimal, edit.weights))}]")
        return [Patch(edit, splices, form, more)]
    where = built(record, index, found) or found
    inverse = _inverted(index, where) if edit.everywhere else ()
    if inverse:
        return [Patch(edit, inverse, Form.CONSTANT)]
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


def _inverted(index: Index, loss: Found) -> change.Splices:
    """The inverse of weights that are computed, where they are; nothing if numbers are given."""
    place = 0 if names.called(loss.call) in MODULES.values() else 2
    given = change.argument(loss.call, "pos_weight") or change.argument(loss.call, "weight", place)
    if given is None:
        return ()
    source, whole = _end(index, loss.source, given)
    values, value = (source, whole), whole
    if isinstance(whole, ast.Call) and names.called(whole) in TENSORS and whole.args:
        values = _end(index, source, whole.args[0])
        value = values[1]
    match value:
        case ast.ListComp(elt=each):
            inverted = [each]
        case ast.List(elts=inverted) | ast.Tuple(elts=inverted):
            pass
        case ast.BinOp():
            inverted = [value]
        case _:
            values, inverted = (source, whole), [whole]
    if any(isinstance(each, ast.Constant) for each in inverted):
        return ()
    return tuple(splice for each in inverted for splice in change.replace(
        values[0], each, f"1 / {change.operand(values[0], each)}"))


def _end(index: Index, source: Source, node: ast.expr) -> tuple[Source, ast.expr]:
    """What a value comes from, through names, what a function returns, and further scaling."""
    end = Origin(source, node, Form.LITERAL)
    for _ in range(DEEPEST):
        inner = end.node
        if isinstance(inner, ast.BinOp):  # of one variable and numbers
            found = {each.id: origin for each in ast.walk(inner) if isinstance(each, ast.Name)
                     and (origin := hop(index, end.source, each)) is not None
                     and isinstance(origin.node, ast.BinOp)}
            further = next(iter(found.values())) if len(found) == 1 else None
        elif isinstance(inner, ast.Call):
            once = len(index.calls(names.called(inner))) == 1
            further = returned(index, end) if once else None
        else:
            further = hop(index, end.source, inner)
        if further is None:
            break
        end = further
    return end.source, end.node


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


def write_term(edit: FlipTerm, record: Record, index: Index) -> list[Patch]:
    """The other operator between the two parts of the sum."""
    found = index.at(edit.at, "the sum")
    source, node = found.source, found.node
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=right):
            start, end = source.span(left)[1], source.span(right)[0]
        case ast.AugAssign(op=ast.Add() | ast.Sub(), target=left, value=right):
            start, end = source.span(left)[1], source.span(right)[0]
        case _:
            raise Refused(Reason.UNKNOWN_FORM, "The two parts are added in a way of their own.")
    now, then = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
    place = source.text.index(now, start, end)
    return [Patch(edit, (Splice(source.name, place, place + 1, then),), Form.LITERAL)]


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
    """The number that multiplies the function that returns it; else in front of the term."""
    found = index.at(edit.at, "the term of the loss")
    source, node = found.source, found.node
    function = source.function(node)
    callers = index.callers(source, function) if function is not None and isinstance(
        found.statement, ast.Return) and node in (found.statement, found.statement.value) else []
    outer = callers[0][0].parents.get(callers[0][1]) if len(callers) == 1 else None
    if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Mult):
        where, call = callers[0]
        weight = outer.left if outer.right is call else outer.right
        if known(index, where, weight) is not None:
            return [Patch(edit, way.splices, way.form)
                    for way in ways(index, where, weight, Number(factor=edit.factor))]
    if isinstance(node, ast.Expr | ast.Assign | ast.Return) and isinstance(node.value, ast.expr):
        node = node.value  # of a term whose operation was not found, its line is known
    if not isinstance(node, ast.expr):
        raise Refused(Reason.UNKNOWN_FORM, "The term is not one expression.")
    node = names.added(found.statement, node)
    return [Patch(edit, change.times(source, node, literal(edit.factor)), Form.FACTOR,
                  at=source.location(*source.span(node)))]


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
    splices = around(index, found, given, edit.by, needs)
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
    SwapLoss: write_swap, LossOption: write_option,
    ClassWeights: write_weights, FlipSign: write_sign, DivideLoss: write_divide,
    FlipTerm: write_term,
    WeighTerm: write_weigh, Guard: write_guard,
}
