"""Where a program compares predictions with labels, and which variables that comes to."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from unstuck.observe.source.lexical import own_nodes
from unstuck.observe.source.nodes import functions_called
from unstuck.schema.facts.scores import Code

COMPARING = ("eq", "ne", "equal")  # functions and methods
_COPYING = ("cpu", "numpy", "to", "cuda", "long", "int", "detach")
KEEPING = (*_COPYING, "flatten")  # the dimensions
ELEMENTWISE = (*_COPYING, "round", "sigmoid", "float", "double", "bool", "clone")
SHAPING = ("squeeze", "view", "reshape", "flatten", "ravel", "argmax", "max", "topk", "sort")
SAME_NUMBERS = ("cpu", "numpy", "to", "cuda", "detach", "float", "double", "clone", "squeeze",
                "view", "reshape", "flatten", "ravel")
CONVERTING = (*SAME_NUMBERS, "tensor", "as_tensor", "from_numpy", "unsqueeze")
COUNTING = re.compile(r"accura|\bacc\b|_acc\b|\bacc_|correct|score|hit_rate|n_right|match",
                      re.IGNORECASE)
LABELS = re.compile(
    r"\by(?!\w*(pred|hat|out|_p\b))|label|targ|truth|gold|class", re.IGNORECASE)
CLASSES, VALUES = "indices", "values"  # as torch.max calls what it returns
NUMBERS = {CLASSES: "1", VALUES: "0"}
DEPTH = 5  # of names and calls that are followed
Function = ast.FunctionDef | ast.AsyncFunctionDef


def reading(trees: Sequence[ast.Module]) -> Code:
    """How a program's code counts right predictions, by its names and by what it compares.

    A comparison that only decides what is done next counts nothing.
    """
    found = Code.SILENT
    for tree in trees:
        deciding = {id(node.test) for node in ast.walk(tree)
                    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert)}
        for node in ast.walk(tree):
            if isinstance(node, ast.BoolOp):
                deciding |= {id(value) for value in node.values}
            elif isinstance(node, ast.expr) and id(node) not in deciding and (
                sides := _compared(node)
            ) and _root(sides[0]) != _root(sides[-1]):
                if not any(_is_largest(tree, side, DEPTH) for side in sides) or not all(
                    _is_largest(tree, side, DEPTH) or _is_plain(side) for side in sides
                ):
                    return Code.OTHER
                found = Code.LARGEST
    named = any(COUNTING.search(_name(node)) for tree in trees for node in ast.walk(tree))
    return Code.OTHER if named and found is Code.SILENT else found


def compared_values(tree: ast.Module) -> ast.expr | None:
    """The comparison of a label with the largest output of each sample, in place of its class."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or len(sides := _compared(node)) < 2:
            continue
        for one, other in (sides, sides[::-1]):
            if _is_plain(other) and LABELS.search(ast.unparse(other)) and _is_largest(
                    tree, one, DEPTH, part=VALUES):
                return node
    return None


def compared_column(
    tree: ast.Module, function: str, line: int, labels: str
) -> ast.expr | None:
    """The comparison of labels with what a model made, in all of its dimensions, of each sample.

    None if the text compares them in another way as well: which of them runs is not known.

    Args:
        tree: of the file.
        function: that calls the model at a line of it,
        line: of the file.
        labels: the variable there that holds them.
    """
    scope = scope_at(tree, function, line)
    found = None
    for node in ast.walk(scope):
        if isinstance(node, ast.expr) and len(sides := _compared(node)) == 2:
            for one, other in (sides, sides[::-1]):
                if _is_plain(other) and _root(other) == labels:
                    if not _keeps_dimensions(scope, one, line, DEPTH):
                        return None
                    found = found or node
    return found


def _keeps_dimensions(scope: ast.AST, value: ast.expr, line: int, depth: int) -> bool:
    """Whether a value is what a call at a line returned, changed element by element alone."""
    if isinstance(value, ast.Name):
        given = list(_values(scope, value.id, parts=True))
        return depth > 0 and bool(given) and all(
            _keeps_dimensions(scope, each, line, depth - 1) for each in given)
    if isinstance(value, ast.Compare):
        return len(value.ops) == 1 and isinstance(value.comparators[0], ast.Constant) and (
            _keeps_dimensions(scope, value.left, line, depth))
    if not isinstance(value, ast.Call):
        return False
    name = _name(value.func)
    if isinstance(value.func, ast.Attribute) and name in ELEMENTWISE:
        of_torch = ast.unparse(value.func.value) in ("torch", "F", "nn.functional")
        inner = value.args[0] if of_torch and value.args else value.func.value
        return _keeps_dimensions(scope, inner, line, depth)
    return name not in SHAPING and value.lineno <= line <= (value.end_lineno or 0)


