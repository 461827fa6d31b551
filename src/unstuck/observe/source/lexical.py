"""What names stand for in the text of a program, seen from a call that is under way."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Site, Sites, call_at, syntax_tree
from unstuck.schema.places import SourceLocation

Function = ast.FunctionDef | ast.AsyncFunctionDef
Path = tuple[int | str, ...]  # which element of a tuple or a dictionary is meant, outermost first
_DEEPEST = 8  # names that are followed one after another
_KEPT = 256  # scopes whose statements are remembered
_INSIDE = Function | ast.ClassDef | ast.Lambda  # scopes of their own
SHUFFLES = frozenset({"shuffle", "shuffle_"})


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of one of the program's classes, and the call that constructs it, if known."""

    kind: ast.ClassDef
    file: str
    tree: ast.Module
    call: ast.Call | None = None
    at: Point | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """A function of the program, or the top level of a file, and the call of it, if known."""

    sites: Sites
    file: str
    tree: ast.Module
    body: Function | ast.Lambda | ast.Module
    call: ast.Call | None = None
    outer: Point | None = None  # where the call is
    owner: Instance | None = None  # what `self` is

    def top(self) -> Scope:
        """The top level of the file."""
        at = self.outer
        while at is not None:
            if at.scope.body is self.tree:
                return at.scope
            at = at.scope.outer
        return Scope(self.sites, self.file, self.tree, self.tree)


@dataclass(frozen=True, slots=True)
class Point:
    """A line of a scope: what its names stand for is what was bound before."""

    scope: Scope
    line: float


@dataclass(frozen=True, slots=True)
class Binding:
    """A statement that binds a name, or changes what it stands for in place.

    `value` is None for a change; `path` is the element of the value that is meant. The value of a
    loop is what it goes through.
    """

    statement: ast.stmt
    value: ast.expr | None
    path: Path = ()
    loop: bool = False


# The call that is under way -----------------------------------------------------------------------
def call_under_way(sites: Sites, stack: list[Site]) -> tuple[ast.Call, Point] | None:
    """The innermost call of a stack of call sites, and where it is; None if the text lacks it."""
    outer: tuple[ast.Call, Point] | None = None
    for site in reversed(stack):
        code, place = sites.code(site), sites.location(site)
        tree = syntax_tree(code.co_filename)
        if tree is None or place is None:
            return None
        call = call_at(place, nodes_of(tree))
        if code.co_name.startswith("<") and code.co_name != "<module>":  # a comprehension
            if outer is not None and call is not None:
                outer = (call, Point(outer[1].scope, place.line))
            continue
        body = tree if code.co_name == "<module>" else next((
            each for each in nodes_of(tree) if isinstance(each, Function)
            and each.name == code.co_name and code.co_firstlineno in (
                each.lineno, *(d.lineno for d in each.decorator_list))), None)
        if body is None:
            return None
        around = class_around(tree, body)
        owner = Instance(around, code.co_filename, tree) if around is not None else None
        if owner is not None and outer is not None and isinstance(outer[0].func, ast.Attribute):
            owner = instance(outer[0].func.value, outer[1]) or owner
        scope = Scope(sites, code.co_filename, tree, body, outer[0] if outer else None,
                      outer[1] if outer else None, owner)
        outer = (call, Point(scope, place.line)) if call is not None else None
    return outer


def another_call(place: SourceLocation, at: Point) -> tuple[ast.Call, Point] | None:
    """The call at a place in the scope of a point, or in one of those that led to it."""
    for each in _points(at):
        call = call_at(place, own_nodes(each.scope.body))
        if call is not None and each.scope.file == place.file:
            return call, Point(each.scope, call.lineno)
    return None


# Names --------------------------------------------------------------------------------------------
def binding(name: str, at: Point) -> Binding | None:
    """The last statement before a line that binds a name, or changes what it stands for.

    `name` may be an attribute, as "self.x". None if there is none, or if it stands under a
    condition that need not have been met.
    """
    found = bindings(at.scope.body, name)
    before = _before(found, at)
    # A loop may have bound it further down, in its last turn; not before an argument is read.
    last = before[-1] if before else (
        found[-1] if found and name not in _parameters(at.scope.body) else None)
    if last is None or any(
        isinstance(each, ast.If) and not (each.lineno <= at.line <= (each.end_lineno or 0))
        for each in _around(at.scope.body, last.statement)
    ):
        return None
    return last


def _before(found: Sequence[Binding], at: Point) -> list[Binding]:
    """Those of some bindings that come before a line."""
    return [each for each in found if (
        each.statement.lineno < at.line if not each.loop else each.statement.lineno <= at.line)]


