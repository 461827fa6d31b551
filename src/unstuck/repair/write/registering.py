"""Layers that a plain list or dict holds, registered with the model."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import RegisterLayers
from unstuck.schema.facts.models import Unregistered

_LISTS = ast.List | ast.ListComp | ast.Tuple
_DICTS = ast.Dict | ast.DictComp
# What torch's containers lack of a list's and a dict's methods.
_LACKING = {"List": ("clear", "copy", "count", "index", "remove", "reverse", "sort"),
            "Dict": ("copy", "fromkeys", "get", "popitem", "setdefault")}


def write_register(edit: RegisterLayers, record: Record, index: Index) -> list[Patch]:
    """Around the list or the dict that holds the layers, and around those in it.

    A dict whose keys are no strings stays: a ModuleList beside it registers its values.
    """
    source, value = _assigned(edit, record, index)
    if edit.container == "Parameter":
        name, needs = spell(index, source, "torch.nn.Parameter")
        return [Patch(edit, change.wrap(source, value, f"{name}(", ")"), Form.MODEL, needs)]
    held = f"self.{edit.attribute}"
    paths = [fact.name.removeprefix(f"{fact.owner}.{edit.attribute}")
             for fact in record.facts(Unregistered) if fact.attribute == edit.attribute]
    kind = _kind(index, source, value) or (
        "Dict" if paths and all(path[1:2] in ("'", '"') for path in paths)
        else edit.container.removeprefix("Module").removeprefix("Parameter"))
    outer = source.class_of(value)
    own: ast.AST = outer if outer is not None else source.tree
    if kind == "Dict" and not _has_string_keys(own, value, held, paths):
        if isinstance(value, ast.Dict) and not value.keys:
            raise Refused(Reason.UNKNOWN_FORM, f"The keys of {edit.attribute} must be strings, as "
                          "an nn.ModuleDict needs them.")
        name, needs = spell(index, source, f"torch.nn.{_family(edit)}List")
        line = f"{held}_registered = {name}({held}.values())"
        return [Patch(edit, change.after(source, source.statement(value), line), Form.MODEL, needs)]
    for node in ast.walk(own):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
                names.dotted(node.func.value) == held and node.func.attr in _LACKING[kind]):
            raise Refused(Reason.UNKNOWN_FORM, f"The program calls {edit.attribute}."
                          f"{node.func.attr}, which an nn.{_family(edit)}{kind} does not have.")
    needed: list[Need] = []
    splices = _around(edit, index, source, value, kind, needed)
    for inner in _put_in(own, held):
        if (deeper := _display(inner)) is not None:
            splices += _around(edit, index, source, inner, deeper, needed)
    return [Patch(edit, tuple(splices), Form.MODEL, tuple(dict.fromkeys(needed)))]


def _family(edit: RegisterLayers) -> str:
    return "Parameter" if edit.container.startswith("Parameter") else "Module"


def _assigned(edit: RegisterLayers, record: Record, index: Index) -> tuple[Source, ast.expr]:
    """The value that the attribute is given first, in the class of its owner."""
    wanted = f"self.{edit.attribute}"
    found: list[tuple[Source, ast.expr]] = []
    for kind in (ast.Assign, ast.AnnAssign):
        for source, node in index.nodes(kind):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None and wanted in map(names.dotted, targets):
                found.append((source, node.value))
    owner = record.layers().get(edit.owner)
    kinds = {edit.owner, owner.kind if owner is not None else edit.owner}
    lines = [fact.location.line for fact in record.facts(Unregistered)
             if fact.attribute == edit.attribute and fact.location is not None]
    if len(found) > 1:  # the class of the owner, else the one whose text makes the layers
        outer = [source.class_of(value) for source, value in found]
        own = [each is not None and each.name in kinds for each in outer]
        made = [each is not None and any(each.lineno <= line <= (each.end_lineno or 0)
                                         for line in lines) for each in outer]
        found = [each for each, keep in zip(found, own if any(own) else made, strict=True) if keep]
    if len(found) != 1:
        raise Refused(Reason.NO_PLACE, f"No single assignment of {wanted} is in the text.")
    return found[0]


def _display(node: ast.expr) -> str | None:
    """Whether an expression makes a list or a dict itself."""
    called = names.called(node) if isinstance(node, ast.Call) else ""
    if isinstance(node, _LISTS) or called in ("list", "tuple"):
        return "List"
    return "Dict" if isinstance(node, _DICTS) or called in ("dict", "OrderedDict") else None


def _kind(index: Index, source: Source, node: ast.expr) -> str | None:
    """Whether an expression is a list or a dict, its name followed; None if the text is silent."""
    for _ in range(DEEPEST):
        kind = _display(node)
        origin = None if kind else hop(index, source, node)
        if origin is None:
            return kind
        source, node = origin.source, origin.node
    return None


def _around(edit: RegisterLayers, index: Index, source: Source, node: ast.expr, kind: str,
            needs: list[Need]) -> list[Splice]:
    """The container around a list or a dict, and around each one in it."""
    inside: list[ast.expr] = []
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            inside = elements
        case ast.ListComp(elt=element) | ast.DictComp(value=element):
            inside = [element]
        case ast.Dict(values=elements):
            inside = elements
    if any(isinstance(each, ast.Constant) for each in inside):
        raise Refused(Reason.UNKNOWN_FORM, f"{edit.attribute} holds more than layers.")
    name, more = spell(index, source, f"torch.nn.{_family(edit)}{kind}")
    needs += more
    if isinstance(node, ast.Tuple) and not change.is_bracketed(source, node):
        splices = list(change.wrap(source, node, f"{name}(", ")"))
    else:
        start, end = source.span(node)
        empty = isinstance(node, ast.List | ast.Dict | ast.Tuple) and not inside
        splices = list(change.replace(source, node, f"{name}()")) if empty else [
            Splice(source.name, start, start, f"{name}("), Splice(source.name, end, end, ")")]
    for each in inside:
        if (deeper := _display(each)) is not None:
            splices += _around(edit, index, source, each, deeper, needs)
    return splices


def _put_in(outer: ast.AST, held: str) -> Iterator[ast.expr]:
    """What a class appends to a list, or gives a key of a dict, after it was made."""
    for node in ast.walk(outer):
        match node:
            case ast.Call(func=ast.Attribute(value=base, attr="append"), args=[value]):
                pass
            case ast.Assign(targets=[ast.Subscript(value=base)], value=value):
                pass
            case _:
                continue
        if names.dotted(base) == held:
            yield value


def _has_string_keys(outer: ast.AST, value: ast.expr, held: str, paths: list[str]) -> bool:
    """Whether all keys of a dict are strings, as the run or else the text says."""
    if paths:
        return all(path[1:2] in ("'", '"') for path in paths)
    keys = list(value.keys) if isinstance(value, ast.Dict) else [value.key] if isinstance(
        value, ast.DictComp) else []
    keys += [target.slice for node in ast.walk(outer) if isinstance(node, ast.Assign)
             for target in node.targets if isinstance(target, ast.Subscript)
             and names.dotted(target.value) == held]
    return all(
        isinstance(key, ast.JoinedStr) or (isinstance(key, ast.Constant) and isinstance(
            key.value, str)) or (isinstance(key, ast.Call) and names.called(key) == "str")
        for key in keys if key is not None) and bool(keys or isinstance(value, ast.Call))


WRITERS = {RegisterLayers: write_register}
