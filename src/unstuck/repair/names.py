"""Who binds a name and who uses it, within one source."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from unstuck.repair.text import Function, Source

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Kind(StrEnum):
    """How a name gets its value."""

    ASSIGNED = "assigned"  # value is known as an expression
    PARAMETER = "parameter"
    LOOP = "loop"  # another value in each turn
    IMPORTED = "imported"
    DEFINED = "defined"  # a function or a class
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Binding:
    """A place that gives a name its value."""

    kind: Kind
    scope: Scope
    node: ast.AST
    value: ast.expr | None = None


def scope_of(source: Source, node: ast.AST) -> Scope:
    """The scope in which a name at a node is looked up first."""
    inner = node
    for outer in source.ancestors(node):
        if isinstance(outer, Function | ast.ClassDef):
            if any(inner is each for each in outer.body):
                return outer
        elif isinstance(outer, ast.Lambda):
            if inner is outer.body:
                return outer
        elif isinstance(outer, ast.Module):
            return outer
        elif isinstance(outer, ast.arguments):
            continue  # defaults belong to the scope around the function
        inner = outer
    return source.tree


def around(source: Source, node: ast.AST) -> Iterator[Scope]:
    """The scopes in which a name at a node is looked up, innermost first."""
    scope = scope_of(source, node)
    yield scope
    while not isinstance(scope, ast.Module):
        scope = scope_of(source, scope)
        if not isinstance(scope, ast.ClassDef):
            yield scope


def inside(scope: Scope) -> Iterator[ast.AST]:
    """The nodes of a scope itself, without those of functions and classes in it."""
    parts: list[ast.AST] = [scope.body] if isinstance(scope, ast.Lambda) else list(scope.body)
    while parts:
        node = parts.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(node, Function | ast.ClassDef) and any(child is e for e in node.body):
                continue
            if not isinstance(child, ast.Lambda):
                parts.append(child)


def bindings(source: Source, scope: Scope, name: str) -> list[Binding]:
    """All places in a scope that bind a name."""
    found: list[Binding] = []
    if isinstance(scope, Function | ast.Lambda):
        found += [Binding(Kind.PARAMETER, scope, each) for each in parameters(scope)
                  if each.arg == name]
    for node in inside(scope):
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            found.append(_bound(source, scope, node))
        elif isinstance(node, Function | ast.ClassDef) and node.name == name:
            found.append(Binding(Kind.DEFINED, scope, node))
        elif isinstance(node, ast.alias) and (node.asname or node.name.partition(".")[0]) == name:
            found.append(Binding(Kind.IMPORTED, scope, node))
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and (
                node.name == name):
            found.append(Binding(Kind.OTHER, scope, node))
    if isinstance(scope, ast.Module):  # functions that bind it by `global`
        found += [Binding(Kind.OTHER, scope, node) for node in ast.walk(scope)
                  if isinstance(node, ast.Global) and name in node.names]
    return found


def parameters(function: Function | ast.Lambda) -> list[ast.arg]:
    """All parameters that take one value, in order."""
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def default(function: Function | ast.Lambda, name: str) -> ast.expr | None:
    """The default value of a parameter."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    pairs = [*zip(reversed(positional), reversed(given.defaults), strict=False),
             *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return next((value for each, value in pairs if each.arg == name), None)


def _bound(source: Source, scope: Scope, node: ast.Name) -> Binding:
    parent = source.parents[node]
    match parent:
        case ast.Assign(targets=[target]) if target is node:
            return Binding(Kind.ASSIGNED, scope, node, parent.value)
        case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
            return Binding(Kind.ASSIGNED, scope, node, value)
        case ast.AnnAssign():
            return Binding(Kind.OTHER, scope, node)
        case ast.Tuple(elts=elements):
            assigned = source.parents[parent]
            if isinstance(assigned, ast.Assign) and len(assigned.targets) == 1 and isinstance(
                    assigned.value, ast.Tuple) and len(assigned.value.elts) == len(elements):
                index = next(i for i, each in enumerate(elements) if each is node)
                return Binding(Kind.ASSIGNED, scope, node, assigned.value.elts[index])
    if any(isinstance(a, ast.For | ast.AsyncFor | ast.comprehension) and _within(
            source, node, a.target) for a in source.ancestors(node)):
        return Binding(Kind.LOOP, scope, node)
    return Binding(Kind.OTHER, scope, node)