def compares_sigmoid(trees: Sequence[ast.Module]) -> bool:
    """Whether a program compares the sigmoid of something with a half, or rounds it."""
    for tree in trees:
        for node in ast.walk(tree):
            half = isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Constant) and side.value == 0.5 for side in node.comparators)
            if not half and not (isinstance(node, ast.Call) and _name(node.func) == "round"):
                continue
            names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if any(_calls_sigmoid(each) for each in (
                    node, *(value for name in names for value in _values(tree, name)))):
                return True
    return False


def _calls_sigmoid(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) and _name(each.func) == "sigmoid"
               for each in ast.walk(node))


def _is_largest(tree: ast.Module, value: ast.expr, depth: int, part: str = CLASSES) -> bool:
    """Whether a value is the class with the largest output of each sample, in one dimension.

    With `part=VALUES`, whether it is that output.
    """
    if isinstance(value, ast.Name):
        given = list(_values(tree, value.id, parts=True))
        return depth > 0 and bool(given) and all(
            _is_largest(tree, each, depth - 1, part) for each in given)
    if isinstance(value, ast.Subscript):  # the places of the largest, or some of the samples
        picks = isinstance(value.slice, ast.Name | ast.Attribute)
        return (picks or ast.unparse(value.slice) == NUMBERS[part]) and _is_largest(
            tree, value.value, depth, part)
    if isinstance(value, ast.Attribute):
        return value.attr == part and _is_largest(tree, value.value, depth, part)
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    if value.func.attr in KEEPING:
        return _is_largest(tree, value.func.value, depth, part)
    if part == VALUES and value.func.attr == "argmax":
        return False
    options = {option.arg: ast.unparse(option.value) for option in value.keywords}
    given = value.args[1:] if ast.unparse(value.func.value) == "torch" else value.args
    axis = options.get("dim", ast.unparse(given[0]) if given else "")
    return value.func.attr in ("argmax", "max") and axis in ("1", "-1") and len(given) <= 1 and (
        options.get("keepdim", "False") == "False")


def _root(value: ast.expr) -> str:
    """What a value is a view of: compared with itself it is no prediction."""
    while isinstance(value, ast.Subscript) and not isinstance(value.slice, ast.Constant):
        value = value.value
    return ast.unparse(value)


def _is_plain(value: ast.expr) -> bool:
    """Whether a value is a variable, or a part of one, in its own dimensions."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Attribute) and value.func.attr in KEEPING and (
            _is_plain(value.func.value))
    if isinstance(value, ast.Subscript):
        return "None" not in ast.unparse(value.slice) and _is_plain(value.value)
    return isinstance(value, ast.Name) or (
        isinstance(value, ast.Attribute) and _is_plain(value.value))


def _name(node: ast.AST) -> str:
    for kind, field in ((ast.Name, "id"), (ast.Attribute, "attr"), (ast.arg, "arg"),
                        (ast.FunctionDef, "name"), (ast.alias, "name")):
        if isinstance(node, kind):
            return str(getattr(node, field))
    return ""


def _compared(node: ast.expr) -> list[ast.expr]:
    """The two values that an expression compares, neither of which is written out; else none."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return sides if isinstance(node.ops[0], ast.Eq | ast.NotEq) and len(sides) == 2 and (
            not any(isinstance(side, ast.Constant) for side in sides)) else []
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or (
        node.func.attr not in COMPARING
    ):
        return []
    of_torch = ast.unparse(node.func.value) in ("torch", "np", "numpy")
    return node.args[:2] if of_torch else [node.func.value, *node.args[:1]]


def compares(node: ast.AST) -> bool:
    """Whether this is a comparison of two values."""
    return isinstance(node, ast.expr) and bool(_compared(node))


def divides(node: ast.AST) -> bool:
    """Whether this is a division."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


def subtracts(node: ast.AST) -> bool:
    """Whether this is the difference of two values."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and not any(
        isinstance(side, ast.Constant) for side in (node.left, node.right))


def takes_largest(node: ast.AST) -> bool:
    """Whether this is the place of the largest of several."""
    return isinstance(node, ast.Call) and (_name(node.func) == "argmax" or (
        _name(node.func) == "max" and len(node.args) + len(node.keywords) > 0))


def is_difference(tree: ast.Module, function: str, line: int, labels: str) -> bool:
    """Whether labels are subtracted from what a call at a line returned, or the other way round.

    Args:
        tree: of the file.
        function: that calls the model at a line of it,
        line: of the file.
        labels: the variable there that holds them.
    """
    scope = scope_at(tree, function, line)
    return any(
        _is_plain(other) and _root(other) == labels and _is_result(scope, one, line, DEPTH)
        for node in own_nodes(scope) if isinstance(node, ast.BinOp) and subtracts(node)
        for one, other in ((node.left, node.right), (node.right, node.left)))


