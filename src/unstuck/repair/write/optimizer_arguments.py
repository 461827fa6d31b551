"""Arguments of an optimizer, and another optimizer."""

from __future__ import annotations

import ast

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import Origin, entry, hop, hops, settled
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.places import construction, optimizer, spell
from unstuck.repair.text import Source, Splice
from unstuck.repair.values import Number, constant, decimal, ways
from unstuck.schema.edits import GroupRate, OptimizerArgument, SwapOptimizer, literal
from unstuck.schema.facts.optimizers import Optimizer, Scheduler, sets_the_rate

_FIELDS = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}


def _value(fact: Optimizer, argument: str) -> float | None:
    for option in fact.options:
        if option.name == argument:
            try:
                return float(option.value)
            except ValueError:
                return None
    value = getattr(fact, _FIELDS.get(argument, ""), None)
    return value if isinstance(value, float | int) else None


def write_argument(edit: OptimizerArgument, record: Record, index: Index) -> list[Patch]:
    """At the construction of the optimizer, or where the argument's value comes from."""
    fact = optimizer(record, edit.optimizer)
    if edit.argument == "lr" and (
            schedule := sets_the_rate(record.facts(Scheduler), fact)) is not None:
        return _peak(edit, schedule, index)
    set_by = fact.rate_argument if edit.argument == "lr" else None
    found = index.at(fact.location, "the learning rate") if set_by else _partial(
        index, construction(record, index, edit.optimizer))
    call, source = found.call, found.source
    values = {_value(each, edit.argument) for each in record.facts(Optimizer)
              if each.location == fact.location}
    number = Number(edit.value, was=_value(fact, edit.argument))
    checks = (Check(f"optimizer.{edit.argument}", edit.optimizer, literal(edit.value)),)

    def patch(form: Form, splices: tuple[Splice, ...]) -> Patch:
        return Patch(edit, splices, form, checks=checks)

    if set_by and (given := change.argument(call, set_by)) is not None:
        return [patch(way.form, way.splices)
                for way in ways(index, source, given, number, several=len(values) > 1)]
    if edit.argument == "momentum" and "betas" in torch_api.ARGUMENTS.get(fact.kind, ()):
        return [patch(*_first_beta(index, found, edit.value))]
    declared = torch_api.ARGUMENTS.get(fact.kind, ())
    if fact.kind in ("LBFGS", "Rprop", "SparseAdam", "Adagrad", "Adadelta", "ASGD") and (
            edit.argument not in declared):
        raise Refused(Reason.UNKNOWN_FORM, f"{fact.kind} has no {edit.argument}.")
    groups = _of_groups(index, found, edit.argument, number)
    if groups:
        return [patch(Form.GROUPS, groups)]
    given_ways = ways_of_argument(index, found, fact.kind, edit.argument, number, len(values) > 1)
    if given_ways:
        return [patch(*each) for each in given_ways]
    if any(isinstance(each, ast.Starred) for each in call.args):
        raise Refused(Reason.UNKNOWN_FORM, "The arguments of the optimizer are passed on as *args.")
    return [patch(Form.LITERAL, change.set_argument(
        source, call, edit.argument, decimal(edit.value)))]


def _partial(index: Index, found: Found) -> Found:
    """Where `functools.partial` made what is called, with the arguments that it passes on."""
    for origin in hops(index, found.source, found.call.func):
        if isinstance(origin.node, ast.Call) and names.called(origin.node) == "partial" and len(
                origin.node.args) == 1:
            return Found(origin.source, origin.node)
    return found


def _peak(edit: OptimizerArgument, schedule: Scheduler, index: Index) -> list[Patch]:
    """At the schedule that sets the rate."""
    found = index.at(schedule.location, "the construction of the schedule")
    given = ways_of_argument(index, found, schedule.kind, torch_api.PEAKS[schedule.kind],
                             Number(edit.value, was=schedule.target))
    if not given:
        raise Refused(Reason.UNKNOWN_FORM, "The peak of the schedule is not written out.")
    return [Patch(edit, splices, form) for form, splices in given]


def _first_beta(
    index: Index, found: Found, value: float
) -> tuple[Form, tuple[Splice, ...]]:
    """Adam's momentum is the first of its betas, which are put in order if they were swapped."""
    source, call = found.source, found.call
    given, form = change.argument(call, "betas", 2), Form.LITERAL
    settings = next((each.value for each in call.keywords if each.arg is None), None)
    if given is None and settings is None:
        return form, change.set_argument(source, call, "betas", f"({decimal(value)}, 0.999)")
    origin = None if given is None else Origin(source, given, form)
    if given is None and settings is not None:
        holder = settled(index, source, settings)
        origin = _passed_on(index, source, call, settings, "betas") or (
            None if holder is None else entry(index, holder, "betas"))
    if origin is None:
        assert settings is not None
        text = f'{{**{source.code(settings)}, "betas": ({decimal(value)}, 0.999)}}'
        return Form.CALL, change.replace(source, settings, text)
    if isinstance(origin.node, ast.Name | ast.Attribute):
        origin = hop(index, origin.source, origin.node) or origin
    source, betas = origin.source, origin.node
    if not isinstance(betas, ast.Tuple | ast.List) or len(betas.elts) != 2:
        return Form.CALL, change.replace(
            source, betas, f"({decimal(value)}, {change.operand(source, betas)}[1])")
    if all(isinstance(each, ast.Constant) for each in betas.elts):
        first, second = map(source.code, betas.elts)
        if float(second) <= value < float(first):
            return origin.form, (*change.replace(source, betas.elts[0], second),
                                 *change.replace(source, betas.elts[1], first))
    return origin.form, change.replace(source, betas.elts[0], decimal(value))