def _within(source: Source, node: ast.AST, outer: ast.AST) -> bool:
    return node is outer or any(a is outer for a in source.ancestors(node))


def resolve(source: Source, node: ast.AST, name: str) -> list[Binding]:
    """All places that bind a name as it is meant at a node; none if they are elsewhere."""
    for outer in source.ancestors(node):
        if isinstance(outer, _COMPREHENSIONS) and any(
                isinstance(each, ast.Name) and each.id == name
                for g in outer.generators for each in ast.walk(g.target)):
            return [Binding(Kind.LOOP, scope_of(source, node), outer)]
        if isinstance(outer, Function | ast.Lambda | ast.ClassDef):
            break
    for scope in around(source, node):
        found = bindings(source, scope, name)
        if found:
            return found
    return []


def uses(source: Source, scope: Scope, name: str) -> list[ast.Name]:
    """All places that read a name as it is bound in a scope."""
    return [
        node for node in ast.walk(scope)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        and any(each.scope is scope for each in resolve(source, node, name))
    ]


def given_before(source: Source, node: ast.Name) -> ast.expr | None:
    """The expression whose value a name certainly has at a node: the last assignment before it.

    It stands in a block around the node, and nothing between the two, in no turn of a loop around
    the node, can bind the name anew.
    """
    scope = scope_of(source, node)
    held = [each.node for each in bindings(source, scope, node.id)]
    inner: ast.AST = node
    for outer in source.ancestors(node):
        for block in blocks(outer):
            place = next((i for i, each in enumerate(block) if each is inner), None)
            for statement in reversed(block[:place] if place is not None else ()):
                match statement:
                    case ast.Assign(targets=[ast.Name(id=node.id)], value=value):
                        return value
                    case ast.AnnAssign(target=ast.Name(id=node.id), value=ast.expr() as value):
                        return value
                if any(_within(source, each, statement) for each in held):
                    return None
        if outer is scope or (isinstance(outer, ast.For | ast.AsyncFor | ast.While) and any(
                _within(source, each, outer) for each in held)):
            return None
        inner = outer
    return None


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that a node holds."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def shown(source: Source, node: ast.AST) -> bool:
    """Whether an expression is only shown: in print, an f-string, a logger's call."""
    for outer in source.ancestors(node):
        if isinstance(outer, ast.JoinedStr):
            return True
        if isinstance(outer, ast.Call) and called(outer) in (
                "print", "info", "debug", "log", "warning", "format", "write", "set_description"):
            return True
        if isinstance(outer, ast.stmt):
            return False
    return False


def called(call: ast.Call) -> str:
    """The last name of what a call calls: "SGD" of torch.optim.SGD(...)."""
    return last_name(call.func)


def only_calls(node: ast.AST, functions: Collection[str]) -> bool:
    """Whether a node is a statement that calls one of these functions and does nothing else."""
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            and called(node.value) in functions)


def last_name(node: ast.expr) -> str:
    """The last name of a dotted one, "" if it is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.expr) -> str:
    """A dotted name as it stands: "torch.optim.SGD", "" for anything else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def added(statement: ast.stmt, node: ast.expr) -> ast.expr:
    """What `total = total + x` adds, of its right side; any other expression as it is."""
    if isinstance(statement, ast.Assign) and statement.value is node and (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
            and dotted(node.left) and dotted(node.left) == dotted(statement.targets[0])):
        return node.right
    return node