def _is_result(scope: ast.AST, value: ast.expr, line: int, depth: int) -> bool:
    """Whether a value is what a call at a line returned, with the same numbers."""
    if isinstance(value, ast.Name):
        given = list(_values(scope, value.id, own=True))
        return depth > 0 and bool(given) and all(
            _is_result(scope, each, line, depth - 1) for each in given)
    if isinstance(value, ast.Subscript):
        return _is_result(scope, value.value, line, depth)
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute) and _name(value.func) in SAME_NUMBERS:
        return _is_result(scope, value.func.value, line, depth)
    # Of calls within one another it is not known which is the model's.
    return value.lineno <= line <= (value.end_lineno or 0) and not any(
        isinstance(inner, ast.Call) and _name(inner.func) not in CONVERTING
        for given in (*value.args, *value.keywords) for inner in ast.walk(given))


def computed_by(
    tree: ast.Module, function: str, line: int, name: str, how: Callable[[ast.AST], bool]
) -> ast.expr | None:
    """The expression that a variable comes from: the one behind it that computes `how`, if that is
    the only one.

    Args:
        tree: of the file.
        function: in which the variable is, and a line of it that runs.
        line: of the file.
        name: of the variable, or what it holds: `scores['valid']`.
        how: `compares`, `divides`, `subtracts`, or `takes_largest`, which is found by itself.
    """
    scope = scope_at(tree, function, line)
    values = list(_values(scope, name, own=True))
    if not values and "." in name:  # of an object, whose methods compute it
        kept = [(method, value) for method in ast.walk(tree) if isinstance(method, Function)
                for value in _values(method, f"self.{name.rpartition('.')[2]}", own=True)]
        scope, values = (kept[0][0], [kept[0][1]]) if len(kept) == 1 else (scope, [])
    if len(values) != 1:
        return None
    found = {id(node): node for node in _computing(tree, scope, values[0], how, set(), DEPTH)}
    whole = next(iter(found.values())) if len(found) == 1 else values[0]
    if how is not takes_largest:
        return whole
    inner = [node for node in ast.walk(whole) if isinstance(node, ast.expr) and takes_largest(node)]
    return inner[0] if len(inner) == 1 else whole


def scope_at(tree: ast.Module, function: str, line: int) -> Function | ast.Module:
    """The function of this name that has a line, or the module."""
    return next((node for node in ast.walk(tree) if isinstance(node, Function)
                 and node.name == function
                 and node.lineno <= line <= (node.end_lineno or 0)), tree)


def _computing(
    tree: ast.Module, scope: Function | ast.Module, value: ast.expr, how: Callable[[ast.AST], bool],
    seen: set[tuple[int, str]], depth: int,
) -> Iterator[ast.expr]:
    """The expressions that compute so, by which a value is computed."""
    if any(map(how, ast.walk(value))):
        yield value
        return
    settled: set[int] = set()  # what a function is given that computes so itself
    for node in ast.walk(value) if depth else ():
        if id(node) in settled:
            continue
        if isinstance(node, ast.Name) and (id(scope), node.id) not in seen:
            seen.add((id(scope), node.id))
            for assigned in _values(scope, node.id):
                yield from _computing(tree, scope, assigned, how, seen, depth - 1)
        elif isinstance(node, ast.Call):
            for called in functions_called(tree, node.func):
                if (id(called), "") not in seen:
                    seen.add((id(called), ""))
                    found = [each for back in ast.walk(called)
                             if isinstance(back, ast.Return) and back.value is not None
                             for each in _computing(
                                 tree, called, back.value, how, seen, depth - 1)]
                    settled |= {id(each) for each in ast.walk(node) if found}
                    yield from found


def _values(
    scope: ast.AST, name: str, parts: bool = False, own: bool = False
) -> Iterator[ast.expr]:
    """What is assigned, added or appended to a variable, left out what only begins it.

    Of what is unpacked it is the whole, or with `parts` the variable's part, `whole[1]`. With `own`
    the scopes within this one are left out, which have variables of their own.
    """
    for node in own_nodes(scope) if own else ast.walk(scope):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == name:
            yield node.value
        elif isinstance(node, ast.Assign):
            yield from (value for target in node.targets
                        for value in _assigned(target, node.value, name, parts))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
            node.func.attr == "append" and len(node.args) == 1
            and ast.unparse(node.func.value) == name
        ):
            yield node.args[0]


def _assigned(
    target: ast.expr, value: ast.expr, name: str, parts: bool
) -> Iterator[ast.expr]:
    """The part of a value that an assignment gives to a variable."""
    if not isinstance(target, ast.Tuple):
        begins = isinstance(value, ast.Constant | ast.List | ast.Dict)
        if ast.unparse(target) == name and not begins:
            yield value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        for part, given in zip(target.elts, value.elts, strict=True):
            yield from _assigned(part, given, name, parts)
    else:
        for number, part in enumerate(target.elts):
            if ast.unparse(part) == name:
                yield ast.Subscript(value, ast.Constant(number), ast.Load()) if parts else value
