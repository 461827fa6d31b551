"""Schedules of the learning rate: a new one, another length, another place of its step."""

from __future__ import annotations

import ast

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import construction, spell, steps
from unstuck.repair.text import Function, Splice
from unstuck.repair.values import Number, ways
from unstuck.schema.edits import (
    CapSchedule,
    DivideSchedule,
    KeepRate,
    MoveSchedulerStep,
    RemoveSchedule,
    Schedule,
    ScheduleArgument,
    literal,
)
from unstuck.schema.facts.optimizers import Optimizer, Scheduler

_LENGTHS = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps", "LinearLR": "total_iters",
            "StepLR": "step_size"}
WARM_UP = "linear warm-up"


def _code(schedule: Schedule) -> tuple[str, str]:
    """The class, and its arguments behind the optimizer."""
    if schedule.name == WARM_UP:
        return "LinearLR", f"start_factor=0.01, total_iters={schedule.steps}"
    return schedule.name, f"{_LENGTHS.get(schedule.name, 'T_max')}={schedule.steps}"


def write_schedule(edit: Schedule, record: Record, index: Index) -> list[Patch]:
    """The scheduler that there is, at another length or of another class; else a new one."""
    kind, options = _code(edit)
    for fact in record.facts(Scheduler):
        found = index.at(fact.location, "the construction of the scheduler")
        if fact.kind == kind:
            length = change.argument(found.call, _LENGTHS.get(kind, "T_max"), 1)
            if length is not None:
                number = Number(float(edit.steps), shared=False, whole=True)
                return [Patch(edit, way.splices, way.form)
                        for way in ways(index, found.source, length, number)]
        given = change.argument(found.call, "optimizer", 0)
        if given is None:
            raise Refused(Reason.UNKNOWN_FORM, "The scheduler's optimizer is not written out.")
        name, needs = spell(index, found.source, f"torch.optim.lr_scheduler.{kind}")
        return [Patch(edit, change.replace(
            found.source, found.call, f"{name}({found.source.code(given)}, {options})"),
            Form.CALL, needs)]
    for optimizer in record.facts(Optimizer)[:1]:
        return [_new(edit, kind, options, optimizer, record, index)]
    raise Refused(Reason.NO_PLACE, "The record has no optimizer.")


def _new(edit: Schedule, kind: str, options: str, optimizer: Optimizer, record: Record,
         index: Index) -> Patch:
    built = construction(record, index, optimizer.name)
    statement, source = built.statement, built.source
    if not (isinstance(statement, ast.Assign) and statement.value is built.node
            and len(statement.targets) == 1 and names.dotted(statement.targets[0])):
        raise Refused(Reason.UNKNOWN_FORM, "The optimizer has no name where it is constructed.")
    held = names.dotted(statement.targets[0])
    own = held.startswith("self.")
    scheduler = "self.scheduler" if own else "scheduler"
    taken = [node for node in ast.walk(source.tree) if isinstance(node, ast.Name | ast.Attribute)
             and names.dotted(node) == scheduler]
    if taken:
        raise Refused(Reason.UNKNOWN_FORM, f"The program has a {scheduler} already.")
    found_steps = steps(record, index, optimizer.name)
    for step in found_steps:
        inner, outer = step.source.function(step.node), source.function(built.node)
        around = [a for a in step.source.ancestors(step.node) if isinstance(a, Function)]
        visible = step.source is source and (
            (own and source.class_of(step.node) is source.class_of(built.node))
            or inner is outer or outer is None or outer in around)
        if not visible:
            return _hooked(edit, built, held, scheduler, f"{kind}({held}, {options})", index)
    if not found_steps:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the optimizer steps.")
    name, needs = spell(index, source, f"torch.optim.lr_scheduler.{kind}")
    splices = list(change.after(source, statement, f"{scheduler} = {name}({held}, {options})"))
    for step in found_steps:
        splices += change.after(step.source, step.statement, f"{scheduler}.step()")
    return Patch(edit, tuple(splices), Form.STATEMENT, needs)


def _hooked(edit: Schedule, built: Found, held: str, scheduler: str, made: str,
            index: Index) -> Patch:
    """Where the optimizer steps in another function, it takes the scheduler along."""
    name, needs = spell(index, built.source, "torch.optim.lr_scheduler")
    code = (f"{scheduler} = {name}.{made}\n"
            f"{held}.register_step_post_hook(lambda *_: {scheduler}.step())")
    return Patch(edit, change.after(built.source, built.statement, code), Form.STATEMENT, needs)


def _named(record: Record, scheduler: str) -> Scheduler:
    for fact in record.facts(Scheduler):
        if fact.name == scheduler:
            return fact
    raise Refused(Reason.NO_PLACE, f"The record has no scheduler {scheduler}.")


