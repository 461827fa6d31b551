"""The mode of a model: train mode for training, eval mode for what is held out."""

from __future__ import annotations

import ast
from itertools import takewhile

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import model_within
from unstuck.repair.text import Function, Source, Splice
from unstuck.repair.write.once import names_made
from unstuck.schema.edits import FollowMode, SwitchMode
from unstuck.schema.facts.models import Model


def write_mode(edit: SwitchMode, record: Record, index: Index) -> list[Patch]:
    """Train mode at the start of each epoch; eval mode around what is held out."""
    found = index.at(edit.at, "the call of the model")
    inner = index.at(edit.call, "the call of the model") if edit.call is not None else found
    held = None if inner is found else model_within(found, inner)
    if held is None:
        found, held = inner, inner.source.code(inner.call.func)
    call, source = found.call, found.source
    if edit.mode == "train":
        loops = [loop for where, loop in index.loops(source, call) if where is source
                 and source.function(loop) is source.function(call)]
        outer = loops[0] if loops else None
        code, function = f"{held}.train()", source.function(call)
        if outer is None and function is not None and _trains(index, function, 0):
            return [Patch(edit, change.before(source, found.statement, code), Form.STATEMENT)]
        if outer is None or not names.resolve(source, outer, held.partition(".")[0]):
            raise Refused(Reason.UNKNOWN_FORM, "No loop over batches is around the call.")
        # What evaluates may stand in the same loop.
        if len(index.loops(source, call)) == 1 or _leaves_within(index, edit, outer):
            return [Patch(edit, change.before(source, outer.body[0], code), Form.STATEMENT)]
        return [Patch(edit, change.before(source, outer, code), Form.STATEMENT)]
    statement: ast.stmt = found.statement
    for each in source.ancestors(call):
        if isinstance(each, Function):
            break
        if _trains(index, each):
            shared = _by_phase(index, source, call, each, held)
            if shared is not None:
                return [Patch(edit, shared, Form.STATEMENT)]
            break
        if isinstance(each, ast.With | ast.For):
            statement = each
    returns = any(isinstance(each, ast.Return) for each in ast.walk(statement))
    start = change.before(source, statement, f"{held}.eval()")
    if returns:  # nothing can stand behind it: the training switches back
        return [Patch(edit, (*start, *_back_in_training(record, index)), Form.STATEMENT)]
    return [Patch(edit, (*start, *change.after(source, statement, f"{held}.train()")),
                  Form.STATEMENT)]


def _by_phase(
    index: Index, source: Source, call: ast.Call, trains: ast.AST, held: str
) -> tuple[Splice, ...] | None:
    """The mode by what decides, in a statement that trains and validates, whether it trains: what
    gradients are enabled by, or the condition in front of the backward pass.

    In front of all loops that do not make what decides.
    """
    around = list(takewhile(
        lambda each: not isinstance(each, Function), source.ancestors(call)))
    enabling = (item.context_expr for each in around if isinstance(each, ast.With)
                for item in each.items)
    decides = next((each.args[0] for each in enabling if isinstance(each, ast.Call) and each.args
                    and names.called(each) == "set_grad_enabled"), None) or next(
        (node.test for node in ast.walk(trains) if isinstance(node, ast.If)
         and any(_trains(index, line, 0) for line in node.body)), None)
    if decides is None:
        return None
    read = {node.id for node in ast.walk(decides) if isinstance(node, ast.Name)}
    free = list(takewhile(lambda each: not names_made(each) & read, (
        each for each in around if isinstance(each, ast.With | ast.For))))
    if not free:
        return None
    text = source.code(decides)
    plain = isinstance(decides, ast.Compare) or (
        isinstance(decides, ast.UnaryOp) and isinstance(decides.op, ast.Not))
    return change.before(source, free[-1], f"{held}.train({text if plain else f'bool({text})'})")


def write_follow_mode(edit: FollowMode, record: Record, index: Index) -> list[Patch]:
    """The model's mode as an argument of the function, or as the mode of the layer made there."""
    splices: list[Splice] = []
    for place in dict.fromkeys(edit.places):  # a line may be several layers' place
        found = index.at(place, "the dropout")
        call, source = found.call, found.source
        method = source.function(call)
        if method is None or source.class_of(method) is None or not method.args.args:
            raise Refused(Reason.UNKNOWN_FORM, "The dropout is in no method of a model.")
        mode = f"{method.args.args[0].arg}.training"
        if isinstance(call.func, ast.Call):
            end = source.span(call.func)[1]
            splices.append(Splice(source.name, end, end, f".train({mode})"))
        elif names.called(call) in torch_api.DROPOUTS:
            splices += change.set_argument(source, call, "training", mode, 2)
        else:
            raise Refused(
                Reason.UNKNOWN_FORM, f"Line {call.lineno:,} does not call dropout itself.")
    return [Patch(edit, tuple(splices), Form.MODEL)]


def _leaves_within(index: Index, edit: SwitchMode, loop: ast.AST) -> bool:
    """Whether train mode is left in a loop, or in a function that is called there."""
    try:
        found = index.at(edit.left, "what leaves train mode")
    except Refused:
        return False
    return any(each is loop for _, each in index.loops(found.source, found.node))


def _trains(index: Index, node: ast.AST, deepest: int = 3) -> bool:
    """Whether a statement calls backward, or a function of the program's own that does."""
    called = {names.called(each) for each in ast.walk(node) if isinstance(each, ast.Call)}
    return "backward" in called or (deepest > 0 and any(
        _trains(index, function, deepest - 1)
        for name in called for _, function in index.functions(name)))


def _back_in_training(record: Record, index: Index) -> tuple[Splice, ...]:
    for model in record.facts(Model):
        if model.call_location is not None:
            found = index.at(model.call_location, "the call of the model")
            loops = index.loops(found.source, found.node)
            if loops:
                held = found.source.code(found.call.func)
                inner = loops[0]
                return change.before(inner[0], inner[1], f"{held}.train()")
    raise Refused(Reason.NO_PLACE, "unstuck does not know where training begins.")


WRITERS = {SwitchMode: write_mode, FollowMode: write_follow_mode}
