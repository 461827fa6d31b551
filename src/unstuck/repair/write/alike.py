"""Held-out inputs prepared as the training inputs are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import permutations

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import constructor
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Function, Source, Splice
from unstuck.schema.edits import PrepareAlike

# What these make of the training inputs is what the held-out ones are prepared with, too.
_STATISTICS = ("mean", "std", "var", "median", "min", "max", "amin", "amax", "quantile", "norm")
_FITS = "fit_transform"
_CHANCE = re.compile(r"rand|rng|choice|shuffle|perm|sample|noise|uniform|normal_|jitter|augment|"
                     r"flip|crop|transform", re.IGNORECASE)


def write_alike(edit: PrepareAlike, record: Record, index: Index) -> list[Patch]:
    """What one part of a split lacks; a scaler that is fitted twice is fitted once; what is missing
    is written beside it.
    """
    left_out = [each for source in index.sources.values() for each in _left_out(source)]
    if len(left_out) == 1:
        return [Patch(edit, left_out[0], Form.DATA)]
    trained, held_out = ([index.at(each, "the preprocessing") for each in places]
                         for places in (edit.trained, edit.held_out))
    fitted, again = ([each for each in places if _fits(each)] for places in (trained, held_out))
    if len(fitted) == len(again) == 1:
        return [Patch(edit, _fitted_once(index, fitted[0], again[0]), Form.DATA)]
    if edit.built is not None:
        sets = [index.at(each, "the data set") for each in edit.built]
        splices = _arguments(index, *sets)
        if splices:
            return [Patch(edit, splices, Form.DATA)]
        for source, branch in _of_training(index, *sets):
            return [_in_both(edit, source, branch)]
    splices = _as_trained(trained, held_out) or _not_of_their_own(index)
    if splices:
        return [Patch(edit, splices, Form.DATA)]
    variable = edit.variable or next(
        (each for found in reversed(held_out) if (each := _given(found)) is not None), None)
    if not trained or variable is None:
        raise Refused(Reason.UNKNOWN_FORM, "What prepares the training inputs alone, or which "
                      "variable holds the held-out inputs, is not known.")
    written: list[Splice] = []
    taken = next((each for each in held_out if _given(each) == variable), None)
    for found in reversed(trained):
        given = _given(found)
        if given is not None and taken is not None and given != _target(found):
            written += _within(found, given, taken, variable)
        else:
            written += _beside(found, variable)
    return [Patch(edit, tuple(written), Form.DATA)]


def _as_trained(trained: list[Found], held_out: list[Found]) -> tuple[Splice, ...]:
    """The formula that scales the training inputs, in the place of another one for held-out inputs.

    Whatever else it reads must be known there, as the statistics of a variable of the module are.
    """
    ours, theirs = ([each for each in places if isinstance(each.node, ast.BinOp)]
                    for places in (trained, held_out))
    if len(ours) != 1 or len(theirs) != 1:
        return ()
    one, other = ours[0], theirs[0]
    taken = {each.id for each in _names_of(other.expression)}
    scaled = [each for each in _names_of(one.expression)
              if each.id in taken or not _is_known(other, each)]
    if len(taken) != 1 or len({each.id for each in scaled}) != 1 or any(
            _is_described(one.source.parents.get(each), each) for each in scaled):
        return ()
    return change.replace(other.source, other.node, _for(one, scaled, *taken))


def _not_of_their_own(index: Index) -> tuple[Splice, ...]:
    """What one call of a function is given as statistics, in the place of those that another call
    takes of the samples that it is given.
    """
    found: list[tuple[Splice, ...]] = []
    for source, node in index.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        own = [place for place, each in enumerate(node.args) if isinstance(each, ast.Call)
               and isinstance(each.func, ast.Attribute) and each.func.attr in _STATISTICS
               and any(ast.unparse(each.func.value) == ast.unparse(other) for other in node.args)]
        others = [call for where, call in index.calls(names.called(node))
                  if where is source and call is not node and len(call.args) == len(node.args)]
        if own and len(others) == 1 and not any(
                isinstance(others[0].args[place], ast.Call) for place in own):
            found.append(tuple(splice for place in own for splice in change.replace(
                source, node.args[place], source.code(others[0].args[place]))))
    return found[0] if len(found) == 1 else ()


def _left_out(source: Source) -> Iterator[tuple[Splice, ...]]:
    """What is made of one part of a split, and left out where the other part is treated alike.

    As in `a = log(r); x = scale(a); x_val = scale(r_val)`, where `r, r_val` are split.
    """
    assigned = [(node.targets[0].id, node.value) for node in source.nodes.get(ast.Assign, ())
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    split = [{each.id for each in node.targets[0].elts if isinstance(each, ast.Name)}
             for node in source.nodes.get(ast.Assign, ())
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)]
    alike: dict[tuple[str, ...], list[ast.expr]] = {}
    for _, value in assigned if split else ():
        alike.setdefault(_form(value), []).append(value)
    for one, other in (pair for each in alike.values() for pair in permutations(each, 2)):
        differ = [(a.id, b) for a, b in zip(_names_of(one), _names_of(other), strict=True)
                  if a.id != b.id]
        if len(differ) != 1:
            continue
        name, taken = differ[0]
        for made in (value for target, value in assigned if target == name):
            own = [each for each in _names_of(made) if each.id != taken.id
                   and any({each.id, taken.id} <= parts for parts in split)]
            if own and source.function(made) is source.function(other):
                yield change.replace(source, taken, _for(Found(source, made), own, taken.id))


def _names_of(expression: ast.expr) -> list[ast.Name]:
    return [each for each in ast.walk(expression) if isinstance(each, ast.Name)]


def _form(expression: ast.expr) -> tuple[str, ...]:
    """What an expression is made of, whatever its variables are called."""
    return tuple(str(each.value) if isinstance(each, ast.Constant) else
                 each.attr if isinstance(each, ast.Attribute) else type(each).__name__
                 for each in ast.walk(expression))


def _fits(found: Found) -> bool:
    return isinstance(found.node, ast.Call) and names.called(found.node) == _FITS


def _scaler(found: Found) -> str:
    """The object that is fitted; empty if it has no name."""
    function = found.call.func
    return names.dotted(function.value) if isinstance(function, ast.Attribute) else ""


def _fitted_once(index: Index, one: Found, other: Found) -> tuple[Splice, ...]:
    """The scaler that was fitted to the training inputs, in the place of one that is fitted anew.

    One without a name gets one where it is made.
    """
    source, made = one.source, one.call.func
    if other.source is not source or source.function(other.node) is not source.function(
            one.node) or source.span(other.node)[0] < source.span(one.node)[0] or (
            not isinstance(made, ast.Attribute)):
        raise Refused(Reason.UNKNOWN_FORM, "The two scalers are not fitted one after the other.")
    name = _scaler(one)
    named: tuple[Splice, ...] = ()
    if not name:
        name = free_name(index, source, "scaler")
        named = change.replace(source, made.value, f"({name} := {source.code(made.value)})")
    return (*named, *change.replace(source, other.call.func, f"{name}.transform"))


def _given(found: Found) -> str | None:
    """The variable that a call is given first."""
    given = found.node.args[:1] if isinstance(found.node, ast.Call) else []
    return given[0].id if given and isinstance(given[0], ast.Name) else None


def _arguments(index: Index, trained: Found, held_out: Found) -> tuple[Splice, ...]:
    """What only the data set of training is given, and a transform that it is given of its own."""
    source = held_out.source
    if not (isinstance(trained.node, ast.Call) and isinstance(held_out.node, ast.Call)) or (
            names.dotted(trained.node.func) != names.dotted(held_out.node.func)):
        return ()
    made = constructor(index, names.called(trained.node))
    declared = [each.arg for each in made[1].args.args][1:] if made is not None else []
    ours, theirs = (_passed(each, declared) for each in (trained.node, held_out.node))
    splices: list[Splice] = []
    for name, value in ours.items():
        if isinstance(value, ast.Constant | ast.Subscript) or not _is_known(held_out, value):
            continue
        code, other = trained.source.code(value), theirs.get(name)
        if other is None:
            splices += change.set_argument(source, held_out.call, name, code)
        elif "transform" in name and source.code(other) != code:
            splices += change.replace(source, other, code)
    for name in _optional(made[1]) if made is not None and not splices else ():
        if name not in theirs and (made_for := _of_trained(trained, held_out, name)) is not None:
            splices += change.set_argument(source, held_out.call, name, made_for)
    return tuple(splices)


def _optional(function: Function) -> list[str]:
    """The parameters that are None where a function is given none."""
    return [each.arg for each in names.parameters(function)
            if isinstance(value := names.default(function, each.arg), ast.Constant)
            and value.value is None]


def _of_trained(trained: Found, held_out: Found, name: str) -> str | None:
    """What the data set of training has made for a parameter: a variable, or its attribute where
    that is asked for.
    """
    source, data = held_out.source, _target(trained)
    if trained.source is not source or data is None:
        return None
    made = [source.statement(each.node) for each in names.resolve(source, held_out.node, name)]
    if any(isinstance(each, ast.Assign) and data in {x.id for x in _names_of(each.value)}
           and source.span(each)[0] < source.span(held_out.node)[0] for each in made):
        return name
    asked = {names.dotted(each.left).removeprefix("self.")
             for each in source.nodes.get(ast.Compare, ())
             if isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.Is | ast.IsNot)}
    kept = any(isinstance(each, ast.Attribute) and names.dotted(each) == f"self.{name}"
               and isinstance(each.ctx, ast.Store) for each in source.nodes.get(ast.Attribute, ()))
    return f"{data}.{name}" if kept and name in asked else None


def _of_training(index: Index, trained: Found, held_out: Found
                 ) -> Iterator[tuple[Source, ast.If]]:
    """What a data set or a function does only where it is told that it is for training."""
    if not (isinstance(trained.node, ast.Call) and isinstance(held_out.node, ast.Call)):
        return
    called = names.called(trained.node)
    known = index.functions(called)
    if called != names.called(held_out.node) or len(known) != 1:
        return
    source, function = known[0]
    own = function.name == "__init__" and source.class_of(function)
    declared = [each.arg for each in function.args.args][1 if own else 0:]
    ours, theirs = (_passed(each, declared) for each in (trained.node, held_out.node))
    for branch in source.nodes.get(ast.If, ()):
        assert isinstance(branch, ast.If)
        inside = source.class_of(branch) is own if own else source.function(branch) is function
        name = names.dotted(branch.test).removeprefix("self." if own else "")
        if inside and not branch.orelse and _is_true(ours.get(name)) and not _is_true(
                theirs.get(name)):
            yield source, branch


def _is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _in_both(edit: PrepareAlike, source: Source, branch: ast.If) -> Patch:
    """Without the condition what is computed, up to the first statement that chance plays into."""
    drawn = next((place for place, each in enumerate(branch.body) if _is_drawn(each)), None)
    moved = branch.body[:drawn]
    made = next((each for each in reversed(moved) if isinstance(each, ast.Assign)), None)
    if made is None:
        raise Refused(Reason.UNKNOWN_FORM, "What is done for training alone begins with chance.")
    start = source.statement_start(moved[0])
    inner, outer = (len(source.indentation(each))
                    for each in (start, source.statement_start(branch)))
    lines = source.text[start:source.line_stop(source.span(moved[-1])[1])].splitlines()
    code = [lines[0], *(each[inner - outer:] for each in lines[1:])]
    splices = change.replace(source, branch, source.line_end.join(code)) if drawn is None else (
        *change.before(source, branch, "\n".join(each[outer:] if place else each
                                                 for place, each in enumerate(code))),
        *(splice for each in moved for splice in change.remove(source, each)))
    return Patch(edit, splices, Form.DATA, at=source.location(*source.span(made)))


def _is_drawn(statement: ast.stmt) -> bool:
    """Whether a statement calls what draws by chance, or transforms samples by name."""
    return any(_CHANCE.search(names.dotted(each.func)) for each in ast.walk(statement)
               if isinstance(each, ast.Call))


def _passed(call: ast.Call, declared: list[str]) -> dict[str, ast.expr]:
    """The arguments of a call by their names, as far as they are known."""
    return {**dict(zip(declared, call.args, strict=False)),
            **{each.arg: each.value for each in call.keywords if each.arg}}


def _is_known(found: Found, value: ast.expr) -> bool:
    """Whether all names of an expression of another place are known here, too."""
    return all(names.resolve(found.source, found.node, each.id)
               for each in ast.walk(value) if isinstance(each, ast.Name))


def _target(found: Found) -> str | None:
    """The variable that a statement gives a value."""
    target = found.statement.targets[0] if isinstance(found.statement, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else None


def _for(found: Found, own: list[ast.Name], variable: str) -> str:
    """The expression with another variable at some places, and with a scaler as it was fitted."""
    source = found.source
    put = {source.span(each): variable for each in own}
    if _fits(found):
        if not _scaler(found):
            raise Refused(Reason.UNKNOWN_FORM, "The scaler that is fitted has no name.")
        put[source.span(found.call.func)] = f"{_scaler(found)}.transform"
    return change.with_texts(source, found.node, put)


def _within(found: Found, given: str, taken: Found, variable: str) -> tuple[Splice, ...]:
    """What a call makes of training inputs, around the held-out ones where they are taken."""
    source, place = found.source, taken.call.args[0]
    if taken.source is not source or source.span(place)[0] < source.span(found.node)[0] or (
            source.function(place) is not source.function(found.node)):
        raise Refused(Reason.UNKNOWN_FORM, "The held-out inputs are taken before, or elsewhere.")
    own = [each for each in ast.walk(found.node) if isinstance(each, ast.Name) and each.id == given]
    return change.replace(source, place, _for(found, own, variable))


def _beside(found: Found, variable: str) -> tuple[Splice, ...]:
    """The statement that prepares training inputs, for the held-out ones.

    It comes in front where it needs the training inputs as they were.
    """
    source, statement = found.source, found.statement
    bound = [each for each in names.resolve(source, statement, variable)
             if isinstance(each.node, ast.expr | ast.stmt)
             and source.span(each.node)[0] < source.span(statement)[0]]
    own = [each for each in ast.walk(found.node)
           if isinstance(each, ast.Name) and each.id == _target(found)]
    if not own or not bound:
        raise Refused(Reason.UNKNOWN_FORM, "The statement that prepares the training inputs does "
                      "not give their variable a new value beside that of the held-out inputs.")
    plain = [each for each in own if not _is_described(source.parents.get(each), each)]
    place = change.after if len(plain) == len(own) else change.before
    return place(source, statement, f"{variable} = {_for(found, plain, variable)}")


def _is_described(parent: ast.AST | None, node: ast.Name) -> bool:
    """Whether a name stands where a statistic of it is taken."""
    if isinstance(parent, ast.Attribute):
        return parent.attr in _STATISTICS
    return isinstance(parent, ast.Call) and node in parent.args and (
        names.called(parent) in _STATISTICS)


WRITERS = {PrepareAlike: write_alike}
