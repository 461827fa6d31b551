"""Statements around a training step: gradients cleared, clipped, applied; modes switched."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Need, Patch
from unstuck.repair.places import backwards, model_name, receiver, spell, steps
from unstuck.repair.text import Splice
from unstuck.repair.values import Number, decimal, ways
from unstuck.schema.edits import (
    CallStep,
    Clip,
    RemoveClip,
    ZeroGrad,
    literal,
)
from unstuck.schema.facts.loops import Pace
from unstuck.schema.facts.models import STAND_IN, Model
from unstuck.schema.facts.optimizers import Clearing, Clipping, Optimizer
from unstuck.schema.signals.parameters import BY_HAND

CLIPS = ("clip_grad_norm_", "clip_grad_value_", "unscale_")  # in front of a step


def _statement_of_call(found: Found) -> ast.stmt:
    """The statement that is nothing but this call. Raises Refused if it is more."""
    statement = found.statement
    if isinstance(statement, ast.Expr) and statement.value is found.node:
        return statement
    raise Refused(Reason.UNKNOWN_FORM, f"Line {found.node.lineno:,} does more than this call.")


def write_zero_grad(edit: ZeroGrad, record: Record, index: Index) -> list[Patch]:
    """In front of each backward pass; behind the step where several passes add up for one step.

    What clears the gradients between a backward pass and its step goes.
    """
    if edit.optimizer == BY_HAND:
        return [_clear_models(edit, record, index)]
    removed: list[Splice] = []
    if edit.early and not record.facts(Clearing):
        return [_moved(edit, record, index)]
    for fact in record.facts(Clearing):
        found = index.at(fact.location, "what clears the gradients")
        removed += change.remove(found.source, _statement_of_call(found))
    accumulates = any(each.backwards > 1 for each in record.facts(Pace)
                      if each.name == edit.optimizer)
    if accumulates and not removed:
        splices: list[Splice] = []
        for step in steps(record, index, edit.optimizer):
            held = receiver(record, index, edit.optimizer, step)
            splices += change.after(step.source, step.statement, f"{held}.zero_grad()")
        return [Patch(edit, tuple(splices), Form.STATEMENT)]
    put: list[Splice] = []
    try:
        for backward in _of_optimizer(record, index, edit.optimizer):
            held = receiver(record, index, edit.optimizer, backward)
            put += change.before(backward.source, backward.statement, f"{held}.zero_grad()")
    except Refused:  # the optimizer has no name there
        put = _behind_the_step(record, index)
        if not put:
            raise
    return [Patch(edit, (*removed, *put), Form.STATEMENT)]


def _behind_the_step(record: Record, index: Index) -> list[Splice]:
    """What clears the gradients in front of a step, behind it; nothing if one has no step there."""
    put: list[Splice] = []
    for fact in record.facts(Clearing):
        found = index.at(fact.location, "what clears the gradients")
        body = found.source.body(found.statement)
        later = body[next(i for i, each in enumerate(body) if each is found.statement) + 1:]
        step = next((each for each in later if isinstance(each, ast.Expr)
                     and isinstance(each.value, ast.Call)
                     and names.called(each.value) == "step"), None)
        if step is None:
            return []
        put += change.after(found.source, step, found.source.code(found.statement))
    return put


def _moved(edit: ZeroGrad, record: Record, index: Index) -> Patch:
    """What the text has between a backward pass and its step that clears gradients, before both."""
    splices: list[Splice] = []
    for backward in _of_optimizer(record, index, edit.optimizer):
        source, body = backward.source, backward.source.body(backward.statement)
        stepping = [step.statement for step in steps(record, index, edit.optimizer)]
        start = next(i for i, each in enumerate(body) if each is backward.statement)
        end = next((i for i, each in enumerate(body) if each in stepping), start)
        for each in body[start + 1:end]:
            if _clears(index, each):
                if "\n" in source.code(each):
                    raise Refused(Reason.UNKNOWN_FORM, "What clears the gradients has several "
                                  "lines; move them before the backward pass.")
                splices += change.before(source, backward.statement, source.code(each))
                splices += change.remove(source, each)
    if not splices:
        raise Refused(Reason.NO_PLACE, "unstuck does not know what clears the gradients.",
                      ("the line that clears the gradients",))
    return Patch(edit, tuple(splices), Form.STATEMENT)


def _clears(index: Index, statement: ast.AST, deepest: int = 2) -> bool:
    """Whether a statement, or a function of the program's own that it calls, clears gradients."""
    for node in ast.walk(statement):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr="grad"), *_],
                            value=ast.Constant(value=None)):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="grad"), attr="zero_")):
                return True
            case ast.Call():
                if names.called(node) == "zero_grad" or (deepest > 0 and any(
                        _clears(index, function, deepest - 1)
                        for _, function in index.functions(names.called(node)))):
                    return True
    return False