def _of_groups(index: Index, found: Found, argument: str, number: Number) -> tuple[Splice, ...]:
    """Splices for parameter groups that have a value of their own, and the rest; none without."""
    splices: list[Splice] = []
    without = False
    for element in _groups(index, found):
        own = entry(index, element, argument)
        if own is None:
            without = True
            continue
        factor = number.as_factor()
        if factor is None:
            raise Refused(Reason.NOT_MEASURED, "The present values of the groups are not known.")
        known = constant(own.node)
        splices += (change.times(own.source, own.node, literal(factor)) if known is None
                    else change.replace(own.source, own.node, decimal(known * factor)))
    if splices and without:
        splices += change.set_argument(
            found.source, found.call, argument, decimal(number.value or 0.0),
            torch_api.position("SGD", argument) if argument == "lr" else None)
    return tuple(splices)


def _groups(index: Index, found: Found) -> list[Origin]:
    """The parameter groups that are written one by one; none if they are not."""
    given = change.argument(found.call, "params", 0)
    here = None if given is None else Origin(found.source, given, Form.CALL)
    if here is not None and isinstance(here.node, ast.Name):
        here = hop(index, here.source, here.node)
    if here is None or not isinstance(here.node, ast.List | ast.Tuple):
        return []
    return [Origin(here.source, each, Form.DICTIONARY) for each in here.node.elts]


def write_group_rate(edit: GroupRate, record: Record, index: Index) -> list[Patch]:
    """At the rate that the group is given."""
    groups = _groups(index, construction(record, index, edit.optimizer))[:edit.group + 1]
    written = len(groups) > edit.group and not any(
        isinstance(each.node, ast.Starred) for each in groups)
    own = entry(index, groups[-1], "lr") if written else None
    if own is None:
        raise Refused(Reason.UNKNOWN_FORM, "The learning rate of the parameter group is not "
                      "written out.")
    return [Patch(edit, change.replace(own.source, own.node, decimal(edit.value)), Form.GROUPS)]


def ways_of_argument(
    index: Index, found: Found, kind: str, argument: str, number: Number, several: bool = False,
) -> list[tuple[Form, tuple[Splice, ...]]]:
    """How to change an argument that a call passes, or what it unpacks; none if it passes neither.

    `several` says that the place ran with several values.
    """
    source, call = found.source, found.call
    now = change.argument(call, argument, torch_api.position(kind, argument))
    if now is not None:
        return [(way.form, way.splices) for way in ways(index, source, now, number, several)]
    settings = next((each.value for each in call.keywords if each.arg is None), None)
    return [] if settings is None else _unpacked(
        index, source, call, settings, argument, number, several)


def _unpacked(
    index: Index, source: Source, call: ast.Call, settings: ast.expr, argument: str,
    number: Number, several: bool,
) -> list[tuple[Form, tuple[Splice, ...]]]:
    """For arguments that come as **settings: in the dictionary, or over it at the call."""
    found: list[tuple[Form, tuple[Splice, ...]]] = []
    passed = None if several else _passed_on(index, source, call, settings, argument)
    if passed is not None:
        found += [(Form.ARGUMENT if way.form is Form.LITERAL else way.form, way.splices)
                  for way in ways(index, passed.source, passed.node, number)]
    holder = settled(index, source, settings)
    held = None if holder is None else entry(index, holder, argument)
    if held is not None and not several:
        for way in ways(index, held.source, held.node, number):
            found.append((Form.DICTIONARY if way.form is Form.LITERAL else way.form, way.splices))
    lacks = holder is not None and held is None and isinstance(holder.node, ast.Dict) and (
        None not in holder.node.keys)
    if lacks and not several:
        return [(Form.LITERAL, change.set_argument(
            source, call, argument, number.text(None)))]
    text = source.code(settings)
    value = number.text(None)
    if several:
        factor = number.as_factor()
        if factor is None:
            raise Refused(Reason.SEVERAL_VALUES, "This line ran with several values.")
        value = f'{literal(factor)} * {change.operand(source, settings)}["{argument}"]'
    found.append((Form.FACTOR if several else Form.CALL, change.replace(
        source, settings, f'{{**{text}, "{argument}": {value}}}')))
    return found


def _passed_on(index: Index, source: Source, call: ast.Call, settings: ast.expr,
               argument: str) -> Origin | None:
    """What the only caller of a function passes among the **options that it hands on."""
    function = source.function(call)
    if function is None or function.args.kwarg is None or names.dotted(settings) != (
            function.args.kwarg.arg):
        return None
    callers = index.callers(source, function)
    if len(callers) != 1:
        return None
    where, outer = callers[0]
    value = change.argument(outer, argument)
    return None if value is None else Origin(where, value, Form.ARGUMENT)


def write_swap(edit: SwapOptimizer, record: Record, index: Index) -> list[Patch]:
    """Another class at the construction, over the same parameters."""
    found = construction(record, index, edit.optimizer)
    given = change.argument(found.call, "params", 0)
    if given is None:
        raise Refused(Reason.UNKNOWN_FORM, "The parameters are not passed as an argument of their "
                      "own.")
    name, needs = spell(index, found.source, f"torch.optim.{edit.by}")
    written = f"{name}({found.source.code(given)}, lr={decimal(edit.rate)})"
    return [Patch(edit, change.replace(found.source, found.call, written), Form.CALL, needs, (
        Check("optimizer.kind", edit.optimizer, edit.by),))]


WRITERS = {OptimizerArgument: write_argument, GroupRate: write_group_rate,
           SwapOptimizer: write_swap}