def write_move(edit: MoveSchedulerStep, record: Record, index: Index) -> list[Patch]:
    """The statement moved behind the loop over batches, or behind the optimizer's step."""
    fact = _named(record, edit.scheduler)
    found = index.at(fact.call_location, "the step of the scheduler")
    source, statement = found.source, found.statement
    if not (isinstance(statement, ast.Expr) and statement.value is found.node):
        raise Refused(Reason.UNKNOWN_FORM, "The scheduler's step is part of a longer statement.")
    text = source.code(statement)
    removed = change.remove(source, statement)
    if edit.per == "batch":
        for optimizer in record.facts(Optimizer):
            for step in steps(record, index, optimizer.name):
                if step.source is source and optimizer.name in (fact.optimizer, optimizer.name):
                    return [Patch(edit, (*removed, *change.after(
                        source, step.statement, text)), Form.STATEMENT)]
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the optimizer steps.")
    loops = index.loops(source, statement)
    if len(loops) < 2:
        raise Refused(Reason.UNKNOWN_FORM, "There is no loop over epochs around the one over "
                      "batches.")
    where, inner = loops[0]
    head = text.partition(".")[0]
    if where.function(inner) is where.function(loops[1][1]):
        behind: ast.stmt = inner
    else:  # an epoch is a call of the function that holds the loop over batches
        function = where.function(inner)
        assert function is not None
        where, call = index.callers(where, function)[0]
        behind = where.statement(call)
    if not names.resolve(where, behind, head):
        raise Refused(Reason.UNKNOWN_FORM, f"{head} is not known where an epoch ends.")
    return [Patch(edit, (*removed, *change.after(where, behind, text)), Form.STATEMENT)]


def write_remove(edit: RemoveSchedule, record: Record, index: Index) -> list[Patch]:
    """Without the statement that calls the scheduler's step."""
    fact = _named(record, edit.scheduler)
    found = index.at(fact.call_location, "the step of the scheduler")
    if not (isinstance(found.statement, ast.Expr) and found.statement.value is found.node):
        raise Refused(Reason.UNKNOWN_FORM, "The scheduler's step is part of a longer statement.")
    return [Patch(edit, change.remove(found.source, found.statement), Form.STATEMENT)]


def write_keep_rate(edit: KeepRate, record: Record, index: Index) -> list[Patch]:
    """Without the statement, and without a loop or condition that has nothing else to do."""
    found = index.at(edit.at, "what sets the learning rate")
    source, statement = found.source, found.statement
    while isinstance(around := source.parents.get(statement), ast.For | ast.If) and (
            around.body == [statement] and not around.orelse):
        statement = around
    return [Patch(edit, change.remove(source, statement), Form.STATEMENT)]


def write_divide(edit: DivideSchedule, record: Record, index: Index) -> list[Patch]:
    """Around the function that the scheduler is constructed with."""
    return [Patch(edit, _of_factor(
        edit.scheduler, "{} / " + literal(edit.by), record, index), Form.CALL)]


def write_cap(edit: CapSchedule, record: Record, index: Index) -> list[Patch]:
    """The same, with 1 as the largest factor."""
    return [Patch(edit, _of_factor(edit.scheduler, "min(1.0, {})", record, index), Form.CALL)]


def _of_factor(
    scheduler: str, formula: str, record: Record, index: Index
) -> tuple[Splice, ...]:
    """A formula of what the function of a schedule returns, in its place."""
    found = index.at(_named(record, scheduler).location, "the construction of the scheduler")
    source, given = found.source, change.argument(found.call, "lr_lambda", 1)
    if isinstance(given, ast.Lambda):
        return change.replace(source, given.body, formula.format(
            change.operand(source, given.body)))
    if isinstance(given, ast.Name | ast.Attribute):
        return change.replace(source, given, "lambda step: " + formula.format(
            f"{source.code(given)}(step)"))
    raise Refused(Reason.UNKNOWN_FORM, "The function of the schedule is not written out.")


def write_argument(edit: ScheduleArgument, record: Record, index: Index) -> list[Patch]:
    """At the construction of the scheduler."""
    fact = _named(record, edit.scheduler)
    found = index.at(fact.location, "the construction of the scheduler")
    return [Patch(edit, change.set_argument(
        found.source, found.call, edit.argument, edit.value,
        torch_api.position(fact.kind, edit.argument)), Form.LITERAL)]


WRITERS = {
    CapSchedule: write_cap, DivideSchedule: write_divide, RemoveSchedule: write_remove,
    Schedule: write_schedule, MoveSchedulerStep: write_move, ScheduleArgument: write_argument,
    KeepRate: write_keep_rate,
}