def _clear_models(edit: ZeroGrad, record: Record, index: Index) -> Patch:
    """In front of each backward pass, every model that trains; plain weights one by one."""
    models = [model for model in record.facts(Model)
              if any(parameter.trainable for parameter in model.parameters)]
    if not models:
        raise Refused(Reason.NO_PLACE, "unstuck does not know what the weights belong to.")
    put: list[Splice] = []
    for backward in backwards(record, index):
        lines = [
            _without_gradients(model, backward) if model.kind == STAND_IN
            else f"{model_name(record, index, model, backward)}.zero_grad()" for model in models]
        put += change.before(backward.source, backward.statement, "\n".join(lines))
    return Patch(edit, tuple(put), Form.STATEMENT)


def _without_gradients(model: Model, near: Found) -> str:
    """An assignment to the gradients of plain weights. Raises Refused if one has no name there."""
    held = [each.name for each in model.parameters if each.trainable]
    if not all(each.isidentifier() and names.resolve(near.source, near.node, each)
               for each in held):
        raise Refused(Reason.NO_PLACE, f"The weights have no names at line "
                      f"{near.node.lineno:,} of {near.source.name}.")
    return " = ".join([*(f"{each}.grad" for each in held), "None"])


def _of_optimizer(record: Record, index: Index, name: str) -> list[Found]:
    """The first backward pass in front of each step of an optimizer; all where no step is known.

    Where several optimizers take turns, the passes of another one are not among them.
    """
    every = backwards(record, index)
    if len(record.facts(Optimizer)) < 2:
        return every
    others = [step for each in record.facts(Optimizer) if each.name != name
              for step in steps(record, index, each.name)]
    found: list[Found] = []
    for step in steps(record, index, name):
        ends = [other.node.lineno for other in others if _together(other, step)
                and other.node.lineno < step.node.lineno]
        before = [each for each in every if _together(each, step)
                  and max(ends, default=0) < each.node.lineno <= step.node.lineno]
        found += sorted(before, key=lambda each: each.node.lineno)[:1]
    return found or every


def _together(first: Found, second: Found) -> bool:
    return first.source is second.source and (
        first.source.function(first.node) is second.source.function(second.node))


def write_call_step(edit: CallStep, record: Record, index: Index) -> list[Patch]:
    """The missing brackets of a step; else a call behind the backward pass and what clips, or in
    the place of the step of another optimizer."""
    for source, node in index.nodes(ast.Expr):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and (
                node.value.attr == "step"):
            end = source.span(node)[1]
            return [Patch(edit, (Splice(source.name, end, end, "()"),), Form.LITERAL)]
    splices: list[Splice] = []
    several = len(record.facts(Optimizer)) > 1
    for backward in backwards(record, index):
        source, last = backward.source, backward.statement
        held = receiver(record, index, edit.optimizer, backward)
        body = source.body(last)
        place = next(i for i, each in enumerate(body) if each is last)
        if several and not _clears_those_of(body[:place], held):
            continue  # this pass is for another one
        mistaken = _stepping(body[place + 1:]) if several else None
        if mistaken is not None and not _clears_those_of(
            _since_step(body[:place], names.dotted(mistaken)), names.dotted(mistaken)
        ):
            splices += change.replace(source, mistaken, held)
            continue
        for each in body[place + 1:]:
            if names.only_calls(each, CLIPS):
                last = each
        splices += change.after(source, last, f"{held}.step()")
    if not splices:
        raise Refused(Reason.NO_PLACE, f"unstuck does not know which backward pass is for "
                      f"{edit.optimizer}.")
    return [Patch(edit, tuple(splices), Form.STATEMENT)]


