"""What is built in a loop, built before it."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index, Loop
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Function, Source, Splice
from unstuck.schema.edits import BuildOnce

# How the names of schedulers end.
_SCHEDULERS = ("LR", "Scheduler", "Plateau", "Restarts")


def write_build_once(edit: BuildOnce, record: Record, index: Index) -> list[Patch]:
    """The statement in front of the outermost loop around it, or of the call of its function."""
    found = index.at(edit.at, "the construction of the optimizer")
    statement, source = found.statement, found.source
    if not (isinstance(statement, ast.Assign) and statement.value is found.node
            and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)):
        raise Refused(Reason.UNKNOWN_FORM, "The optimizer has no name where it is constructed.")
    loop = _outermost(source, found.node)
    if loop is None:
        return [Patch(edit, _as_argument(found, statement, statement.targets[0].id, index),
                      Form.STATEMENT)]
    moved = [statement, *_schedulers(source, statement, statement.targets[0].id)]
    made = names_made(loop)
    for each in moved:
        _check(each, made - {statement.targets[0].id})
    code = "\n".join(source.code(each) for each in moved)
    gone = [splice for each in moved for splice in change.remove(source, each)]
    return [Patch(edit, (*change.before(source, loop, code), *gone), Form.STATEMENT)]


def _outermost(source: Source, node: ast.AST) -> Loop | None:
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
    loop = _outermost(where, call)
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