@lru_cache(maxsize=_KEPT)
def bindings(body: ast.AST, name: str) -> tuple[Binding, ...]:
    """All statements of a scope that bind a name or change what it stands for, in order."""
    found: list[Binding] = []
    for node in own_nodes(body):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    found += _bound(node, target, value, name)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                found += _bound(node, target, value, name)
            case ast.AugAssign(target=target) if _base(target) == name:
                found.append(Binding(node, None))
            case ast.For(target=target, iter=value):
                found += [Binding(node, value, each.path, True)
                          for each in _bound(node, target, value, name)]
            case ast.Expr(value=ast.Call() as call) if _changed(call) == name:
                found.append(Binding(node, None))
    return tuple(sorted(found, key=lambda each: each.statement.lineno))


def _bound(
    statement: ast.stmt, target: ast.expr, value: ast.expr, name: str
) -> list[Binding]:
    if isinstance(target, ast.Tuple | ast.List):
        if any(isinstance(each, ast.Starred) for each in target.elts):
            return []
        return [Binding(found.statement, found.value, (place, *found.path))
                for place, each in enumerate(target.elts)
                for found in _bound(statement, each, value, name) if found.value is not None]
    if isinstance(target, ast.Name | ast.Attribute) and ast.unparse(target) == name:
        return [Binding(statement, value)]
    if isinstance(target, ast.Subscript) and _base(target) == name:
        return [Binding(statement, None)]
    return []


def _base(target: ast.expr) -> str:
    """The name of what a statement changes a part of."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return ast.unparse(target) if isinstance(target, ast.Name | ast.Attribute) else ""


def _changed(call: ast.Call) -> str:
    """The name of what a call changes in place, as `y` of y.clamp_(0, 1) or rng.shuffle(y)."""
    name = last_name(call.func)
    if name in SHUFFLES and call.args:
        return _base(call.args[0])
    if isinstance(call.func, ast.Attribute) and name.endswith("_") and not name.startswith("_"):
        return _base(call.func.value)
    return ""


@lru_cache(maxsize=_KEPT)
def own_nodes(body: ast.AST) -> tuple[ast.AST, ...]:
    """The nodes of a scope without those of the scopes within it."""
    found = list(ast.iter_child_nodes(body))
    for node in found:  # grows as it goes
        if not isinstance(node, _INSIDE):
            found += ast.iter_child_nodes(node)
    return tuple(found)


def _around(body: ast.AST, statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements of a scope that one stands in."""
    for node in own_nodes(body):
        if isinstance(node, ast.stmt) and node is not statement and (
            node.lineno <= statement.lineno <= (node.end_lineno or node.lineno)
        ):
            yield node


# Functions and classes ----------------------------------------------------------------------------
def class_around(tree: ast.Module, function: ast.AST) -> ast.ClassDef | None:
    """The class whose method a function is."""
    return next((each for each in nodes_of(tree)
                 if isinstance(each, ast.ClassDef) and function in each.body), None)


def defined(
    name: str, scope: Scope
) -> tuple[Function | ast.ClassDef, str, ast.Module] | None:
    """The only function or class of the program that a name can mean, not a method, and its file.
    """
    file, tree = scope.file, scope.tree
    for _ in range(3):  # modules that import it from each other
        found = [each for each in nodes_of(tree) if isinstance(each, Function | ast.ClassDef)
                 and each.name == name and class_around(tree, each) is None]
        if found:
            return (found[0], file, tree) if len(found) == 1 else None
        source = next((each.module for each in nodes_of(tree) if isinstance(each, ast.ImportFrom)
                       and each.module and any(a.name == name for a in each.names)), None)
        if source is None:
            return None
        ending = "." + source
        files = {getattr(module, "__file__", None) for key, module in list(sys.modules.items())
                 if key == source or key.endswith(ending)} - {None}
        imported = files.pop() if len(files) == 1 else None
        if not isinstance(imported, str) or not scope.sites.is_user(imported):
            return None
        parsed = syntax_tree(imported)
        if parsed is None:
            return None
        file, tree = imported, parsed
    return None


def method(kind: ast.ClassDef, name: str) -> Function | None:
    """A method that a class itself defines."""
    return next((each for each in kind.body if isinstance(each, Function) and each.name == name),
                None)


def passed(parameter: str, scope: Scope) -> tuple[ast.expr, Point] | None:
    """What the call of a function, or else the only call in its file, passes for a parameter."""
    body = scope.body
    if isinstance(body, ast.Module):
        return None
    names = [each.arg for each in (*body.args.posonlyargs, *body.args.args)]
    if parameter not in (*names, *(each.arg for each in body.args.kwonlyargs)):
        return None
    if scope.owner is not None and isinstance(body, Function) and not any(
            last_name(each) == "staticmethod" for each in body.decorator_list):
        names = names[1:]
    call, outer = scope.call, scope.outer
    if call is None and isinstance(body, Function):
        called = scope.owner.kind.name if (
            scope.owner is not None and body.name == "__init__") else body.name
        calls = [each for each in nodes_of(scope.tree)
                 if isinstance(each, ast.Call) and last_name(each.func) == called]
        if len(calls) != 1:
            return None
        call, outer = calls[0], _point(calls[0], scope)
    if call is None or outer is None or any(
            isinstance(each, ast.Starred) for each in call.args):
        return None
    given = next((k.value for k in call.keywords if k.arg == parameter), None)
    if given is None and parameter in names and names.index(parameter) < len(call.args):
        given = call.args[names.index(parameter)]
    return (given, outer) if given is not None else None