def _clears_those_of(statements: Sequence[ast.stmt], held: str) -> bool:
    """Whether the gradients of an optimizer are cleared in one of these statements."""
    return any(
        isinstance(node, ast.Call) and names.dotted(node.func) == f"{held}.zero_grad"
        for statement in statements for node in ast.walk(statement))


def _since_step(statements: Sequence[ast.stmt], held: str) -> Sequence[ast.stmt]:
    """The statements behind the last one in which an optimizer steps; all without one."""
    last = max((i for i, each in enumerate(statements) if (
        found := _stepping([each])) is not None and names.dotted(found) == held), default=-1)
    return statements[last + 1:]


def _stepping(statements: Sequence[ast.stmt]) -> ast.expr | None:
    """The optimizer that steps in one of these statements."""
    return next((
        each.value.func.value for each in statements
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)
        and isinstance(each.value.func, ast.Attribute) and each.value.func.attr == "step"
    ), None)


def write_clip(edit: Clip, record: Record, index: Index) -> list[Patch]:
    """Another limit where the program clips already; else a call in front of the step."""
    clipping = record.facts(Clipping)
    if clipping:
        patches: list[Patch] = []
        for fact in clipping[:1]:
            found = index.at(fact.location, "the clipping")
            name = names.called(found.call)
            argument = "clip_value" if name == "clip_grad_value_" else "max_norm"
            now = change.argument(found.call, argument, torch_api.position(name, argument))
            if now is None:
                raise Refused(Reason.UNKNOWN_FORM, "The limit of the clipping is not written out.")
            patches += [Patch(edit, way.splices, way.form, checks=(
                Check("clipping.limit", fact.function, literal(edit.limit)),)) for way in ways(
                index, found.source, now, Number(edit.limit, was=fact.limit))]
        return patches
    found_steps = [step for each in record.facts(Optimizer)
                   for step in steps(record, index, each.name)]
    if not found_steps:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the optimizer steps.",
                      ("the line that calls the optimizer's step",))
    forms: list[Patch] = []
    for whole in (True, False):
        splices: list[Splice] = []
        needs: tuple[Need, ...] = ()
        for optimizer in record.facts(Optimizer):
            for step in steps(record, index, optimizer.name):
                held = receiver(record, index, optimizer.name, step)
                try:
                    parameters = _parameters(record, index, step, held, whole)
                except Refused:
                    splices = []
                    break
                name, needs = spell(index, step.source, "torch.nn.utils.clip_grad_norm_")
                code = f"{name}({parameters}, {decimal(edit.limit)})"
                splices += _in_front_of(record, index, step, held, code)
        if splices:
            forms.append(Patch(edit, tuple(splices), Form.STATEMENT, needs))
    return forms


def _parameters(record: Record, index: Index, step: Found, held: str, whole: bool) -> str:
    if whole:
        models = record.facts(Model)
        if len(models) != 1 or len(record.facts(Optimizer)) != 1:
            raise Refused(Reason.UNKNOWN_FORM, "There are several models.")
        return f"{model_name(record, index, models[0], step)}.parameters()"
    return f'[p for group in {held}.param_groups for p in group["params"]]'


def _in_front_of(
    record: Record, index: Index, step: Found, held: str, code: str,
) -> tuple[Splice, ...]:
    """In front of a step; behind the backward pass of a closure that the step is given."""
    call = step.call
    scaled = bool(call.args) and step.source.code(call.args[0]) == held
    if call.args and not scaled:
        return tuple(splice for backward in backwards(record, index)
                     for splice in change.after(backward.source, backward.statement, code))
    if scaled and isinstance(call.func, ast.Attribute):
        code = f"{step.source.code(call.func.value)}.unscale_({held})\n{code}"
    return change.before(step.source, step.statement, code)


def write_remove_clip(edit: RemoveClip, record: Record, index: Index) -> list[Patch]:
    """Without the statement that clips."""
    found = index.at(edit.at, "the clipping")
    return [Patch(edit, change.remove(found.source, _statement_of_call(found)), Form.STATEMENT)]


WRITERS = {
    ZeroGrad: write_zero_grad, CallStep: write_call_step, Clip: write_clip,
    RemoveClip: write_remove_clip,
}
