"""Inputs and targets on a scale that a network learns from; missing values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import CannotWrite, Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Need, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.text import Function, Source, Splice
from unstuck.schema.edits import (
    ClampInputs,
    Edit,
    NormaliseInputs,
    NormaliseTargets,
    ReplaceMissing,
    measured,
)
from unstuck.schema.facts.calls import CallRole, LossCall, ModelCall, Variable
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.statistics import Statistics, Subject

MOST_NUMBERS = 64  # that anybody wants to read in a diff
SMALLEST = 1e-8  # a standard deviation below it is that of a constant

HELPER = '''\
class {name}({module}):
    """Standardises what a network receives, by statistics of the training data."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - x.new_tensor(self.mean)) / x.new_tensor(self.std)'''
UNDO = '''\
class {name}({module}):
    """Puts what a network outputs on the scale of the targets."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return x * x.new_tensor(self.std) + x.new_tensor(self.mean)'''


@dataclass(frozen=True, slots=True)
class _Scale:
    """Mean and deviation as Python code: a number each, or a list along an axis."""

    mean: str
    deviation: str
    many: bool
    view: str = ""  # what lets a list broadcast along its axis


def _statistics(record: Record, subject: Subject, of: Iterable[str]) -> Statistics | None:
    """The statistics of what these calls or losses receive; the only ones, if they have none."""
    known = [each for each in record.facts(Statistics) if each.subject is subject]
    wanted = tuple(of)
    own = [each for each in known if each.of in wanted]
    return own[0] if own else known[0] if len(known) == 1 else None


def _of_inputs(record: Record, model: Model) -> Statistics | None:
    """Statistics of what a model receives in training."""
    return _statistics(record, Subject.INPUTS, [
        each.name for each in record.facts(ModelCall)
        if each.model == model.name and each.role is CallRole.TRAIN])


def _scale(found: Statistics | None, subject: Subject) -> _Scale:
    if found is None or not found.mean:
        raise Refused(Reason.NOT_MEASURED, f"The mean and the standard deviation of the "
                      f"{subject} are not in the record.", (f"statistics of the {subject}",))
    if "float" not in found.dtype:
        raise Refused(Reason.UNKNOWN_FORM, f"The {subject} are whole numbers ({found.dtype}).")
    means, deviations = found.mean, tuple(
        each if each > SMALLEST else 1.0 for each in found.deviation)
    if len(means) == 1 or found.axis is None:
        return _Scale(measured(means[0], deviations[0]), measured(deviations[0], deviations[0]),
                      False)
    if len(means) > MOST_NUMBERS:
        raise Refused(Reason.UNKNOWN_FORM, f"{len(means):,} means are too many to write out.")
    behind = len(found.shape) - found.axis - 1
    view = f".view(-1{', 1' * behind})" if behind else ""
    pairs = list(zip(means, deviations, strict=True))
    return _Scale(f"[{', '.join(measured(mean, step) for mean, step in pairs)}]",
                  f"[{', '.join(measured(step, step) for step in deviations)}]", True, view)


def _several(forms: list[list[Patch] | CannotWrite]) -> list[Patch]:
    """The patches of all forms. Raises Refused with the first reason if there are none."""
    patches = [patch for each in forms if isinstance(each, list) for patch in each]
    if patches:
        return patches
    first = next(each for each in forms if isinstance(each, CannotWrite))
    raise Refused(first.reason, first.words, first.needs, first.command)


# The model ---------------------------------------------------------------------------------------
def model_of(record: Record, last: bool = False) -> Model:
    """The model that takes the data in training, or the one that makes the loss's input."""
    models = record.facts(Model)
    for call in record.facts(ModelCall):
        if call.role is CallRole.TRAIN and (call.last if last else call.first):
            for model in models:
                if call.model == model.name:
                    return model
    if len(models) != 1:
        raise Refused(Reason.NO_PLACE, "unstuck does not know which model takes the data.")
    return models[0]


def _constants(source: Source, index: Index, scale: _Scale, what: str
               ) -> tuple[str, str, tuple[Need, ...]]:
    """Two names for the numbers of a scale, and what defines them at the head of the file."""
    if not scale.many:
        return scale.mean, scale.deviation, ()
    mean = free_name(index, source, f"{what}_MEAN")
    deviation = free_name(index, source, f"{what}_STD")
    text = f"{mean} = {scale.mean}\n{deviation} = {scale.deviation}"
    return mean, deviation, (Need(source.name, mean, text, helper=True),)


