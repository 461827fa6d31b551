"""Puts a number into a program: at the place itself, or where the place's value comes from."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, Origin, hop, module_named
from unstuck.repair.index import Index
from unstuck.repair.names import Kind
from unstuck.repair.options import option_of, typed
from unstuck.repair.patch import Form
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import literal


@dataclass(frozen=True, slots=True)
class Number:
    """What to put: a value, or a multiple of what is there.

    `was` is the value that ran. `shared` says that all who use a name may get the new value.
    `whole` keeps a multiple an integer.
    """

    value: float | None = None
    factor: float | None = None
    was: float | None = None
    shared: bool = False
    whole: bool = False

    def text(self, now: float | None) -> str:
        """The literal in the place of another one."""
        if self.value is not None:
            return literal(self.value) if self.whole else decimal(self.value)
        assert self.factor is not None
        known = now if now is not None else self.was
        if known is None:
            raise Refused(Reason.NOT_MEASURED, "The present value is not known.")
        changed = known * self.factor
        return str(max(round(changed), 1)) if self.whole else decimal(changed)

    def as_factor(self) -> float | None:
        """The new value as a multiple of the one that ran."""
        if self.factor is not None:
            return self.factor
        return self.value / self.was if self.value is not None and self.was else None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to put a value."""

    form: Form
    splices: tuple[Splice, ...]


def decimal(value: float) -> str:
    """A number that is no count, as one would type it: 1.0, 0.05, 3e-05."""
    text = literal(value)
    return text if re.search(r"[.e(]", text) else f"{text}.0"


def constant(node: ast.expr) -> float | None:
    """The number that an expression of literals gives: 0.1, -1, 1e-3 * 4, 2 ** 8."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            found = constant(inner)
            return None if found is None else -found
        case ast.BinOp(left=left, right=right):
            a, b = constant(left), constant(right)
            if a is None or b is None:
                return None
            try:
                match node.op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Div():
                        return a / b
                    case ast.FloorDiv():
                        return a // b
                    case ast.Pow() if abs(b) < 64:
                        return float(a**b)
            except (ArithmeticError, TypeError):
                return None
    return None


def known(index: Index, source: Source, node: ast.expr) -> float | None:
    """The number that an expression has, if literals give it, here or where it comes from."""
    origin = _origin(index, source, node, Number(factor=1.0, shared=True))
    return constant(origin.node if origin is not None else node)


def ways(index: Index, source: Source, node: ast.expr, number: Number,
         several: bool = False) -> list[Way]:
    """How to put a number into an expression: where it comes from first, then at the place itself.

    `several` says that the place ran with several values: then only a factor is right.

    Raises:
        Refused: the value was typed on the command line, or only a factor is right and the value
            that ran is not known.
    """
    now = constant(node)
    if now is not None and not several:
        return [Way(Form.LITERAL, change.replace(source, node, number.text(now)))]
    if several or _varies(index, source, node):
        factor = number.as_factor()
        if factor is None:
            raise Refused(Reason.SEVERAL_VALUES,
                          "This line ran with several values, so one new value would not fit "
                          "all of them.")
        return [Way(Form.FACTOR, change.times(source, node, literal(factor)))]
    found: list[Way] = []
    origin = _origin(index, source, node, number)
    if origin is not None:
        known = constant(origin.node)
        found.append(Way(origin.form, change.replace(
            origin.source, origin.node, number.text(known))))
    if number.value is not None:
        found.append(Way(Form.CALL, change.replace(source, node, number.text(None))))
    elif number.factor is not None:
        text = literal(number.factor)
        if isinstance(node, ast.BinOp) and hop(index, source, node) is not None:
            node = node.left  # the end of a range from 1
        exact = not number.whole or float(number.factor).is_integer()
        found.append(Way(Form.FACTOR, change.times(source, node, text) if exact
                         else change.wrap(source, node, f"round({text} * (", "))")))
    return found


def _varies(index: Index, source: Source, node: ast.expr) -> bool:
    """Whether the names of an expression get another value in each turn of a loop."""
    hops = 0
    here: Origin | None = Origin(source, node, Form.LITERAL)
    while here is not None and hops < DEEPEST:
        for each in ast.walk(here.node):
            if isinstance(each, ast.Name) and any(
                    b.kind is Kind.LOOP for b in names.resolve(here.source, each, each.id)):
                return True
        here = hop(index, here.source, here.node)
        hops += 1
    return False


def _origin(index: Index, source: Source, node: ast.expr, number: Number) -> Origin | None:
    """The literal that an expression gets its value from, if it serves nothing else."""
    here = Origin(source, node, Form.CONSTANT)
    for _ in range(DEEPEST):
        option = option_of(index, here.source, here.node)
        if option is not None:
            typed(index, option, number.text)
        if isinstance(here.node, ast.BinOp) and number.factor is None:
            return None
        if not number.shared and _serves_others(index, here.source, here.node):
            return None
        further = hop(index, here.source, here.node)
        if further is None:
            return None
        if constant(further.node) is not None or (
                isinstance(further.node, ast.Constant) and option is not None):
            return further
        here = further
    return None


# Who else uses it --------------------------------------------------------------------------------
def _serves_others(index: Index, source: Source, node: ast.expr) -> bool:
    """Whether a name, attribute or item is read at more than one place that computes with it."""
    match node:
        case ast.Name():
            found = names.resolve(source, node, node.id)
            if not found and source.name in index.cells:
                cells = [index.sources[cell] for cell in sorted(index.cells)]
                return sum(
                    isinstance(each, ast.Name) and each.id == node.id
                    and isinstance(each.ctx, ast.Load) and not names.shown(cell, each)
                    for cell in cells for each in ast.walk(cell.tree)) > 1
            if len(found) != 1:
                return True
            readers: list[tuple[Source, ast.expr]] = [
                (source, each) for each in names.uses(source, found[0].scope, node.id)]
            if isinstance(found[0].scope, ast.Module):
                readers += _readers_elsewhere(index, source, node.id)
            return sum(not names.shown(where, each) for where, each in readers) > 1
        case ast.Attribute():
            return sum(
                isinstance(each, ast.Attribute) and each.attr == node.attr
                and isinstance(each.ctx, ast.Load) and not names.shown(where, each)
                for where, each in index.nodes(ast.Attribute)) > 1
        case ast.Subscript(slice=ast.Constant(value=key)):
            return sum(
                isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Constant)
                and each.slice.value == key and isinstance(each.ctx, ast.Load)
                and not names.shown(where, each)
                for where, each in index.nodes(ast.Subscript)) > 1
    return False


def _readers_elsewhere(index: Index, source: Source, name: str) -> list[tuple[Source, ast.expr]]:
    found: list[tuple[Source, ast.expr]] = []
    for where in index.sources.values():
        if where is source:
            continue
        together = where.name in index.cells and source.name in index.cells
        for node in ast.walk(where.tree):
            if isinstance(node, ast.alias) and node.name == name and isinstance(
                    where.parents[node], ast.ImportFrom):
                found += [(where, each) for each in names.uses(
                    where, where.tree, node.asname or name)]
            elif isinstance(node, ast.Attribute) and node.attr == name and isinstance(
                    node.value, ast.Name) and module_named(index, where, node.value.id) is source:
                found.append((where, node))
        if together:
            found += [(where, each) for each in ast.walk(where.tree)
                      if isinstance(each, ast.Name) and each.id == name
                      and isinstance(each.ctx, ast.Load)
                      and not names.resolve(where, each, name)]
    return found
