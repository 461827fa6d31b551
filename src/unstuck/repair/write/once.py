"""What is built in a loop, built before it."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index, Loop, methods
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Function, Source, Splice, apply
from unstuck.schema.edits import BuildOnce

# How the names of schedulers end.
_SCHEDULERS = ("LR", "Scheduler", "Plateau", "Restarts")


def write_build_once(edit: BuildOnce, record: Record, index: Index) -> list[Patch]:
    """The statement in front of the outermost loop around it, or of the call of its function.

    A method's becomes an attribute that the constructor sets, a property one that is kept. What a
    factory returns is built where its only caller calls it.
    """
    found = _by_its_caller(index, index.at(edit.at, "the construction of the optimizer"))
    statement, source = found.statement, found.source
    for kept in (_kept_property(edit, found, index), _with_a_name(edit, found, index)):
        if kept is not None:
            return [kept]
    if not (isinstance(statement, ast.Assign) and statement.value is found.node
            and len(statement.targets) == 1 and names.dotted(statement.targets[0])):
        raise Refused(Reason.UNKNOWN_FORM, "The optimizer has no name where it is constructed.")
    held = names.dotted(statement.targets[0])
    loop = outermost(source, found.node)
    if loop is None and _is_method(source, source.function(found.node)):
        again = _called_again(found, index)
        if again:
            return [Patch(edit, again, Form.STATEMENT)]
        return [Patch(edit, _in_another_method(found, statement, held), Form.STATEMENT)]
    if "." in held and loop is None:
        raise Refused(Reason.UNKNOWN_FORM, "The optimizer has no name of its own where it is "
                      "constructed.")
    if loop is None:
        return [Patch(edit, _as_argument(found, statement, held, index), Form.STATEMENT)]
    before = _needed(source, statement) if edit.model else []
    moved = [*before, statement, *_schedulers(source, statement, held)]
    made = names_made(loop) - {names.dotted(each.targets[0]) for each in before}
    for each in moved:
        _check(each, made - {held})
    code = "\n".join(source.code(each) for each in moved)
    gone = [splice for each in moved for splice in change.remove(source, each)]
    here = Patch(edit, (*change.before(source, loop, code), *gone), Form.STATEMENT)
    if len(moved) > 1 or "." in held:
        return [here]
    try:  # a function that is called for each epoch builds it anew all the same
        return [Patch(edit, _as_argument(found, statement, held, index), Form.ARGUMENT), here]
    except Refused:
        return [here]


def _kept_property(edit: BuildOnce, found: Found, index: Index) -> Patch | None:
    """A property that keeps what it returned at first; it is read where the optimizer is used."""
    source, node = found.source, found.node
    outer = source.class_of(node)
    if not isinstance(node, ast.Attribute) or outer is None or names.dotted(node.value) != "self":
        return None
    for each in (each for method in methods(outer, node.attr) for each in method.decorator_list):
        if names.dotted(each) == "property":
            known = index.spelled(source, "functools.cached_property")
            name = known or "cached_property"
            needs = () if known else (Need(source.name, name, f"from functools import {name}"),)
            return Patch(edit, change.replace(source, each, name), Form.CALL, needs)
    return None


def _with_a_name(edit: BuildOnce, found: Found, index: Index) -> Patch | None:
    """What is built inside another expression in a loop gets a name in front of that loop."""
    source, statement = found.source, found.statement
    loop = outermost(source, found.node)
    if loop is None or not isinstance(found.node, ast.expr) or (
            isinstance(statement, ast.Assign) and statement.value is found.node) or (
            _names_read(found.node) & names_made(loop)):
        return None
    name = free_name(index, source, "optimizer")
    return Patch(edit, (*change.before(source, loop, f"{name} = {source.code(found.node)}"),
                        *change.replace(source, found.node, name)), Form.STATEMENT)


def _needed(source: Source, statement: ast.Assign) -> list[ast.Assign]:
    """The statements before one in its body that make what it reads, and what these read."""
    found: list[ast.Assign] = []
    wanted = _names_read(statement.value)
    for each in reversed(source.body(statement)[:source.body(statement).index(statement)]):
        if isinstance(each, ast.Assign) and len(each.targets) == 1 and (
            names.dotted(each.targets[0]) in wanted
        ):
            found.insert(0, each)
            wanted |= _names_read(each.value)
    return found


def _by_its_caller(index: Index, found: Found, deepest: int = 3) -> Found:
    """The only call of the factory that returns what is constructed, else the construction."""
    source, function = found.source, found.source.function(found.node)
    returned = isinstance(found.statement, ast.Return) and found.statement.value is found.node
    callers = index.callers(source, function) if returned and function is not None else []
    if len(callers) != 1 or not deepest:
        return found
    return _by_its_caller(index, Found(*callers[0]), deepest - 1)


def _is_method(source: Source, function: Function | None) -> bool:
    return (function is not None and bool(function.args.args)
            and isinstance(source.parents.get(function), ast.ClassDef)
            and not any(names.last_name(each) in ("staticmethod", "classmethod")
                        for each in function.decorator_list))


def _called_again(found: Found, index: Index) -> tuple[Splice, ...]:
    """Without the calls of a method that builds the optimizer, but that of the constructor; nothing
    if the constructor does not call it."""
    source, function = found.source, found.source.function(found.node)
    assert function is not None
    calls = [(where, where.statement(call), where.function(call))
             for where, call in index.callers(source, function)]
    again = [(where, each) for where, each, caller in calls
             if caller is None or caller.name != "__init__" or where is not source
             or source.class_of(caller) is not source.class_of(found.node)]
    if len(again) == len(calls) or not all(isinstance(each, ast.Expr) for _, each in again):
        return ()
    return tuple(splice for where, each in again for splice in change.remove(where, each))


def _in_another_method(found: Found, statement: ast.Assign, held: str) -> tuple[Splice, ...]:
    """At the end of a class's constructor, where all that it needs is an attribute from there; else
    of the one other method that sets such attributes."""
    source, function = found.source, found.source.function(found.node)
    outer = source.class_of(found.node)
    assert function is not None
    assert outer is not None
    own = function.args.args[0].arg
    if _schedulers(source, statement, held):
        raise Refused(Reason.UNKNOWN_FORM, "A scheduler is built with the optimizer each time.")
    for name in sorted(_names_read(statement.value) - {own}):
        if names.bindings(source, function, name):
            raise Refused(Reason.UNKNOWN_FORM, f"The optimizer needs {name}, which only "
                          f"{function.name} knows.")
    place = _place(outer, function, statement.value, own)
    first = place.args.args[0].arg
    start, end = source.span(statement.value)
    code = apply(source.text[start:end], [
        Splice(source.name, left - start, right - start, first)
        for left, right in map(source.span, _of_self(statement.value, own))])
    if held.startswith(f"{own}.") and held.count(".") == 1:
        attribute, use = held.partition(".")[2], change.remove(source, statement)
    else:
        taken = {node.attr for node in ast.walk(outer) if isinstance(node, ast.Attribute)}
        attribute = held if held not in taken and not methods(outer, held) else f"kept_{held}"
        use = change.replace(source, statement.value, f"{own}.{attribute}")
    line, last = f"{first}.{attribute} = {code}", place.body[-1]
    built = (change.before(source, last, line) if isinstance(last, ast.Return)
             else change.at_end(source, place.body, line))
    return (*built, *use)


def _place(outer: ast.ClassDef, function: Function, value: ast.expr, own: str) -> Function:
    """The method behind which all attributes that an expression needs are set for good.

    Raises:
        Refused: there is none.
    """
    others = [each for each in outer.body if isinstance(each, Function)
              and each is not function and each.args.args]
    constructor = [each for each in others if each.name == "__init__"]
    refused: Refused | None = None
    for place in (*constructor, *(each for each in others if each not in constructor)):
        if place not in constructor and not any(
                isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                for node in ast.walk(place)):
            continue
        try:
            _check_attributes(outer, [*constructor, place], value, own)
        except Refused as why:
            refused = refused or why
        else:
            return place
    raise refused or Refused(Reason.UNKNOWN_FORM, "The class that builds the optimizer in a method "
                             "has no constructor of its own.")


def _of_self(value: ast.expr, own: str) -> list[ast.Name]:
    """The places in an expression that name the object itself, in their order."""
    return sorted((node for node in ast.walk(value) if isinstance(node, ast.Name)
                   and node.id == own), key=lambda node: (node.lineno, node.col_offset))


def _names_read(value: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)} - {
        node.id for node in ast.walk(value)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _check_attributes(outer: ast.ClassDef, makers: list[Function], value: ast.AST, own: str,
                      seen: frozenset[str] = frozenset()) -> None:
    """Refuses attributes that these methods do not set, or that something sets again."""
    for node in ast.walk(value):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                and node.value.id == own and isinstance(node.ctx, ast.Load)):
            continue
        called = methods(outer, node.attr)
        if called:
            if node.attr not in seen and called[0].args.args:
                _check_attributes(outer, makers, called[0], called[0].args.args[0].arg,
                                  seen | {node.attr})
            continue
        given = [each for method in outer.body if isinstance(method, Function)
                 for each in ast.walk(method) if isinstance(each, ast.Attribute)
                 and each.attr == node.attr and not isinstance(each.ctx, ast.Load)]
        early = [each for maker in makers for each in ast.walk(maker) if each in given]
        if not early or len(set(early)) < len(given):
            raise Refused(Reason.UNKNOWN_FORM, f"The optimizer needs {own}.{node.attr}, which is "
                          "not set by the constructor alone.")


def outermost(source: Source, node: ast.AST) -> Loop | None:
    """The outermost loop around a node within its own function."""
    found: Loop | None = None
    for outer in source.ancestors(node):
        if isinstance(outer, Function | ast.ClassDef):
            break
        if isinstance(outer, Loop):
            found = outer
    return found


def _schedulers(source: Source, statement: ast.stmt, name: str) -> list[ast.stmt]:
    """The schedulers that are built of the optimizer beside it."""
    return [each for each in source.body(statement)
            if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call)
            and names.called(each.value).endswith(_SCHEDULERS)
            and each.value.args and names.dotted(each.value.args[0]) == name]


def names_made(loop: ast.AST) -> set[str]:
    """The names that a loop gives values to."""
    return {node.id for node in ast.walk(loop)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _check(statement: ast.stmt, made: set[str]) -> None:
    """Refuses to move a statement that needs what the loop makes."""
    assert isinstance(statement, ast.Assign)
    needed = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
    own = {node.id for node in ast.walk(statement.value)
           if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for name in sorted((needed & made) - own):
        raise Refused(Reason.UNKNOWN_FORM, f"The optimizer needs {name}, which the loop makes in "
                      "each turn.")


def _as_argument(found: Found, statement: ast.stmt, name: str, index: Index) -> tuple[Splice, ...]:
    """The optimizer as an argument of the function that builds it, built by its only caller."""
    source = found.source
    function = source.function(found.node)
    callers = index.callers(source, function) if function is not None else []
    if function is None or len(callers) != 1 or isinstance(
            source.parents.get(function), ast.ClassDef):
        raise Refused(Reason.UNKNOWN_FORM, "The function that builds the optimizer is not a plain "
                      "one with one caller.")
    where, call = callers[0]
    loop = outermost(where, call)
    if loop is None or function.args.vararg or function.args.kwarg or any(
            isinstance(each, ast.Starred) for each in call.args):
        raise Refused(Reason.UNKNOWN_FORM, "The function that builds the optimizer is not called "
                      "in a loop.")
    given = _given(function, call, where)
    text = source.code(found.node)
    start, _ = source.span(found.node)
    made = names_made(loop)
    for node in sorted((n for n in ast.walk(found.node) if isinstance(n, ast.Name)),
                       key=source.span, reverse=True):
        value = given.get(node.id)
        if value is None and names.bindings(source, function, node.id):
            raise Refused(Reason.UNKNOWN_FORM, f"The optimizer needs {node.id}, which only the "
                          "function knows.")
        if (value or node.id).partition(".")[0] in made:
            raise Refused(Reason.UNKNOWN_FORM, f"The optimizer needs {node.id}, which the loop "
                          "makes in each turn.")
        if value is not None:
            left, right = source.span(node)
            text = text[:left - start] + value + text[right - start:]
    held = free_name(index, where, name) if where is not source and names.bindings(
        where, names.scope_of(where, call), name) else name
    last = [*function.args.posonlyargs, *function.args.args][-1:]
    if not last or function.args.kwonlyargs:
        raise Refused(Reason.UNKNOWN_FORM, "The function takes no arguments by position.")
    defaults = [*function.args.defaults]
    position = source.span(last[0])[1] if not defaults else source.span(defaults[-1])[1]
    return (
        *change.before(where, loop, f"{held} = {text}"),
        *change.add_item(where, change.opening(where, call), f"{name}={held}"),
        Splice(source.name, position, position, f", {name}" + ("=None" if defaults else "")),
        *change.remove(source, statement),
    )


def _given(function: Function, call: ast.Call, where: Source) -> dict[str, str]:
    """What a call passes for each parameter, as text; only names and dotted names."""
    found: dict[str, str] = {}
    declared = [each.arg for each in [*function.args.posonlyargs, *function.args.args]]
    for name, value in [*zip(declared, call.args, strict=False),
                        *((k.arg, k.value) for k in call.keywords if k.arg)]:
        if names.dotted(value) or isinstance(value, ast.Constant):
            found[name] = where.code(value)
    for name in declared:
        default = names.default(function, name)
        if name not in found and isinstance(default, ast.Constant):
            found[name] = str(ast.unparse(default))
    return found


WRITERS = {BuildOnce: write_build_once}