def first_line(index: Index, model: Model) -> tuple[Source, Function, str] | None:
    """The forward of the model's class, and the name of what it takes."""
    forward = index.forward_of(model.kind)
    if forward is None or len(forward[1].args.args) < 2:
        return None
    return *forward, forward[1].args.args[1].arg


def whole(index: Index, model: Model) -> Found:
    """The construction of a model that can be wrapped: nothing reaches into it by an index."""
    found = index.at(model.location, "the construction of the model")
    statement = found.statement
    held = names.dotted(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    for _, node in index.nodes(ast.Subscript):
        if isinstance(node, ast.Subscript) and held and names.dotted(node.value) == held:
            raise Refused(Reason.UNKNOWN_FORM, f"The program takes layers out of {held} by their "
                          "number, which a wrapper would change.")
    return found


def _wrapped(edit: NormaliseInputs | NormaliseTargets, index: Index, found: Found, scale: _Scale,
             template: str, wanted: str) -> Patch:
    """A wrapper outside: the inner names of layers and of saved weights get one level more."""
    if scale.view:
        raise Refused(Reason.UNKNOWN_FORM, "The scales are not along the last axis.")
    source = found.source
    name = free_name(index, source, wanted)
    module, needs = spell(index, source, "torch.nn.Module")
    sequential, more = spell(index, source, "torch.nn.Sequential")
    helper = Need(source.name, name, template.format(name=name, module=module), helper=True)
    front = template is HELPER
    mean, deviation, numbers = _constants(source, index, scale, "INPUT" if front else "TARGET")
    call = f"{name}({mean}, {deviation})"
    splices = (change.wrap(source, found.call, f"{sequential}({call}, ", ")") if front
               else change.wrap(source, found.call, f"{sequential}(", f", {call})"))
    return Patch(edit, splices, Form.MODEL, tuple(dict.fromkeys(
        (*needs, *more, *numbers, helper))))


# Inputs ------------------------------------------------------------------------------------------
def write_inputs(edit: NormaliseInputs, record: Record, index: Index) -> list[Patch]:
    """In the model, which serves training and use alike; else where the data are made."""
    return _several([_try(_inputs_in_model, edit, record, index),
                     _try(_inputs_in_data, edit, record, index)])


def _try(form: Callable[[Any, Record, Index], list[Patch]], edit: Edit, record: Record,
         index: Index) -> list[Patch] | CannotWrite:
    try:
        return form(edit, record, index)
    except Refused as refused:
        return refused.cannot


def _inputs_in_model(edit: NormaliseInputs, record: Record, index: Index) -> list[Patch]:
    model = model_of(record)
    scale = _scale(_of_inputs(record, model), Subject.INPUTS)
    forward = first_line(index, model)
    checks = (Check("inputs.scale", model.name, "1"),)
    if forward is None:
        patch = _wrapped(edit, index, whole(index, model), scale, HELPER, "Standardise")
        return [Patch(edit, patch.splices, patch.form, patch.needs, checks)]
    source, function, taken = forward
    mean, deviation, needs = _constants(source, index, scale, "INPUT")
    if scale.many:
        mean = f"{taken}.new_tensor({mean}){scale.view}"
        deviation = f"{taken}.new_tensor({deviation}){scale.view}"
    code = f"{taken} = ({taken} - {mean}) / {deviation}"
    return [Patch(edit, change.first_of_body(source, function, code.replace("- -", "+ ")),
                  Form.MODEL, needs, checks)]


def _inputs_in_data(edit: NormaliseInputs, record: Record, index: Index) -> list[Patch]:
    """Below the last assignment of the variable, or at the start of the function it is passed to.

    Held-out data get the training data's statistics.
    """
    calls = record.facts(ModelCall)
    train = next((each for each in calls
                  if each.role is CallRole.TRAIN and each.first and each.variable), None)
    if train is None or train.variable is None:
        raise Refused(Reason.NO_PLACE, "unstuck does not know which variable holds the training "
                      "data.", ("the variable that holds the training data",))
    held: list[Variable] = []
    for each in calls:
        if each.role is CallRole.HELD_OUT and each.model == train.model:
            if each.variable is None:
                raise Refused(Reason.NO_PLACE, "unstuck does not know which variable holds the "
                              "held-out data.")
            held += [each.variable] if each.variable != train.variable else []
    known = _statistics(record, Subject.INPUTS, [train.name])
    axis = "" if known is not None and known.axis is None else "0"
    return [Patch(edit, _standardised(index, train.variable, held, axis), Form.DATA)]


def _standardised(index: Index, train: Variable, held: list[Variable],
                  axis: str) -> tuple[Splice, ...]:
    source, made = where_made(index, train)
    mean, deviation = (free_name(index, source, name) for name in ("mean", "std"))
    lines = [f"{mean}, {deviation} = {train.name}.mean({axis}), {train.name}.std({axis}) + 1e-8",
             f"{train.name} = ({train.name} - {mean}) / {deviation}"]
    splices: list[Splice] = []
    for each in dict.fromkeys(held):
        where, later = where_made(index, each)
        line = f"{each.name} = ({each.name} - {mean}) / {deviation}"
        if where is not source or scope_below(where, later) is not scope_below(source, made):
            raise Refused(Reason.UNKNOWN_FORM, f"{each.name} is made in another function than "
                          f"{train.name}.")
        if isinstance(later, Function) or where.span(later)[0] <= source.span(made)[0]:
            lines.append(line)
        else:
            splices += change.after(where, later, line)
    code = "\n".join(lines)
    return (*below(source, made, code), *splices)


def below(source: Source, made: ast.stmt, code: str) -> tuple[Splice, ...]:
    """Lines behind what makes a variable; at the start of the function that it is passed to."""
    if isinstance(made, Function):
        return change.first_of_body(source, made, code)
    return change.after(source, made, code)


def scope_below(source: Source, made: ast.stmt) -> ast.AST | None:
    """The function in which a variable is made, None at the top level of a file."""
    return made if isinstance(made, Function) else source.function(made)


def where_made(index: Index, variable: Variable) -> tuple[Source, ast.stmt]:
    """The last statement that assigns a variable, or the function whose parameter it is."""
    source = index.sources.get(variable.file)
    if source is None:
        raise Refused(Reason.NO_TEXT, f"{variable.file} is not a source file of yours.")
    found: list[ast.stmt] = []
    wanted = variable.function.rpartition(".")[2]
    for node in ast.walk(source.tree):
        if isinstance(node, Function) and node.name == wanted and variable.name in {
                each.arg for each in names.parameters(node)}:
            found.append(node)
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        function = source.function(node)
        if (function.name if function else "") == wanted and any(
                _binds(source, target, variable.name) for target in targets):
            found.append(node)
    if not found:
        raise Refused(Reason.NO_TEXT, f"{variable.name} is assigned in no source of yours.")
    return source, max(found, key=lambda node: node.lineno)


def _binds(source: Source, target: ast.expr, name: str) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(_binds(source, each, name) for each in target.elts)
    return source.code(target) == name


# Targets -----------------------------------------------------------------------------------------
def write_targets(edit: NormaliseTargets, record: Record, index: Index) -> list[Patch]:
    """In the model, whose outputs keep the targets' own units: so do held-out scores.

    The network learns standardised targets: its outputs are scaled at the end, and the training
    loss is taken on the standard scale.
    """
    losses = _trained(record)
    if len(losses) > 1:
        raise Refused(Reason.SEVERAL_VALUES, f"The program trains with {len(losses)} losses, whose "
                      "targets may have several scales.")
    scale = _scale(_statistics(record, Subject.TARGETS, [each.name for each in losses]),
                   Subject.TARGETS)
    if scale.many:
        raise Refused(Reason.UNKNOWN_FORM, "The targets have a scale for each of several outputs.")
    model = model_of(record, last=True)
    splices = list(_loss_scaled(losses, index, scale))
    forward = first_line(index, model)
    if forward is None:
        patch = _wrapped(edit, index, whole(index, model), scale, UNDO, "Rescale")
        return [Patch(edit, (*patch.splices, *splices), Form.MODEL, patch.needs)]
    source, function, _ = forward
    returns = [node for node in names.inside(function) if isinstance(node, ast.Return)]
    if not returns or any(node.value is None or isinstance(node.value, ast.Tuple | ast.Dict)
                          for node in returns):
        raise Refused(Reason.UNKNOWN_FORM, "The model outputs more than one tensor.")
    for node in returns:
        assert node.value is not None
        start, end = source.span(node.value)
        text = change.operand(source, node.value)
        opens, closes = ("(", ")") if text != source.code(node.value) else ("", "")
        sign = f"- {scale.mean[1:]}" if scale.mean.startswith("-") else f"+ {scale.mean}"
        splices += (Splice(source.name, start, start, opens),
                    Splice(source.name, end, end, f"{closes} * {scale.deviation} {sign}"))
    return [Patch(edit, tuple(s for s in splices if s.text), Form.MODEL)]


def _trained(record: Record) -> list[Loss]:
    """The losses of the training: those that held-out data are scored by stay as they are."""
    named = {each.loss for each in record.facts(LossCall) if each.role is CallRole.TRAIN}
    return [each for each in record.facts(Loss) if not named or each.name in named]


def _loss_scaled(
    losses: list[Loss], index: Index, scale: _Scale
) -> tuple[Splice, ...]:
    splices: list[Splice] = []
    for fact in losses:
        found = index.at(fact.call_location or fact.location, "the loss")
        differences = [node for node in ast.walk(found.node)
                       if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)]
        own = not isinstance(found.node, ast.Call) or len(found.node.args) < 2
        if own and len(differences) == 1:  # a formula of the program's own
            start, end = found.source.span(differences[0])
            splices += (Splice(found.source.name, start, start, "("),
                        Splice(found.source.name, end, end, f") / {scale.deviation}"))
            continue
        call = found.call
        if len(call.args) < 2 or any(isinstance(each, ast.Starred) for each in call.args[:2]):
            raise Refused(Reason.UNKNOWN_FORM, "The loss is not a call of outputs and targets.")
        for given in call.args[:2]:
            start, end = found.source.span(given)
            simple = change.operand(found.source, given) == found.source.code(given)
            splices += (
                *(() if simple else (Splice(found.source.name, start, start, "("),)),
                Splice(found.source.name, end, end,
                       f"{'' if simple else ')'} / {scale.deviation}"))
    if not splices:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the loss is computed.")
    return tuple(splices)


