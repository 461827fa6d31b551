"""Options of the command line: where their defaults are, and whether the user typed them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from unstuck.repair import names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.change import argument
from unstuck.repair.index import Index
from unstuck.repair.text import Source


@dataclass(frozen=True, slots=True)
class Option:
    """An option: the strings by which it is given, and the expression of its default."""

    source: Source
    flags: tuple[str, ...]
    name: str
    default: ast.expr | None


def option_of(index: Index, source: Source, node: ast.expr) -> Option | None:
    """The option of argparse that an attribute reads: `args.lr`; of click, that a parameter is."""
    if isinstance(node, ast.Attribute):
        if _holds_fields(index, node):
            return None
        name = node.attr
    elif isinstance(node, ast.Name):
        function = source.function(node)
        found = names.resolve(source, node, node.id)
        if function is None or not function.decorator_list or not any(
                b.kind is names.Kind.PARAMETER and b.scope is function for b in found):
            return None
        name = node.id
    else:
        return None
    kinds = ("add_argument",) if isinstance(node, ast.Attribute) else ("option",)
    options = [option for kind in kinds for where, call in index.calls(kind)
               if (option := _read(where, call)) is not None and option.name == name]
    if len(options) != 1:
        return None
    option = options[0]
    for where, call in index.calls("set_defaults"):
        value = argument(call, name)
        if value is not None:
            return Option(where, option.flags, name, value)
    return option


def _holds_fields(index: Index, node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _read(source: Source, call: ast.Call) -> Option | None:
    flags = tuple(each.value for each in call.args
                  if isinstance(each, ast.Constant) and isinstance(each.value, str))
    if not flags:
        return None
    target = argument(call, "dest")
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        name = target.value
    else:
        longest = next((f for f in flags if f.startswith("--")), flags[0])
        name = longest.lstrip("-").replace("-", "_")
    return Option(source, flags, name, argument(call, "default"))


def typed(index: Index, option: Option, text: Callable[[float | None], str]) -> None:
    """Does nothing if the option has its default.

    Raises:
        Refused: the user typed it; it carries the command with the new value.
    """
    given = list(index.argv)
    for place, word in enumerate(given[1:], 1):
        flag, equals, value = word.partition("=")
        meant = flag in option.flags or (
            flag.startswith("--") and len(flag) > 2
            and any(f.startswith(flag) for f in option.flags))
        if not meant or (not equals and place + 1 >= len(given)):
            continue
        before = value if equals else given[place + 1]
        try:
            new = text(float(before))
        except ValueError:
            continue
        if equals:
            given[place] = f"{flag}={new}"
        else:
            given[place + 1] = new
        raise Refused(
            Reason.TYPED, f"The value was given on the command line; pass {flag} {new} in place of "
            f"{flag} {before}.", command=tuple(given))
