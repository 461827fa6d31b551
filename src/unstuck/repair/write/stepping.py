"""A step of each batch, where most gradients or losses are lost before the optimizer steps."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index, Loop
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import backwards, receiver, steps
from unstuck.repair.text import Source, Splice
from unstuck.repair.values import Number, ways
from unstuck.repair.write.fetching import own_ancestors
from unstuck.repair.write.once import names_made
from unstuck.repair.write.steps import CLIPS
from unstuck.schema.edits import KeepBuffer, StepDown, StepEachBatch, StepEvery


def write_step_each_batch(edit: StepEachBatch, record: Record, index: Index) -> list[Patch]:
    """What stands behind the loop over batches is moved to its end.

    Of a step that a condition of the loop holds back, gradients are meant to add up: what clears
    them moves behind the step instead.
    """
    passes, stepping = backwards(record, index), steps(record, index, edit.optimizer)
    if len(passes) != 1 or len(stepping) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "There are several backward passes or steps.")
    backward, step = passes[0], stepping[0]
    source = backward.source
    if step.source is not source or source.function(step.node) is not source.function(
            backward.node):
        raise Refused(Reason.UNKNOWN_FORM, "The step is in another function than backward().")
    if step.call.args:
        raise Refused(Reason.UNKNOWN_FORM, "A gradient scaler makes the step, and is updated once "
                      "for each.")
    around, of_step = _loops(source, backward.statement), _loops(source, step.statement)
    held = receiver(record, index, edit.optimizer, step)
    if around == of_step and step.statement not in source.body(backward.statement):
        return [Patch(edit, tuple(_cleared_behind(source, around, held, step.statement)),
                      Form.STATEMENT)]
    body = source.body(step.statement)
    if around and around[1:] == of_step:
        loop: ast.AST | None = around[0]
    else:
        loop = _before(body, backward.statement)
    if not isinstance(loop, Loop) or loop not in body:
        raise Refused(Reason.UNKNOWN_FORM, "The step does not stand behind the loop over batches.")
    start, end = (next(i for i, each in enumerate(body) if each is one)
                  for one in (loop, step.statement))
    moved = [each for each in body[start + 1:end + 1] if each in (
        backward.statement, step.statement) or names.only_calls(each, ("zero_grad", *CLIPS))]
    lines = [source.code(each) for each in moved]
    if not any(names.only_calls(node, ("zero_grad",)) for node in (*ast.walk(loop), *moved)):
        lines.insert(0, f"{held}.zero_grad()")
        if backward.statement not in moved:
            raise Refused(Reason.UNKNOWN_FORM, "Nothing clears the gradients in the loop.")
    if any("\n" in line for line in lines):
        raise Refused(Reason.UNKNOWN_FORM, "A statement that moves has several lines.")
    last = backward.statement if backward.statement in loop.body else loop.body[-1]
    splices = [*change.after(source, last, "\n".join(lines))]
    for each in moved:
        splices += change.remove(source, each)
    return [Patch(edit, tuple(splices), Form.STATEMENT)]


def _loops(source: Source, node: ast.AST) -> list[ast.AST]:
    """The loops around a node in its own function, innermost first."""
    return [each for each in own_ancestors(source, node) if isinstance(each, Loop)]


def _before(body: list[ast.stmt], backward: ast.stmt) -> ast.stmt | None:
    """The loop in front of a backward pass that makes the loss."""
    if backward not in body or not isinstance(backward, ast.Expr):
        return None
    needed = {node.id for node in ast.walk(backward) if isinstance(node, ast.Name)}
    loops = [each for each in body[:body.index(backward)]
             if isinstance(each, Loop) and needed & names_made(each)]
    return loops[-1] if loops else None


def _cleared_behind(
    source: Source, loops: list[ast.AST], held: str, step: ast.stmt
) -> list[Splice]:
    """What clears the gradients in a loop, moved behind its step."""
    clearing = [each for each in ast.walk(loops[0]) if isinstance(each, ast.stmt)
                and names.only_calls(each, ("zero_grad",))] if loops else []
    if len(clearing) != 1:
        raise Refused(Reason.NO_PLACE, "unstuck does not know what clears the gradients.",
                      ("the line that clears the gradients",))
    return [*change.remove(source, clearing[0]),
            *change.after(source, step, f"{held}.zero_grad()")]


def write_step_every(edit: StepEvery, record: Record, index: Index) -> list[Patch]:
    """The divisor of the condition under which the optimizer steps, where it is written."""
    found = index.at(edit.at, "the condition of the optimizer's step")
    divisors = [node.right for node in ast.walk(found.node)
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)]
    if len(divisors) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The condition of the optimizer's step counts nothing.")
    number = Number(float(edit.passes), shared=True, whole=True)
    return [Patch(edit, way.splices, way.form)
            for way in ways(index, found.source, divisors[0], number)]


def write_step_down(edit: StepDown, record: Record, index: Index) -> list[Patch]:
    """A minus in the place of the plus, or in front of the factor of what is added."""
    found = index.at(edit.at, "the update of the weights")
    source, statement = found.source, found.statement
    match statement:
        case ast.AugAssign(op=ast.Add(), target=target):
            place, sign = source.text.index("+", source.span(target)[1]), "-"
        case ast.Assign(value=ast.BinOp(op=ast.Add(), left=left)):
            place, sign = source.text.index("+", source.span(left)[1]), "-"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add_")) as call):
            factor = change.argument(call, "alpha", 1)
            if factor is not None:
                text = change.operand(source, factor)
                return [Patch(edit, change.replace(source, factor, f"-{text}"), Form.LITERAL)]
            end = source.span(call.func)[1]
            return [Patch(edit, (Splice(source.name, end - 4, end, "sub_"),), Form.CALL)]
        case _:
            raise Refused(Reason.UNKNOWN_FORM, "The statement at this place adds nothing to a "
                          "weight.")
    return [Patch(edit, (Splice(source.name, place, place + 1, sign),), Form.LITERAL)]


def write_keep_buffer(edit: KeepBuffer, record: Record, index: Index) -> list[Patch]:
    """In the state of the optimizer, where a step makes a tensor of zeros anew."""
    found = index.at(edit.at, "the update of the weights")
    source, function = found.source, found.source.function(found.node)
    owner = source.class_of(found.node)
    if function is None or owner is None or not any(
            names.last_name(base) == "Optimizer" for base in owner.bases):
        raise Refused(Reason.UNKNOWN_FORM, "The weights are not updated in an Optimizer of "
                      "torch's kind.")
    own = function.args.args[0].arg
    made = [node for node in ast.walk(function) if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
            and names.called(node.value) == "zeros_like" and node.value.args]
    if len(made) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The step makes no tensor of zeros, or several.")
    value, name = made[0].value, source.code(made[0].targets[0])
    assert isinstance(value, ast.Call)
    kept = f'{own}.state[{source.code(value.args[0])}].setdefault("{name}", {source.code(value)})'
    return [Patch(edit, change.replace(source, value, kept), Form.CALL)]


WRITERS = {KeepBuffer: write_keep_buffer, StepDown: write_step_down,
           StepEachBatch: write_step_each_batch, StepEvery: write_step_every}