# Bounds and missing values -----------------------------------------------------------------------
def write_missing(edit: ReplaceMissing, record: Record, index: Index) -> list[Patch]:
    """At the start of the model's forward; else around what each call of the model receives."""
    return _applied(edit, record, index, "torch.nan_to_num", "nan=0.0, posinf=0.0, neginf=0.0")


def write_clamp(edit: ClampInputs, record: Record, index: Index) -> list[Patch]:
    """At the start of the model's forward; else around what each call of the model receives."""
    width = edit.high - edit.low
    return _applied(edit, record, index, "torch.clamp",
                    f"{measured(edit.low, width)}, {measured(edit.high, width)}")


def _applied(edit: Edit, record: Record, index: Index, function: str, options: str) -> list[Patch]:
    model = model_of(record)
    forward = first_line(index, model)
    if forward is not None:
        source, method, taken = forward
        name, needs = spell(index, source, function)
        return [Patch(edit, change.first_of_body(
            source, method, f"{taken} = {name}({taken}, {options})"), Form.MODEL, needs)]
    found = index.at(model.call_location, "the call of the model")
    held = names.dotted(found.call.func)
    splices: list[Splice] = []
    every: list[Need] = []
    for source, call in index.calls(held.rpartition(".")[2]):
        if names.dotted(call.func) == held and call.args:
            name, needs = spell(index, source, function)
            splices += change.wrap(source, call.args[0], f"{name}(", f", {options})")
            every += needs
    return [Patch(edit, tuple(splices), Form.CALL, tuple(dict.fromkeys(every)))]


WRITERS = {ClampInputs: write_clamp, NormaliseInputs: write_inputs, NormaliseTargets: write_targets,
           ReplaceMissing: write_missing}