def _point(node: ast.expr, scope: Scope) -> Point:
    """Where an expression of a scope's file is, with nothing known of who calls what it is in."""
    functions = [each for each in nodes_of(scope.tree)
                 if isinstance(each, Function) and node in own_nodes(each)]
    if not functions:
        return Point(scope.top(), node.lineno)
    kind = class_around(scope.tree, functions[0])
    owner = Instance(kind, scope.file, scope.tree) if kind is not None else None
    return Point(Scope(scope.sites, scope.file, scope.tree, functions[0], owner=owner),
                 node.lineno)


def instance(node: ast.expr, at: Point, left: int = _DEEPEST) -> Instance | None:
    """The object of one of the program's classes that an expression certainly is.

    `left` is how many names may still be followed within one another.
    """
    for _ in range(left):
        match node:
            case ast.Name(id="self") if at.scope.owner is not None:
                return at.scope.owner
            case ast.Call():
                known = defined(last_name(node.func), at.scope)
                if known is None or not isinstance(known[0], ast.ClassDef):
                    return None
                return Instance(known[0], known[1], known[2], node, at)
            case ast.Name() | ast.Attribute():
                following = one_back(node, at, left - 1)
                if following is None or following[2]:
                    return None
                node, at = following[:2]
            case _:
                return None
    return None


def one_back(
    node: ast.Name | ast.Attribute, at: Point, left: int = _DEEPEST
) -> tuple[ast.expr, Point, Path, Binding | None] | None:
    """What a name or an attribute was given by, from where, and which element of that it is.

    The last is the statement, None for an argument. A value that was changed in place is the name
    itself, at the statement that changed it.
    """
    if isinstance(node, ast.Attribute):
        return _attribute(node, at, left)
    found = binding(node.id, at)
    if found is None and not _before(bindings(at.scope.body, node.id), at):
        given = passed(node.id, at.scope)
        if given is not None:
            return *given, (), None
        if not isinstance(at.scope.body, ast.Module) and (
                node.id not in _parameters(at.scope.body)):
            top = at.scope.top()
            lines = [each.line for each in _points(at) if each.scope.body is top.body]
            at = Point(top, lines[0] if lines else float("inf"))
            found = binding(node.id, at)
    return _by(found, node, at) if found is not None else None


def _by(
    found: Binding, node: ast.expr, at: Point
) -> tuple[ast.expr, Point, Path, Binding | None]:
    value = node if found.value is None else found.value
    return value, Point(at.scope, found.statement.lineno), found.path, found


def _points(at: Point | None) -> Iterator[Point]:
    """A point and those of the calls that led to it, innermost first."""
    while at is not None:
        yield at
        at = at.scope.outer


def _parameters(body: ast.AST) -> set[str]:
    if not isinstance(body, Function | ast.Lambda):
        return set()
    return {each.arg for each in (*body.args.posonlyargs, *body.args.args, *body.args.kwonlyargs)}


def _attribute(
    node: ast.Attribute, at: Point, left: int
) -> tuple[ast.expr, Point, Path, Binding | None] | None:
    text = ast.unparse(node)
    own = binding(text, at)
    if own is not None:
        return _by(own, node, at)
    of = instance(node.value, at, left - 1)
    if of is None:
        return None
    methods = [each for each in of.kind.body if isinstance(each, Function)
               and bindings(each, f"self.{node.attr}")]
    chosen = next((each for each in methods if each.name == "__init__"), None) or (
        methods[0] if len(methods) == 1 else None)
    wanted = ast.Attribute(ast.Name("self", ast.Load()), node.attr, ast.Load())
    if chosen is not None:
        built = (of.call, of.at) if chosen.name == "__init__" else (None, None)
        end = Point(Scope(at.scope.sites, of.file, of.tree, chosen, *built, of), float("inf"))
        last = binding(f"self.{node.attr}", end)
        return _by(last, wanted, end) if last is not None else None
    if of.call is not None and of.at is not None and method(of.kind, "__init__") is None:
        fields = [each.target.id for each in of.kind.body
                  if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]
        given = next((k.value for k in of.call.keywords if k.arg == node.attr), None)
        if given is None and node.attr in fields and fields.index(node.attr) < len(of.call.args):
            given = of.call.args[fields.index(node.attr)]
        return (given, of.at, (), None) if given is not None else None
    return None
